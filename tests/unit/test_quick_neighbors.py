"""Neighbours among candidates: exact scores, everybody where everybody is a candidate, and never the user itself."""

from __future__ import annotations

import numpy as np
import pytest
from serving_world import AS_OF_US, HEAVY, World, make_world

from dynprof import quick_neighbors as module
from dynprof.decay import DECAY_KINDS, Decay, DecayKind
from dynprof.neighbors import NeighborIndex
from dynprof.quick_neighbors import QuickRanking, quick_neighbors
from dynprof.store import SnapshotStore
from dynprof.user_directory import UserDirectory


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("quick"))


@pytest.fixture(scope="module")
def store(world: World) -> SnapshotStore:
    return SnapshotStore(world.workspace)


@pytest.fixture(autouse=True)
def many_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a thousand users candidates would not be looked for."""
    monkeypatch.setattr(module, "_FEW_USERS", 0)


def ask(store: SnapshotStore, index: NeighborIndex, user_id: str, decay: Decay, k: int = 5) -> QuickRanking:
    profile = store.profile(user_id, decay, AS_OF_US).vector
    return quick_neighbors(index, store, user_id, decay, k, profile=profile, is_hidden=lambda u: u == "user-0")


@pytest.mark.parametrize("kind", DECAY_KINDS)
@pytest.mark.parametrize("user_id", ["a", HEAVY])
def test_where_all_are_candidates_they_are_the_nearest_of_all(
    store: SnapshotStore, kind: DecayKind, user_id: str
) -> None:
    decay, index = Decay(kind, "3d"), NeighborIndex(store)
    index.matrix(Decay("exponential", "30d"))
    quick = ask(store, index, user_id, decay)
    assert quick.n_candidates == sum(mass > 0 for mass in index.matrix(Decay("exponential", "30d")).mass) - 2
    exact = NeighborIndex(store).nearest(user_id, decay, 5, is_hidden=lambda u: u == "user-0")
    np.testing.assert_allclose(quick.ranking.scores, exact.scores, atol=1e-4)  # tables of built decays are fp16
    names = [store.user_id(number) for number in quick.ranking.rows.tolist()]
    assert user_id not in names and "user-0" not in names


def test_of_few_candidates_the_scores_are_still_those_at_the_decay(
    store: SnapshotStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LEAST_CANDIDATES", 1)
    decay, index = Decay("gaussian", "9d"), NeighborIndex(store)
    quick = ask(store, index, "a", decay, k=2)
    assert quick.n_candidates == 8 and len(quick.ranking.rows) == 2
    everybody = NeighborIndex(store).nearest("a", decay, 100)
    exact = dict(zip(everybody.rows.tolist(), everybody.scores.tolist(), strict=True))
    for number, score in zip(quick.ranking.rows.tolist(), quick.ranking.scores.tolist(), strict=True):
        assert score == pytest.approx(exact[number], abs=1e-6)


def test_a_matrix_in_memory_is_asked_itself_and_the_most_alike_one_is_the_anchor(store: SnapshotStore) -> None:
    index = NeighborIndex(store)
    assert index.anchor(Decay("exponential", "3d")) in store.spec.decays
    for half_life in ("2d", "400d"):
        index.matrix(Decay("exponential", half_life))
    assert index.anchor(Decay("exponential", "3d")) == Decay("exponential", "2d")
    assert index.anchor(Decay("gaussian", "300d")) == Decay("exponential", "400d")
    assert index.anchor(Decay("static")) in (Decay("exponential", "2d"), Decay("exponential", "400d"))
    assert ask(store, index, "a", Decay("exponential", "2d")).n_candidates is None


def test_several_profiles_at_once_are_those_of_one_after_the_other(store: SnapshotStore) -> None:
    decay, numbers = Decay("hyperbolic", "12d"), [7, 0, store.number(HEAVY), 3]
    read = store.profiles_of(numbers, decay, AS_OF_US)
    for i, number in enumerate(numbers):
        one = store.profile(store.user_id(number), decay, AS_OF_US)
        np.testing.assert_allclose(read.vectors[i], one.vector, atol=1e-6)
        assert read.mass[i] == pytest.approx(one.mass)


def test_the_directory_lists_everybody_by_number_with_their_events(world: World, store: SnapshotStore) -> None:
    directory = UserDirectory.of(store)
    assert directory.ids.to_pylist() == [store.user_id(number) for number in range(store.n_users)]
    heavy = store.number(HEAVY)
    assert directory.n_events[heavy] == 60 and directory.last_us[heavy] < AS_OF_US
    assert directory.search("HEAVY", 5).tolist() == [heavy]
    assert len(directory.search("", 1000)) == len(world.user_ids)
    assert directory.search("%", 9).tolist() and not len(directory.search("no such", 9))
