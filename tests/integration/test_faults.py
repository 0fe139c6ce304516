"""SIGKILL to a worker, an encoding actor, a whole node and the driver, while they work: nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from finished_run import assert_same

from benchmarks.faults import Disturbed, Kill, disturb
from benchmarks.raylets import Raylets
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world


@pytest.fixture(scope="module")
def cluster() -> Iterator[Raylets]:
    with Raylets([{}] * 3) as made:
        yield made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(WorldSpec(n_users=40, n_events=1_500, seed=5), Workspace(folder))
    return folder


@pytest.fixture(scope="module")
def undisturbed(cluster: Raylets, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Disturbed:
    return disturb(cluster, world, Workspace(tmp_path_factory.mktemp("undisturbed")), [])


@pytest.mark.parametrize(
    "kills",
    [
        [Kill("worker", "ingest", 1), Kill("actor", "encode", 3)],
        [Kill("node", "encode", 3)],
        [Kill("driver", "encode", 3)],
    ],
    ids=["a worker and an actor", "a node", "the driver"],
)
def test_a_kill_changes_no_profile_and_no_text_of_a_finished_shard_is_encoded_again(
    cluster: Raylets, world: Path, undisturbed: Disturbed, tmp_path: Path, kills: list[Kill]
) -> None:
    found = disturb(cluster, world, Workspace(tmp_path / "ws"), kills)
    assert found.kills == {kill.kind: 1 for kill in kills}, "every kill fell while work was under way"
    assert found.snapshot == undisturbed.snapshot
    assert_same(found.tables, undisturbed.tables)
    assert found.n_encoded == undisturbed.n_encoded > 200
    assert found.drivers == 1 + sum(kill.kind == "driver" for kill in kills)
