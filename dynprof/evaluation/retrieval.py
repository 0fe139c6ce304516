"""Where the right item stands: how many candidates a scorer puts above it, and how many beside it.

Counts are exact. Scores come from a float32 product; wherever rounding could decide, the score is computed again in
float64, where it has no rounding at all: vectors are fp16, so multiples of 2^-24, profiles are rounded to multiples
of 2^-24, and a sum of such products of two unit vectors fits in 53 bits. So a rank does not depend on blocks, threads
or machine, and equal vectors tie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.histories import ranges
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["Ranks", "excluded_items", "rank_profiles", "rank_scores"]

_GRID = 2.0**24
_CANDIDATES_AT_ONCE = 8_192
_PAIRS_AT_ONCE = 16_384


@dataclass(frozen=True)
class Ranks:
    """Place of the target for n test events and m methods: in random order of ties, uniform on above + 1 to
    above + tied + 1.

    Attributes:
        above: (n, m) int64 number of candidates with a greater score.
        tied: (n, m) int64 number of other candidates with an equal score.
    """

    above: npt.NDArray[np.int64]
    tied: npt.NDArray[np.int64]


def excluded_items(log: EventLog, tests: TestEvents) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Items in the catalogue of a test event that are not counted: the target itself, and what the user had before.

    Returns:
        (pairs,) row of the test event and (pairs,) item, distinct, sorted by item and row.
    """
    rows, items = np.arange(len(tests)), tests.targets.astype(np.int64)
    if not tests.include_seen:
        positions, owner = ranges(tests.history_start, tests.history_stop)
        rows, items = np.concatenate([rows, owner]), np.concatenate([items, log.items[positions]])
    pairs = np.unique(items * max(len(tests), 1) + rows)
    return pairs % max(len(tests), 1), pairs // max(len(tests), 1)


def rank_scores(scores: npt.NDArray[np.generic], target: int, excluded: npt.NDArray[np.integer]) -> tuple[int, int]:
    """Number of candidates above and beside the target.

    Args:
        scores: (catalogue,) score of every item of the catalogue.
        target: Item.
        excluded: Distinct items that do not count, the target among them.
    """
    left_out = scores[excluded]
    above = np.count_nonzero(scores > scores[target]) - np.count_nonzero(left_out > scores[target])
    tied = np.count_nonzero(scores == scores[target]) - np.count_nonzero(left_out == scores[target])
    return int(above), int(tied)


def rank_profiles(
    profiles: npt.NDArray[np.float32],
    vectors: npt.NDArray[np.float16],
    tests: TestEvents,
    excluded: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> Ranks:
    """Rank every target by the cosine of profile and item.

    Args:
        profiles: (n, m, dim); a profile of zeros ties all candidates.
        vectors: (n_items, dim) norm 1 up to fp16 (or 0).
        tests: (n,) in order of time.
        excluded: From `excluded_items`.
    """
    n, m, dim = profiles.shape
    grid = _on_grid(profiles)
    target = np.einsum("nmd,nd->nm", grid.astype(np.float64), vectors[tests.targets].astype(np.float64))
    silent = ~grid.any(axis=2)
    # Product and sum of `dim` terms round by at most dim * 2^-24 of |p| |x| <= 1.001; the rest is for the bounds.
    slack = (dim + 16) * 2.0**-24
    low = np.where(silent, np.inf, target - slack).astype(np.float32)
    high = np.where(silent, np.inf, target + slack).astype(np.float32)
    above, tied = np.zeros((n, m), np.int64), np.zeros((n, m), np.int64)
    for start in range(0, int(tests.catalogue.max(initial=0)), _CANDIDATES_AT_ONCE):
        first = int(np.searchsorted(tests.catalogue, start, side="right"))
        chunk = vectors[start : start + _CANDIDATES_AT_ONCE]
        scores = (grid[first:].reshape(-1, dim) @ chunk.astype(np.float32).T).reshape(n - first, m, len(chunk))
        _mask(scores, start, tests.catalogue[first:], _within(excluded, first, start, len(chunk)))
        possible, sure = scores >= low[first:, :, None], scores > high[first:, :, None]
        above[first:] += np.count_nonzero(sure, axis=2)
        row, method, column = np.nonzero(possible ^ sure)
        _settle(grid, chunk, target, (row + first, method, column), above, tied)
    n_others = tests.catalogue - np.bincount(excluded[0], minlength=n)
    tied[silent] = np.broadcast_to(n_others[:, None], (n, m))[silent]
    return Ranks(above, tied)


def _on_grid(profiles: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Unit vectors rounded to multiples of 2^-24, which float32 holds exactly; zeros stay zeros."""
    norms = np.linalg.norm(profiles.astype(np.float64), axis=-1, keepdims=True)
    unit = np.divide(profiles, norms, out=np.zeros(profiles.shape), where=norms > 0)
    return np.asarray(np.rint(unit * _GRID) / _GRID, np.float32)


def _within(
    excluded: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], first_row: int, start: int, length: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The excluded pairs of rows from `first_row` on and `length` items from `start` on, counted from there."""
    rows, items = excluded
    a, b = np.searchsorted(items, [start, start + length])
    keep = rows[a:b] >= first_row
    return rows[a:b][keep] - first_row, items[a:b][keep] - start


def _mask(
    scores: npt.NDArray[np.float32],
    start: int,
    catalogue: npt.NDArray[np.int64],
    excluded: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
) -> None:
    """Set the scores of what is no candidate to minus infinity: below every bound, counted nowhere."""
    rows, columns = excluded
    scores[rows, :, columns] = -np.inf
    for row in np.flatnonzero(catalogue < start + scores.shape[2]):
        scores[row, :, catalogue[row] - start :] = -np.inf


def _settle(
    grid: npt.NDArray[np.float32],
    chunk: npt.NDArray[np.float16],
    target: npt.NDArray[np.float64],
    pairs: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]],
    above: npt.NDArray[np.int64],
    tied: npt.NDArray[np.int64],
) -> None:
    """Compare the scores that float32 cannot tell from the target's without rounding, and add to the counts."""
    for start in range(0, len(pairs[0]), _PAIRS_AT_ONCE):
        row, method, column = (p[start : start + _PAIRS_AT_ONCE] for p in pairs)
        exact = np.einsum("pd,pd->p", grid[row, method].astype(np.float64), chunk[column].astype(np.float64))
        difference = exact - target[row, method]
        np.add.at(above, (row[difference > 0], method[difference > 0]), 1)
        np.add.at(tied, (row[difference == 0], method[difference == 0]), 1)
