"""What encoding actors ask of a cluster: never what would leave no core for the tasks that feed them."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import actors

HEAD = {"NodeID": "head", "Alive": True, "Resources": {"memory": 1e9}}


def nodes(*n_cpus: int, n_gpus: int = 0) -> list[dict[str, Any]]:
    found = enumerate(n_cpus)
    return [{"NodeID": f"n{i}", "Alive": True, "Resources": {"CPU": float(n), "GPU": n_gpus}} for i, n in found]


@pytest.mark.parametrize(
    ("cluster", "plan"),
    [
        (nodes(2), (2, {"num_cpus": 0.5}, 1)),
        (nodes(8, 8), (16, {"num_cpus": 0.5}, 1)),
        (nodes(1), (1, {"num_cpus": 0}, 1)),
        ([HEAD, *nodes(1, 1)], (2, {"num_cpus": 0, "label_selector": {"ray.io/node-id": "!in(head)"}}, 1)),
        ([HEAD, *nodes(4)], (4, {"num_cpus": 0.5}, 1)),
        ([HEAD, *nodes(16, n_gpus=1)], (1, {"num_gpus": 1}, 16)),
    ],
)
def test_actors_leave_cores_to_the_tasks_and_the_head_alone(
    monkeypatch: pytest.MonkeyPatch, cluster: list[dict[str, Any]], plan: tuple[int, dict[str, Any], int]
) -> None:
    monkeypatch.setattr(actors.ray, "nodes", lambda: cluster)
    assert actors.actor_plan("auto", 0, 100) == plan


def test_one_actor_of_a_node_uses_all_its_cores_and_reserves_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actors.ray, "nodes", lambda: nodes(4))
    assert actors.actor_plan("cpu", 0, 1) == (1, {"num_cpus": 2.0}, 4)
