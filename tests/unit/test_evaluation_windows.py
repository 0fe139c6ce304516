"""Windows cut the end of the log, keep equal times together, and can be seen once."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.errors import ConfigError
from dynprof.evaluation import EventLog, last_window
from dynprof.evaluation.windows import cut_periods

from .evaluation_data import events_table, index


def log_of(times: list[int]) -> EventLog:
    return index(events_table([(f"e{i}", "u", t, f"t{i}") for i, t in enumerate(times)]))[0]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=80), st.floats(0.05, 0.95), st.integers(1, 5))
def test_periods_follow_each_other_hold_at_most_their_share_and_tear_no_time_apart(
    times: list[int], share: float, n_windows: int
) -> None:
    log = log_of(times)
    periods = cut_periods(log, share, n_windows)
    windows = (periods.validation, *periods.tests.open(None))
    assert all(a.stop_us == b.start_us for a, b in pairwise(windows))
    assert all(w.start_us <= w.stop_us for w in windows)
    assert windows[-1].stop_us == max(times) + 1
    inside = [sum(w.start_us <= t < w.stop_us for t in times) for w in windows]
    if windows[-1].start_us < max(times):
        assert sum(inside[1:]) <= share * len(times) + 1e-9
    early = [time for time in times if time < windows[0].stop_us]
    if inside[0] > sum(inside[1:]):  # only where less would be nothing
        assert windows[0].start_us == max(early)


@given(st.lists(st.integers(0, 40), max_size=60), st.floats(0.05, 0.95))
def test_one_window_is_the_last_window(times: list[int], share: float) -> None:
    log = log_of(times)
    assert cut_periods(log, share, 1).tests.open(None) == (last_window(log, share),)


def test_distinct_times_are_cut_into_equal_numbers() -> None:
    periods = cut_periods(log_of(list(range(1000))), 0.3, 3)
    validation, windows = periods.validation, periods.tests.open(None)
    assert [w.stop_us - w.start_us for w in windows] == [100, 100, 100]
    assert (validation.start_us, validation.stop_us) == (400, 700)


def test_what_is_handed_to_tuning_ends_with_the_validation_window() -> None:
    log = log_of(list(range(100)))
    periods = cut_periods(log, 0.3, 3)
    known = periods.for_tuning(log)
    assert known.event_us.max() == periods.validation.stop_us - 1 == periods.tests.start_us - 1
    assert known.first_us.max() < periods.tests.start_us


def test_test_windows_open_once() -> None:
    tests = cut_periods(log_of(list(range(100))), 0.3, 3).tests
    assert len(tests.open("exponential 1d")) == 3
    with pytest.raises(ConfigError, match=r"opened once.*'exponential 1d'"):
        tests.open("exponential 7d")


def test_all_times_equal_leave_one_window_with_all() -> None:
    periods = cut_periods(log_of([7] * 9), 0.3, 3)
    assert [(w.start_us, w.stop_us) for w in periods.tests.open(None)] == [(7, 7), (7, 7), (7, 8)]
    assert (periods.validation.start_us, periods.validation.stop_us) == (7, 7)


def test_a_log_of_nothing_has_empty_periods() -> None:
    periods = cut_periods(log_of([]), 0.3, 2)
    assert {w.stop_us for w in (periods.validation, *periods.tests.open(None))} == {0}


@pytest.mark.parametrize(("share", "n_windows"), [(0, 1), (1, 1), (np.nan, 1), (0.2, 0), (0.2, -1)])
def test_a_cut_that_means_nothing_is_refused(share: float, n_windows: int) -> None:
    with pytest.raises(ConfigError):
        cut_periods(log_of([1, 2]), share, n_windows)
