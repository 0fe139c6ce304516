"""SIGKILL to a worker, an encoding actor, a whole node and the driver, while they work: nothing changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from finished_run import assert_same

from benchmarks.faults import Kill, disturb, flags, tables_of
from benchmarks.raylets import Raylets
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world
from jobs import pipeline

KILLS = [
    Kill("worker", "ingest", 1),
    Kill("actor", "encode", 2),
    Kill("node", "encode", 6),
    Kill("driver", "encode", 12),
]


@pytest.mark.usefixtures("ray_session")
def test_kills_change_no_profile_and_no_text_of_a_finished_shard_is_encoded_again(tmp_path: Path) -> None:
    world, whole = tmp_path / "world", Workspace(tmp_path / "whole")
    write_world(WorldSpec(n_users=40, n_events=1_500, seed=5), Workspace(world))
    undisturbed = pipeline.main(flags(world, whole))
    with Raylets([{}] * 3) as cluster:
        found = disturb(cluster, world, Workspace(tmp_path / "killed"), KILLS)
    assert found.kills == {kill.kind: 1 for kill in KILLS}, "every kill fell while work was under way"
    assert found.drivers == 2
    assert found.snapshot == undisturbed["snapshot"]
    assert_same(found.tables, tables_of(whole, found.snapshot))
    assert found.n_encoded == undisturbed["encoded_now"] == undisturbed["distinct_texts"] > 200
