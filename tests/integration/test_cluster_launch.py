"""What Ray's AWS launcher would make of cluster.yaml, run against a simulated account. No instance is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.util import prepare_config

TEXT = (Path(__file__).parents[2] / "cluster.yaml").read_text(encoding="utf-8")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """An empty account's EC2, and a home of its own: the launcher writes a key to ~/.ssh."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-west-2")
    monkeypatch.setenv("HOME", str(tmp_path))
    with mock_aws():
        yield boto3.client("ec2", region_name="us-west-2")


def launch(text: str) -> dict[str, Any]:
    """The configuration as `ray up` would use it, after it made what it makes in the account."""
    return dict(bootstrap_aws(prepare_config(yaml.safe_load(text))))


def closed_group(account: Any) -> str:
    vpc = account.describe_vpcs()["Vpcs"][0]["VpcId"]
    return str(account.create_security_group(GroupName="dynprof", Description="nodes", VpcId=vpc)["GroupId"])


def ranges_let_in(account: Any) -> set[str]:
    groups = account.describe_security_groups()["SecurityGroups"]
    rules = [rule for group in groups for rule in group["IpPermissions"]]
    return {r["CidrIp"] for rule in rules for r in rule["IpRanges"]} | {
        r["CidrIpv6"] for rule in rules for r in rule["Ipv6Ranges"]
    }


def test_the_launcher_refuses_while_the_security_group_is_not_filled_in(account: Any) -> None:
    with pytest.raises((AssertionError, SystemExit)):
        launch(TEXT)
    assert ranges_let_in(account) == set()


def test_the_launcher_opens_nothing_to_the_world_and_grants_nothing(account: Any) -> None:
    group = closed_group(account)
    node_types = launch(TEXT.replace("SECURITY_GROUP_ID", group))["available_node_types"]
    assert all(node_type["node_config"]["SecurityGroupIds"] == [group] for node_type in node_types.values())
    assert ranges_let_in(account) == set()
    assert boto3.client("iam").list_roles()["Roles"] == []


def test_without_our_group_the_launcher_would_open_ssh_to_the_world(account: Any) -> None:
    launch("\n".join(line for line in TEXT.splitlines() if "SecurityGroupIds" not in line))
    assert ranges_let_in(account) == {"0.0.0.0/0"}
