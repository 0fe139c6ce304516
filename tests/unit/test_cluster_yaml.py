"""cluster.yaml is a cluster that Ray's launcher accepts and that the world cannot reach."""

from __future__ import annotations

import copy
import json
import re
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray.autoscaler
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start

REPO = Path(__file__).parents[2]
SCHEMA = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text(encoding="utf-8"))
TEXT = (REPO / "cluster.yaml").read_text(encoding="utf-8")


@pytest.fixture
def cluster() -> dict[str, Any]:
    return dict(yaml.safe_load(TEXT))


def placeholders(node: Any) -> set[str]:
    """Values in capital letters, wherever they stand."""
    if isinstance(node, dict):
        return set().union(*map(placeholders, node.values()))
    if isinstance(node, list):
        return set().union(*map(placeholders, node))
    return {node} if isinstance(node, str) and re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", node) else set()


def test_it_fits_the_launchers_schema(cluster: dict[str, Any]) -> None:
    jsonschema.validate(cluster, SCHEMA)


def test_a_node_type_without_resources_would_not_fit(cluster: dict[str, Any]) -> None:
    del cluster["available_node_types"]["cpu_worker"]["resources"]
    with pytest.raises(jsonschema.ValidationError, match="resources"):
        jsonschema.validate(cluster, SCHEMA)


def test_the_launcher_accepts_it_with_its_defaults_filled_in(cluster: dict[str, Any]) -> None:
    validate_config(prepare_config(copy.deepcopy(cluster)))


def test_nothing_listens_to_the_world_even_with_the_launchers_defaults(cluster: dict[str, Any]) -> None:
    assert "0.0.0.0" not in json.dumps(prepare_config(copy.deepcopy(cluster)))  # noqa: S104
    assert "--dashboard-host=127.0.0.1" in " ".join(cluster["head_start_ray_commands"])


def test_every_node_type_names_its_security_group_so_that_the_launcher_makes_no_open_one(
    cluster: dict[str, Any],
) -> None:
    for node_type in cluster["available_node_types"].values():
        assert node_type["node_config"]["SecurityGroupIds"]
    assert "security_group" not in cluster["provider"]


def test_the_head_takes_no_work_and_is_not_a_spot_instance(cluster: dict[str, Any]) -> None:
    head = cluster["available_node_types"][cluster["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    assert "InstanceMarketOptions" not in head["node_config"]


def test_workers_are_spot_instances_with_processors_and_one_kind_with_gpus(cluster: dict[str, Any]) -> None:
    workers = {k: v for k, v in cluster["available_node_types"].items() if k != cluster["head_node_type"]}
    assert all(worker["resources"]["CPU"] > 0 for worker in workers.values())
    assert {k for k, worker in workers.items() if worker["resources"].get("GPU")} == {"gpu_worker"}
    for worker in workers.values():
        assert worker["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}


def test_every_start_of_ray_asks_for_a_token_and_every_node_has_it(cluster: dict[str, Any]) -> None:
    starts = [
        command
        for command in cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
        if "ray start" in command
    ]
    assert len(starts) == 2
    assert all("RAY_AUTH_MODE=token ray start" in command for command in starts)
    assert cluster["file_mounts"]["/home/ubuntu/.ray/auth_token"] == "~/.ray/auth_token"  # noqa: S105
    mode = re.search(r"chmod (\d+) ~/\.ray/auth_token", " ".join(cluster["setup_commands"]))
    assert mode
    assert int(mode[1], 8) == stat.S_IRUSR | stat.S_IWUSR


def test_metrics_are_where_the_operations_page_says(cluster: dict[str, Any]) -> None:
    commands = cluster["head_start_ray_commands"][-1], cluster["worker_start_ray_commands"][-1]
    assert all("--metrics-export-port=8080" in command for command in commands)


def test_every_flag_of_a_start_is_one_that_ray_has(cluster: dict[str, Any]) -> None:
    known = {name for option in start.params for name in option.opts}
    for command in cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]:
        used = set(re.findall(r"--[a-z-]+(?==|\s|$)", command.partition("ray start")[2]))
        assert used <= known
        assert used or "ray stop" in command


def test_every_installation_takes_the_pinned_versions(cluster: dict[str, Any]) -> None:
    commands = " ".join(cluster["setup_commands"] + cluster["head_setup_commands"])
    assert commands.count("pip install") == commands.count("-c constraints.txt") > 0


def test_mounted_files_exist(cluster: dict[str, Any]) -> None:
    for local in cluster["file_mounts"].values():
        assert local.startswith("~") or (REPO / local).is_file(), local


def test_operations_page_explains_every_value_to_be_replaced(cluster: dict[str, Any]) -> None:
    page = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
    assert placeholders(cluster["available_node_types"])
    for placeholder in placeholders(cluster):
        assert f"`{placeholder}`" in page
