"""Means, paired differences, corrected p and effects of known values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.evaluation.bootstrap import UserDraws, two_sided_p
from dynprof.evaluation.comparison import NO_REFERENCE, Compared, compare
from dynprof.evaluation.holm import holm

NONE = NO_REFERENCE
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(np.array)


def compared(values: np.ndarray, users: np.ndarray, references: list[int], n_draws: int = 400) -> Compared:
    return compare(values, users, np.array(references), draws=UserDraws(users, n_draws=n_draws))


@given(P_VALUES)
def test_corrected_p_values_are_no_smaller_keep_their_order_and_end_at_one(p: np.ndarray) -> None:
    corrected = holm(p)
    assert (corrected >= p).all() and (corrected <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(corrected[order]) >= 0).all()
    assert corrected[order[0]] == min(1, len(p) * p[order[0]])


@given(P_VALUES, st.floats(0, 1))
def test_one_method_more_lowers_no_corrected_p(p: np.ndarray, more: float) -> None:
    assert (holm(np.append(p, more))[: len(p)] >= holm(p) - 1e-15).all()


def test_holm_of_a_textbook_case() -> None:
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_values_and_differences_are_means_over_events() -> None:
    values = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0], [0.0, 1.0]])
    found = compared(values, np.arange(4), [NONE, 0])
    assert found.value.tolist() == [0.25, 0.75]
    assert np.isnan(found.difference[0]) and found.difference[1] == 0.5
    assert found.relative[1] == pytest.approx(2.0)


def test_a_clear_difference_has_an_interval_above_zero_and_no_difference_one_around_it() -> None:
    generator = np.random.default_rng(0)
    users = generator.integers(0, 40, 300)
    base = generator.random(300)
    noise = generator.normal(0, 0.1, (300, 2))
    noise -= noise.mean(axis=0)
    values = np.column_stack([base, base + 0.2 + noise[:, 0], base + noise[:, 1]])
    found = compared(values, users, [NONE, 0, 0])
    assert found.difference_low[1] > 0 and found.p_holm[1] < 0.05 and found.effect[1] > 1
    assert found.difference_low[2] < 0 < found.difference_high[2] and found.p[2] > 0.05
    assert (found.low < found.value).all() and (found.value < found.high).all()
    assert (found.p_holm[1:] >= found.p[1:]).all()


def test_few_users_give_means_and_nothing_else() -> None:
    values = np.random.default_rng(0).random((50, 2))
    found = compared(values, np.arange(50) % 9, [NONE, 0])
    assert not np.isnan(found.value).any() and not np.isnan(found.difference[1])
    for name in ("low", "high", "difference_low", "difference_high", "p", "p_holm", "effect"):
        assert np.isnan(getattr(found, name)).all()


def test_an_event_without_a_value_is_left_out_of_that_method_and_of_its_pairs() -> None:
    values = np.array([[1.0, np.nan], [0.0, 1.0], [np.nan, 5.0]])
    found = compare(values, np.arange(3), np.array([NONE, 0]), draws=None)
    assert found.value.tolist() == [0.5, 3.0]
    assert found.difference[1] == 1.0
    nothing = compared(np.full((20, 2), np.nan), np.arange(20), [NONE, 0])
    assert np.isnan(nothing.value).all() and np.isnan(nothing.p).all()


def test_a_reference_of_zero_has_no_relative_lift() -> None:
    found = compare(np.array([[0.0, 1.0]]), np.zeros(1, int), np.array([NONE, 0]), draws=None)
    assert np.isnan(found.relative).all()


def test_p_is_small_where_all_replicates_agree_and_one_where_they_are_all_zero() -> None:
    replicates = np.column_stack([np.full(999, 0.3), np.zeros(999), np.linspace(-1, 1, 999)])
    p = two_sided_p(replicates)
    assert p[0] == pytest.approx(2 / 1000) and p[1] == 1 and p[2] > 0.9


def test_a_method_that_equals_its_reference_differs_by_nothing() -> None:
    values = np.random.default_rng(0).random((60, 1)).repeat(2, axis=1)
    found = compared(values, np.arange(60) // 3, [NONE, 0])
    assert (found.difference[1], found.difference_low[1], found.difference_high[1]) == (0, 0, 0)
    assert found.p[1] == found.p_holm[1] == 1 and np.isnan(found.effect[1])
