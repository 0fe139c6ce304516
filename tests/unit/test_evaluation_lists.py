"""What hand-made lists are worth, and what the definitions say of drawn ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from dynprof.decay import Decay
from dynprof.evaluation import EventLog, TestEvents, Window
from dynprof.evaluation.item_counts import ItemCounts
from dynprof.evaluation.list_metrics import (
    calibration,
    coverage,
    diversity,
    gini,
    novelty,
    past_languages,
    popularity,
)

from .evaluation_data import ask, events_table, index, random_rows


def lists(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.int32)


def test_coverage_and_gini_of_hand_made_lists() -> None:
    even = lists([0, 1], [2, 3])
    assert coverage(even, 4) == 1 and gini(even, 4) == pytest.approx(0)
    one = lists([0, -1], [0, -1])
    assert coverage(one, 4) == 0.25 and gini(one, 4) == pytest.approx(0.75)
    # Listed 0, 1, 2 and 3 times: G = (2 (2x1 + 3x2 + 4x3) / (4 x 6)) - 5/4 = 5/12.
    uneven = lists([1, 2, 2], [3, 3, 3])
    assert gini(uneven, 4) == pytest.approx(5 / 12) and coverage(uneven, 4) == 0.75


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(10, 30))
def test_gini_is_the_mean_difference_of_all_pairs(listed: list[int], n_catalogue: int) -> None:
    times = np.bincount(listed, minlength=n_catalogue).astype(float)
    pairs = np.abs(times[:, None] - times).sum() / (2 * n_catalogue * times.sum())
    assert gini(lists(listed), n_catalogue) == pytest.approx(pairs)


def test_nothing_listed_has_no_gini_and_no_catalogue_no_coverage() -> None:
    assert np.isnan(gini(lists([-1, -1]), 5)) and coverage(lists([-1]), 5) == 0
    assert np.isnan(coverage(lists([-1]), 0))


@given(st.integers(0, 10**6))
def test_counts_before_a_time_are_those_of_counting(seed: int) -> None:
    log, _ = index(events_table(random_rows(seed, n=80)))
    generator = np.random.default_rng(seed)
    items, times = generator.integers(0, log.n_items, 50), generator.choice(log.event_us, 50)
    counts = ItemCounts(log)
    expected = [np.count_nonzero((log.items == i) & (log.event_us < t)) for i, t in zip(items, times, strict=True)]
    assert counts.before(items, times).tolist() == expected
    assert counts.all_before(times).tolist() == [np.count_nonzero(log.event_us < t) for t in times]


def test_popularity_and_novelty_count_what_was_before() -> None:
    rows = [("a", "u", 1, "p"), ("b", "v", 2, "p"), ("c", "w", 3, "q"), ("d", "w", 4, "r"), ("e", "x", 9, "q")]
    log, _ = index(events_table(rows))
    counts = ItemCounts(log)
    listed = lists([0, 1, -1], [0, 1, 2], [-1, -1, -1])
    at_us = np.array([5, 10, 5])
    assert popularity(listed, at_us, counts)[:2].tolist() == [1.5, pytest.approx(5 / 3)]
    assert novelty(listed, at_us, counts)[0] == pytest.approx((1 + 2) / 2)  # 2 and 1 of 4 events
    assert np.isnan(popularity(listed, at_us, counts)[2])


def test_diversity_of_equal_orthogonal_and_opposite_items() -> None:
    vectors = np.array([[[1, 0], [1, 0]], [[1, 0], [0, 1]], [[1, 0], [-1, 0]], [[1, 0], [0, 0]]], np.float16)
    listed = np.array([[True, True], [True, True], [True, True], [True, False]])
    found = diversity(vectors, listed)
    assert found[:3].tolist() == [0, 1, 2] and np.isnan(found[3])


@given(st.integers(0, 10**6), st.integers(2, 6))
def test_diversity_is_the_mean_over_pairs(seed: int, k: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((3, k, 8))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    half = vectors.astype(np.float16)
    exact = half.astype(np.float64)
    pairs = [(a, b) for a in range(k) for b in range(a)]
    expected = [np.mean([1 - exact[n, a] @ exact[n, b] for a, b in pairs]) for n in range(3)]
    np.testing.assert_allclose(diversity(half, np.ones((3, k), np.bool_)), expected, atol=1e-12)


def test_calibration_is_0_for_the_users_own_mixture_and_1_for_another_language() -> None:
    languages = np.array([0, 0, 1, 1, -1], np.int16)
    listed = lists([0, 2, 4], [0, 1, -1], [2, 3, -1], [4, -1, -1])
    past = np.array([[5, 5], [7, 0], [7, 0], [7, 0]])
    found = calibration(listed, past, languages)
    assert found[:3].tolist() == pytest.approx([0, 0, 1]) and np.isnan(found[3])
    assert np.isnan(calibration(listed, np.zeros_like(past), languages)).all()


@given(st.lists(st.integers(0, 3), min_size=1, max_size=10), st.lists(st.integers(0, 9), min_size=4, max_size=4))
def test_calibration_agrees_with_scipy(listed: list[int], past: list[int]) -> None:
    if not sum(past):
        past[0] = 1
    languages = np.arange(4, dtype=np.int16)
    found = calibration(lists(listed), np.array([past]), languages)[0]
    oracle = jensenshannon(np.bincount(listed, minlength=4), past, base=2) ** 2
    assert found == pytest.approx(oracle, abs=1e-9)


def test_the_languages_of_a_past_are_those_of_the_events_strictly_before() -> None:
    asked = ask(events_table(random_rows(4)), Window(0, 10**18), (Decay("static"),))
    log, tests = asked.log, asked.tests
    languages = (np.arange(log.n_items) % 3 - 1).astype(np.int16)
    expected = past_by_hand(log, tests, languages)
    assert past_languages(log, tests, languages, 2).tolist() == expected


def past_by_hand(log: EventLog, tests: TestEvents, languages: np.ndarray) -> list[list[int]]:
    found = []
    for user, at_us in zip(tests.users, tests.event_us, strict=True):
        spoken = languages[log.items[(log.users == user) & (log.event_us < at_us)]]
        found.append([int((spoken == language).sum()) for language in (0, 1)])
    return found
