"""Who met which item, as sparse matrices: of a log to fit on, and of the past of test events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["blocks", "fit_matrix", "latest_of_each", "past_matrix"]

_US = 1e6
_NUMBERS_AT_ONCE = 1 << 23
"""Of dense scores or sparse entries: 64 MiB as float64."""


def blocks(n: int, numbers_each: int) -> Iterator[slice]:
    """Consecutive rows whose `numbers_each` together stay within some ten megabytes; at least one row each."""
    size = max(1, _NUMBERS_AT_ONCE // max(1, numbers_each))
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def fit_matrix(log: EventLog) -> sparse.csr_matrix:
    """(n_users, n_items) float64: sum of the weights of a user's events with an item, of positive weight only.

    Rows are users by their numbers up to the greatest that has an event; users without a positive event have no entry.
    """
    good = log.weights > 0
    shape = (int(log.users.max(initial=-1)) + 1, log.n_items)
    matrix = sparse.csr_matrix((log.weights[good], (log.users[good], log.items[good])), shape=shape)
    matrix.sum_duplicates()
    return matrix


def past_matrix(
    log: EventLog, tests: TestEvents, n_items: int, *, half_life_s: float | None = None, counted: bool = False
) -> sparse.csr_matrix:
    """(n_tests, n_items) float64: what the user of each test had before it, among items 0 to n_items - 1.

    Events of positive weight only. A row depends on no other.

    Args:
        log: The log that the tests are of.
        tests: (n,) test events.
        n_items: Items from this number on are left out: the fit does not know them.
        half_life_s: None: an entry is 1. Else 2^(-age / half-life) of the user's latest event with the item.
        counted: True: an entry is the sum of the weights of the events with the item instead of 1 or its decay.
    """
    lengths = tests.n_history
    row = np.repeat(np.arange(len(tests)), lengths)
    position = np.arange(lengths.sum()) + np.repeat(tests.history_start - (np.cumsum(lengths) - lengths), lengths)
    good = (log.weights[position] > 0) & (log.items[position] < n_items)
    row, position = row[good], position[good]
    shape = (len(tests), n_items)
    if counted:
        matrix = sparse.csr_matrix((log.weights[position], (row, log.items[position])), shape=shape)
        matrix.sum_duplicates()
        return matrix
    latest = _last_of_each(row * np.int64(max(1, n_items)) + log.items[position])
    row, position = row[latest], position[latest]
    values = _decayed((tests.event_us[row] - log.event_us[position]) / _US, half_life_s)
    return sparse.csr_matrix((values, (row, log.items[position])), shape=shape)


def latest_of_each(log: EventLog, tests: TestEvents, row: int, most: int) -> npt.NDArray[np.int64]:
    """Positions of the user's latest positive event with each of the `most` items met last, newest first."""
    positions = np.arange(tests.history_start[row], tests.history_stop[row])
    positions = positions[log.weights[positions] > 0][::-1]
    first = np.unique(log.items[positions], return_index=True)[1]
    return positions[np.sort(first)[:most]]


def _last_of_each(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """Place of the last occurrence of each key: within a history time rises."""
    return np.asarray(len(keys) - 1 - np.unique(keys[::-1], return_index=True)[1])


def _decayed(age_s: npt.NDArray[np.float64], half_life_s: float | None) -> npt.NDArray[np.float64]:
    return np.ones(len(age_s)) if half_life_s is None else np.exp2(-age_s / half_life_s)
