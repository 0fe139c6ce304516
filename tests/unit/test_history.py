"""Histories read from the corpus are the ones that the snapshot was built from."""

from __future__ import annotations

import numpy as np
import pytest
from serving_world import AS_OF_US, BIO_ONLY, HEAVY, ODD_IDS, SILENT, WORDLESS, World, make_world

from dynprof.decay import PROFILE_KINDS, Decay, DecayKind
from dynprof.history import HistoryReader
from dynprof.snapshot_users import SnapshotUsers
from dynprof.store import SnapshotStore
from dynprof.timeline import profile_path

DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("history"))


@pytest.fixture(scope="module")
def users(world: World) -> SnapshotUsers:
    return SnapshotUsers(SnapshotStore(world.workspace))


@pytest.mark.parametrize("kind", PROFILE_KINDS)
def test_the_profile_of_a_history_is_the_exact_one_and_within_the_bound_of_the_state(
    world: World, users: SnapshotUsers, kind: DecayKind
) -> None:
    decay = Decay(kind, "9d")
    for user_id in world.user_ids:
        user = users.user(user_id)
        read = users.history(user_id).profile(
            decay, AS_OF_US, prior=user.prior, prior_kind=user.prior_kind, prior_weight=user.prior_weight
        )
        state, exact = user.profile(decay, AS_OF_US), world.exact(user_id, decay, AS_OF_US)
        np.testing.assert_allclose(read.vector, exact.vectors[0], atol=2e-6)
        assert np.linalg.norm(read.vector - state.vector) <= state.error_bound + 5e-6
        assert (read.n_events, read.first_us, read.last_us) == (state.n_events, state.first_us, state.last_us)


def test_times_and_weights_are_those_of_the_history_and_of_a_light_state(world: World, users: SnapshotUsers) -> None:
    for user_id in world.user_ids:
        times, history, user = users.times(user_id), users.history(user_id), users.user(user_id)
        assert times.at_us.tolist() == history.at_us.tolist() == sorted(history.at_us.tolist())
        assert times.weights.tolist() == history.weights.tolist()
        if not user.is_heavy:
            assert sorted(user.states.events.at_us.tolist()) == times.at_us.tolist()


def test_a_history_shows_what_the_user_did_and_a_vector_a_distinct_text(world: World, users: SnapshotUsers) -> None:
    history = users.history(HEAVY)
    texts = history.events["text"].to_pylist()
    assert len(history.vectors) == len(set(texts)) == 20 < len(history)
    assert history.events["event_id"].to_pylist()[:2] == ["heavy-0", "heavy-1"]
    rows: dict[str, set[int]] = {}
    for text, row in zip(texts, history.rows.tolist(), strict=True):
        rows.setdefault(text, set()).add(row)
    assert all(len(found) == 1 for found in rows.values())
    assert (history.at_us < world.spec.as_of_us).all()


@pytest.mark.parametrize("user_id", [BIO_ONLY, SILENT, WORDLESS, "nobody", "\ud800"])
def test_who_has_no_events_has_an_empty_history(users: SnapshotUsers, user_id: str) -> None:
    assert len(users.history(user_id)) == len(users.times(user_id).at_us) == 0
    assert users.seen(user_id, AS_OF_US).shape == (0, 2)


@pytest.mark.parametrize("user_id", [HEAVY, *ODD_IDS[:3], BIO_ONLY])
@pytest.mark.parametrize("kind", ["exponential", "gaussian", "static"])
def test_every_point_of_a_timeline_is_the_exact_profile_then(
    world: World, users: SnapshotUsers, user_id: str, kind: DecayKind
) -> None:
    decay, user = Decay(kind, "11d"), users.user(user_id)
    times_us = np.arange(AS_OF_US - 140 * DAY_US, AS_OF_US + DAY_US, 20 * DAY_US)
    history = users.history(user_id)
    path = profile_path(history, decay, times_us, prior=user.prior, prior_weight=user.prior_weight)
    for number, at_us in enumerate(times_us.tolist()):
        exact = world.exact(user_id, decay, at_us)
        np.testing.assert_allclose(path.profiles.vectors[number], exact.vectors[0], atol=2e-6)
        assert path.profiles.mass[number] == pytest.approx(exact.mass[0])
        assert path.n_events[number] == int((history.at_us < at_us).sum())


def test_steps_and_drifts_are_turns_and_a_profile_that_stands_still_takes_none(users: SnapshotUsers) -> None:
    user, history = users.user(HEAVY), users.history(HEAVY)
    first = int(history.at_us[0])
    times_us = np.array([first + DAY_US, first + 30 * DAY_US, AS_OF_US, AS_OF_US + DAY_US])
    path = profile_path(history, Decay("static"), times_us, prior=user.prior, prior_weight=user.prior_weight)
    vectors = path.profiles.vectors.astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1)
    turns = 1 - (vectors[1:] * vectors[:-1]).sum(1) / (norms[1:] * norms[:-1])
    assert np.isnan(path.steps[0]) and path.drifts[0] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(path.steps[1:], turns, atol=1e-9)
    assert path.steps[1] > 1e-3 and path.steps[3] == pytest.approx(0, abs=1e-9)


def test_times_are_kept_and_histories_of_those_asked_for_last(world: World) -> None:
    reader = HistoryReader(SnapshotStore(world.workspace), n_read=1)
    assert reader.times(HEAVY) is reader.times(HEAVY)
    first = reader.read(HEAVY)
    assert reader.read(HEAVY) is first
    assert len(reader.read("a")) and reader.read(HEAVY) is not first
