"""cluster.yaml against what AWS says: the request that starts an instance, and what each type of instance has."""

from __future__ import annotations

import gzip
import json
import subprocess
from importlib import resources
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml
from botocore.validate import ParamValidator

CLUSTER = yaml.safe_load((Path(__file__).parents[2] / "cluster.yaml").read_text(encoding="utf-8"))
NODE_TYPES = CLUSTER["available_node_types"]
RUN_INSTANCES = (
    botocore.session.get_session().get_service_model("ec2").operation_model("RunInstances").input_shape  # no request
)
HARDWARE = json.loads(gzip.decompress((resources.files("moto") / "ec2/resources/instance_types.json.gz").read_bytes()))


def unknown_members(value: Any, shape: Any, path: str = "") -> list[str]:
    """Names that a request has and its shape has not: botocore's own validator refuses them only at the top."""
    if shape.type_name == "structure":
        unknown = [f"{path}.{name}" for name in value if name not in shape.members]
        known = [unknown_members(v, shape.members[n], f"{path}.{n}") for n, v in value.items() if n in shape.members]
        return unknown + [name for names in known for name in names]
    if shape.type_name == "list":
        return [name for item in value for name in unknown_members(item, shape.member, path)]
    if getattr(shape, "enum", None) and value not in shape.enum:
        return [f"{path}={value}"]
    return []


@pytest.mark.parametrize("name", NODE_TYPES)
def test_a_node_is_a_request_that_ec2_understands(name: str) -> None:
    request = {**NODE_TYPES[name]["node_config"], "MinCount": 1, "MaxCount": 1}
    assert not ParamValidator().validate(request, RUN_INSTANCES).has_errors()
    assert unknown_members(request, RUN_INSTANCES) == []


def test_a_misspelt_member_or_word_would_be_noticed() -> None:
    request = {"InstanceMarketOptions": {"MarketTyp": "spot"}, "InstanceType": "m7i.4xlage"}
    assert unknown_members(request, RUN_INSTANCES) == [".InstanceMarketOptions.MarketTyp", ".InstanceType=m7i.4xlage"]


@pytest.mark.parametrize("name", [n for n in NODE_TYPES if n != CLUSTER["head_node_type"]])
def test_ray_is_told_of_the_processors_and_gpus_that_the_instance_has(name: str) -> None:
    hardware = HARDWARE[NODE_TYPES[name]["node_config"]["InstanceType"]]
    told = NODE_TYPES[name]["resources"]
    assert told["CPU"] == hardware["VCpuInfo"]["DefaultVCpus"]
    assert told.get("GPU", 0) == sum(gpu["Count"] for gpu in hardware.get("GpuInfo", {}).get("Gpus", []))


@pytest.mark.parametrize("name", NODE_TYPES)
def test_no_node_gives_its_credentials_to_a_request_without_a_token_nor_its_disk_to_a_reader(name: str) -> None:
    node = NODE_TYPES[name]["node_config"]
    assert node["MetadataOptions"]["HttpTokens"] == "required"
    disks = [mapping["Ebs"] for mapping in node["BlockDeviceMappings"]]
    assert disks
    assert all(disk["Encrypted"] and disk["DeleteOnTermination"] for disk in disks)


def test_workers_may_not_do_what_the_head_may() -> None:
    profiles = {name: node["node_config"]["IamInstanceProfile"]["Name"] for name, node in NODE_TYPES.items()}
    head = profiles.pop(CLUSTER["head_node_type"])
    assert head not in profiles.values()


def test_the_file_holds_no_secret() -> None:
    text = json.dumps(CLUSTER)
    assert not [word for word in ("AKIA", "aws_secret", "PRIVATE KEY", "RAY_AUTH_TOKEN=") if word in text]


def test_all_types_may_run_at_once_and_idle_workers_end() -> None:
    workers = [node for name, node in NODE_TYPES.items() if name != CLUSTER["head_node_type"]]
    assert sum(node["max_workers"] for node in workers) <= CLUSTER["max_workers"]
    assert all(node.get("min_workers", 0) == 0 for node in workers)
    assert CLUSTER["idle_timeout_minutes"] > 0


@pytest.mark.parametrize("command", [c for key, value in CLUSTER.items() if key.endswith("_commands") for c in value])
def test_every_command_is_a_shell_command(command: str) -> None:
    checked = subprocess.run(["bash", "-n", "-c", command], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
