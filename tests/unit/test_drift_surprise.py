"""What is surprising: nothing while posts are drawn as before, much when several agree on something else."""

from __future__ import annotations

import numpy as np
import pytest

from dynprof.decay import Decay
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.surprise import cut_windows, own_z, robust_z, share_z, surprise, turn_z
from dynprof.drift.topics import TopicWindows, find_topics, sudden_topics
from dynprof.drift.trail import Trail, profiles_along
from dynprof.drift.users import sudden_windows
from dynprof.errors import ConfigError

DAY_US = 86_400 * 1_000_000
DIM = 24
AXES = np.eye(DIM)
DECAY = Decay("exponential", "30d")


def spec(**given: object) -> MonitorSpec:
    return MonitorSpec("s", "c", "f", 400 * DAY_US, {}, 0.1, (DECAY,), **given)  # type: ignore[arg-type]


def posts(topics: np.ndarray, rng: np.random.Generator, noise: float = 0.9) -> np.ndarray:
    raw = AXES[topics] + noise * rng.standard_normal((len(topics), DIM)) / np.sqrt(DIM)
    return (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32)


def user(seed: int, *, turn_day: int | None, days: int = 60, a_day: int = 10) -> Trail:
    """Two topics all the time; on one day a third."""
    rng = np.random.default_rng(seed)
    at_us = np.sort(rng.integers(0, days * DAY_US, days * a_day))
    topics = rng.integers(0, 2, len(at_us))
    if turn_day is not None:
        topics[at_us // DAY_US == turn_day] = 5
    return Trail(at_us, np.ones(len(at_us)), posts(topics, rng))


def test_the_surprise_of_posts_drawn_as_before_is_about_one_and_of_agreeing_ones_about_their_number() -> None:
    found: dict[str, list[float]] = {"calm": [], "turned": []}
    for seed in range(60):
        for name, turn_day in (("calm", None), ("turned", 50)):
            trail = user(seed, turn_day=turn_day)
            windows = cut_windows(trail.at_us, DAY_US)
            i = int(np.flatnonzero(windows.start_us == 50 * DAY_US)[0])
            where = slice(i, i + 1)
            before = profiles_along(
                trail, windows.first[where], windows.start_us[where], Decay("static"),
                prior=np.zeros(DIM, np.float32), prior_weight=0.0,
            )  # fmt: skip
            n = int(windows.counts[i])
            mean = trail.vectors[windows.first[i] :][:n].mean(axis=0, keepdims=True)
            found[name].append(float(surprise(before, mean, windows.counts[where])[0]) / (1 if name == "calm" else n))
    assert np.mean(found["calm"]) == pytest.approx(1, abs=0.15)
    assert np.mean(found["turned"]) > 0.5


def test_planted_turns_of_users_are_found_on_their_day_and_no_others() -> None:
    hits = false = judged = 0
    for seed in range(120):
        trail, day = user(seed, turn_day=45 if seed % 2 else None), 45 if seed % 2 else None
        days = {w.start_us // DAY_US for w in sudden_windows(trail, spec())}
        hits += day in days
        false += len(days - {day})
        judged += len(cut_windows(trail.at_us, DAY_US).start_us) - spec().history
    assert hits >= 52  # of 60
    assert judged > 5_000
    assert false <= 2 * judged / 2_700


def test_an_earlier_turn_does_not_hide_the_next() -> None:
    calm = np.random.default_rng(0).gamma(3, 1 / 3, 60)
    z = turn_z(np.concatenate([calm[:30], [12.0], calm[30:], [12.0]]), least=14)
    assert z[30] > 5 and z[-1] > 5


def test_the_posts_that_did_it_are_those_of_the_new_topic() -> None:
    trail = user(1, turn_day=45)
    (window,) = sudden_windows(trail, spec())
    assert (trail.at_us[window.posts] // DAY_US == 45).all()
    assert (np.diff(window.parts) <= 0).all() and window.parts[0] > 0


def test_a_user_with_one_event_or_few_windows_is_never_sudden() -> None:
    one = Trail(np.array([5]), np.ones(1), posts(np.array([0]), np.random.default_rng(0)))
    assert sudden_windows(one, spec()) == []
    assert sudden_windows(user(1, turn_day=7, days=8), spec()) == []


def test_own_z_knows_only_the_past() -> None:
    values = np.random.default_rng(0).normal(0, 1, 40)
    z = own_z(values, least=8)
    assert np.isnan(z[:8]).all() and np.isfinite(z[8:]).all()
    later = values.copy()
    later[30:] = 100
    assert np.array_equal(own_z(later, least=8)[:30], z[:30], equal_nan=True)


def test_the_z_of_a_turn_sees_through_the_scale_of_the_history() -> None:
    calm = np.random.default_rng(0).gamma(3, 1 / 3, 60)
    z = turn_z(np.append(calm, 12.0), least=14)
    assert z[-1] > 5 and np.nanmax(z[:-1]) < 5
    np.testing.assert_allclose(turn_z(8 * np.append(calm, 12.0), least=14)[-1], z[-1], rtol=0.01)


def test_robust_z_of_equal_values_is_zero_and_of_none_is_nan() -> None:
    assert robust_z(np.ones(4)).tolist() == [0, 0, 0, 0]
    assert np.isnan(robust_z(np.full(3, np.nan))).all()
    assert robust_z(np.array([1.0, 2.0, 3.0, 100.0]))[3] > 20


def test_a_topic_that_takes_a_third_of_a_day_is_sudden_and_a_busy_day_is_not() -> None:
    rng = np.random.default_rng(0)
    totals = rng.poisson(300, 60)
    totals[30] = 900
    counts = rng.binomial(totals, 0.04)
    counts[50] = totals[50] // 3
    z = share_z(counts, totals, least=8)
    assert z[50] > 6 and z[30] < 3
    assert np.nanmax(np.delete(z, 50)) < 6


def test_a_topic_whose_posts_turn_is_found_without_more_posts() -> None:
    rng, w = np.random.default_rng(0), 40
    counts = np.full((w, 1), 30)
    sums = np.stack([posts(np.full(30, 7 if i == 33 else 2), rng).sum(axis=0) for i in range(w)])[:, None, :]
    found = sudden_topics(TopicWindows(np.arange(w) * DAY_US, counts, sums), DECAY, DAY_US, history=8)
    assert np.nanargmax(found.turn_z) == 33 and found.turn_z[33, 0] > 6
    assert np.nanmax(np.delete(found.turn_z[:33, 0], np.arange(8))) < 6


def test_topics_are_unit_centres_and_no_more_than_distinct_posts() -> None:
    vectors = posts(np.repeat([0, 3], 40), np.random.default_rng(0), noise=0.1)
    centres = find_topics(vectors, 2, 0)
    assert sorted(np.argmax(centres, axis=1).tolist()) == [0, 3]
    np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, atol=1e-6)
    assert find_topics(np.repeat(vectors[:1], 9, axis=0), 5, 0).shape == (1, DIM)
    assert find_topics(np.zeros((0, DIM)), 5, 0).shape == (0, DIM)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alphas": (0.0,)}, "--alphas"),
        ({"replays": 2}, "--replays"),
        ({"test_share": 1.0}, "--test-share"),
        ({"short": "7d", "long": "7d"}, "--short and --long"),
        ({"window": "0s"}, "--window"),
        ({"max_tests": -1}, "max-events"),
    ],
)
def test_a_flag_that_means_nothing_says_which(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        spec(**given)
