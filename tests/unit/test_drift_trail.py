"""Profiles along a trail are those of the exact path; schedules, maturity and steps keep their laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.decay import PROFILE_KINDS, Decay
from dynprof.drift.evolution import evolve, maturity, resultant_lengths
from dynprof.drift.replays import reordered, replay_pairs
from dynprof.drift.schedules import REAL_TIME, SCHEDULES
from dynprof.drift.trail import Trail, distances, profiles_along
from dynprof.profile import exact_profiles

DAY_US = 86_400 * 1_000_000
DIM = 8


def make_trail(seed: int, n: int, *, days: int = 40, ties: bool = True) -> Trail:
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((n, DIM))
    at_us = np.sort(rng.integers(0, days * (24 if ties else 86_400), n)) * (3_600_000_000 if ties else 1_000_000)
    return Trail(at_us, rng.normal(1, 0.7, n), (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32))


def exact(trail: Trail, count: int, as_of_us: int, decay: Decay, prior: np.ndarray, kappa: float) -> np.ndarray:
    rows = np.arange(count)
    return exact_profiles(
        np.zeros(count, np.int64), rows, trail.at_us[:count], trail.weights[:count], trail.vectors, decay,
        n_users=1, as_of_us=as_of_us, prior=prior, prior_weight=kappa,
    ).vectors[0]  # fmt: skip


@pytest.mark.parametrize("kind", PROFILE_KINDS)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 600), kappa=st.sampled_from([0.0, 0.1, 2.0]))
def test_a_profile_along_the_trail_is_the_exact_one(kind: str, seed: int, n: int, kappa: float) -> None:
    trail, prior = make_trail(seed, n), np.full(DIM, 0.2, np.float32)
    decay = Decay(kind, "3d")
    counts = np.sort(np.random.default_rng(seed).integers(0, n + 1, 9))
    as_of_us = trail.at_us[np.maximum(counts - 1, 0)] + np.random.default_rng(seed).integers(1, DAY_US, 9)
    found = profiles_along(trail, counts, as_of_us, decay, prior=prior, prior_weight=kappa)
    for i, (count, when) in enumerate(zip(counts.tolist(), as_of_us.tolist(), strict=True)):
        np.testing.assert_allclose(found.vectors[i], exact(trail, count, when, decay, prior, kappa), atol=3e-6)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 80))
def test_what_stands_before_an_interaction_knows_nothing_of_it_and_nothing_later(seed: int, n: int) -> None:
    trail = make_trail(seed, n)
    for schedule in SCHEDULES:
        moments = schedule.before(trail)
        counts, as_of_us = moments.counts[moments.row], moments.as_of_us[moments.row]
        assert (as_of_us <= trail.at_us).all()
        for i in range(n):
            assert (trail.at_us[: counts[i]] < as_of_us[i]).all() and (trail.at_us[counts[i] :] >= as_of_us[i]).all()
        if schedule.period_us:
            assert (as_of_us % schedule.period_us == 0).all() and (trail.at_us - as_of_us < schedule.period_us).all()


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 60))
def test_later_interactions_change_no_earlier_embedding_but_the_distance_to_the_last(seed: int, n: int) -> None:
    trail, prior = make_trail(seed, n + 5), np.zeros(DIM, np.float32)
    short = Trail(trail.at_us[:n], trail.weights[:n], trail.vectors[:n])
    ours, theirs = (evolve(t, Decay("exponential", "5d"), prior=prior, prior_weight=0.0) for t in (short, trail))
    for schedule in SCHEDULES:
        name = schedule.name
        for field in ("norms", "steps", "stale"):
            a, b = getattr(ours[name], field), getattr(theirs[name], field)[:n]
            np.testing.assert_allclose(a, b, atol=1e-6)


def test_real_time_is_never_stale_and_slower_updates_are_staler_on_average() -> None:
    trail = make_trail(3, 400, ties=False)
    found = evolve(trail, Decay("exponential", "2d"), prior=np.zeros(DIM, np.float32), prior_weight=0.0)
    means = [found[s.name].stale[1:].mean() for s in SCHEDULES]
    assert means[0] == 0
    assert means == sorted(means) and means[-1] > 2 * means[1]


@given(
    away=st.lists(st.floats(0, 2), min_size=1, max_size=40),
    alphas=st.lists(st.floats(0.001, 2), min_size=1, max_size=5),
)
def test_maturity_is_the_first_interaction_after_which_nothing_is_further_than_alpha(
    away: list[float], alphas: list[float]
) -> None:
    values = np.array([*away, 0.0])
    for alpha, found in zip(alphas, maturity(values, np.array(alphas)).tolist(), strict=True):
        assert (values[found - 1 :] < alpha).all()
        assert found == 1 or values[found - 2] >= alpha


def test_an_entity_that_no_update_reaches_counts_all_its_interactions() -> None:
    assert maturity(np.array([1.0, 0.9, 0.9]), np.array([0.1])).tolist() == [3]


def test_a_user_who_says_one_thing_is_mature_at_once_and_one_who_changes_only_after_the_change() -> None:
    topics, at_us = np.eye(DIM, dtype=np.float32), np.arange(60) * DAY_US
    same = Trail(at_us, np.ones(60), np.repeat(topics[:1], 60, axis=0))
    turned = Trail(at_us, np.ones(60), np.repeat(topics[:2], 30, axis=0))
    prior, decay = np.zeros(DIM, np.float32), Decay("exponential", "3d")
    alphas = np.array([0.1])
    read = {name: evolve(t, decay, prior=prior, prior_weight=0.0) for name, t in (("same", same), ("turned", turned))}
    assert maturity(read["same"]["interaction"].away, alphas).tolist() == [1]
    assert maturity(read["same"]["week"].away, alphas)[0] > 1
    # Cosine with the new topic passes 0.9 when old / new weight falls below 0.48, 1.62 half-lives after the change.
    assert 30 + 4 <= maturity(read["turned"]["interaction"].away, alphas)[0] <= 30 + 6
    assert np.nanargmax(read["turned"]["interaction"].steps) in range(30, 35)


@given(seed=st.integers(0, 2**32), n=st.integers(1, 50))
def test_resultant_length_is_that_of_the_mean(seed: int, n: int) -> None:
    vectors = make_trail(seed, n).vectors
    expected = [np.linalg.norm(vectors[: i + 1].mean(axis=0)) for i in range(n)]
    np.testing.assert_allclose(resultant_lengths(vectors), expected, atol=1e-6)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), n=st.integers(1, 200))
def test_a_replay_moves_only_the_stretch_and_keeps_blocks_in_order(seed: int, n: int) -> None:
    at_us = make_trail(seed, n).at_us
    stretch = (10 * DAY_US, 30 * DAY_US)
    order = reordered(at_us, stretch, DAY_US, np.random.default_rng(seed))
    inside = (at_us >= stretch[0]) & (at_us < stretch[1])
    assert np.array_equal(np.sort(order), np.arange(n))
    assert np.array_equal(order[~inside], np.flatnonzero(~inside))
    for block in np.unique(at_us[inside] // DAY_US):
        where = np.flatnonzero(np.isin(order, np.flatnonzero(inside & (at_us // DAY_US == block))))
        assert np.array_equal(where, np.arange(where[0], where[-1] + 1))
        assert (np.diff(order[where]) == 1).all()


def test_a_replay_is_the_exact_profile_of_the_reordered_log() -> None:
    trail, decay = make_trail(5, 90), Decay("gaussian", "9d")
    priors = np.stack([np.full(DIM, 0.1, np.float32), np.full(DIM, -0.2, np.float32)])
    times, stretch = (25 * DAY_US, 41 * DAY_US), (0, 41 * DAY_US)
    given_ = {"prior": priors, "prior_weight": 0.3, "stretch": stretch, "block_us": DAY_US, "n_replays": 3}
    pairs = replay_pairs(trail, times, decay, seed=(7,), **given_)
    rng = np.random.default_rng((7,))
    for replay in pairs:
        order = reordered(trail.at_us, stretch, DAY_US, rng)
        moved = Trail(trail.at_us, trail.weights, trail.vectors[order])
        for side, when in enumerate(times):
            count = int(moved.before(np.array([when]))[0])
            np.testing.assert_allclose(replay[side], exact(moved, count, when, decay, priors[side], 0.3), atol=2e-6)


def test_a_zero_vector_is_at_distance_one() -> None:
    assert distances(np.zeros((1, 3)), np.ones((1, 3))).tolist() == [1.0]
    assert REAL_TIME.period_us is None
