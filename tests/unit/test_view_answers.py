"""The answer to the page about one user holds together, whatever comes in while it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from serving_world import HEAVY, World, make_world

from dynprof.history import History
from dynprof.snapshot_users import SnapshotUsers
from serve.engine import Engine
from serve.view_answers import view_answer
from serve.view_parameters import ViewQuery


class Arriving(SnapshotUsers):
    """Every reading of a history finds one event more than the one before, as when vectors of live events come in."""

    n_readings = 0

    def history(self, user_id: str) -> History:
        self.n_readings += 1
        return super().history(user_id).take(np.arange(10 + self.n_readings))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("view"))


@pytest.mark.parametrize("without", [[], ["heavy-3", "heavy-10"]])
def test_an_event_that_arrives_while_a_view_is_made_is_in_all_of_the_answer_or_in_none(
    world: World, without: Sequence[str]
) -> None:
    engine = Engine.open(world.workspace, neighbor_cache_bytes=0)
    engine = replace(engine, users=Arriving(engine.store))
    answer = view_answer(engine, HEAVY, ViewQuery.model_validate({"without": without, "explain": True}))
    assert answer.without == list(without)
    assert sum(group.n_events for group in answer.interests) == 11 - len(without)
