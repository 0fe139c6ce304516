"""The best candidates of every profile, kept while tiles go by: bounds while it lasts, exact scores at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.counting import exact_cosines, flagged
from dynprof.evaluation.retrieval import Queries, time_score
from dynprof.evaluation.tiles import Candidates, Tile
from dynprof.profile import MICROSECONDS

__all__ = ["TopLists", "best_of_rows"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_PENDING_A_ROW = 32
_MOST_KEPT_A_ROW = 8
"""Times the size of a list; beyond it bounds cannot tell enough candidates apart, and exact scores do."""
_ROUNDING = 1e-12
"""Far more than what float64 rounds in a logarithm and an age, relative to the age."""


@dataclass
class _Group:
    """What is known of the rows of one tile.

    Attributes:
        least: (rows,) a score that `size` candidates of the row reach; -inf while there are fewer.
        row: (k,) of each candidate that may be among the best.
        low: (k,) bounds of its score.
        high: (k,)
        place: (k,) in the candidates.
        pending: More of the same four.
    """

    least: FloatArray
    row: IntArray
    low: FloatArray
    high: FloatArray
    place: IntArray
    pending: list[tuple[IntArray, FloatArray, FloatArray, IntArray]]
    n_pending: int = 0


class TopLists:
    """The best `size` candidates under one clock. Nothing is kept for silent profiles of a plain cosine: all tie.

    Memory: 28 bytes a candidate that may be among the best, a little over `size` of them a profile.
    """

    def __init__(self, queries: Queries, clock: float | None, size: int) -> None:
        self._queries, self._clock, self._size = queries, clock, size
        self._m = queries.cosines.shape[1]
        self._flat = queries.profiles.reshape(-1, queries.profiles.shape[2])
        self._silent = queries.silent.reshape(-1)
        self._groups: dict[int, _Group] = {}

    def add(self, tile: Tile, candidates: Candidates) -> None:
        """Look at one tile."""
        group = self._group(tile)
        limits = self._limits(tile, group.least)
        open_ = np.flatnonzero(limits.min(axis=1) < 1.01)
        if not len(open_):
            return
        row, column = flagged(tile.cosines[open_] >= limits[open_])
        row = open_[row]
        if len(row):
            low, high = self._bounds(tile, row, column)
            group.pending.append((row, low, high, tile.begin + column))
            group.n_pending += len(row)
        if group.n_pending > _PENDING_A_ROW * len(group.least):
            self._merge(group, tile.rows.start, candidates)

    def finish(self, candidates: Candidates) -> tuple[FloatArray, npt.NDArray[np.int32]]:
        """(n x m, size) scores, falling, and items; -inf and -1 where there are no more."""
        scores = np.full((len(self._flat), self._size), -np.inf)
        items = np.full(scores.shape, -1, np.int32)
        for start, group in self._groups.items():
            self._merge(group, start, candidates)
            exact = self._exact(group, start, candidates)
            numbers = candidates.items[group.place]
            row, place, chosen = best_of_rows(group.row, exact, numbers, self._size)
            scores[start + row, place], items[start + row, place] = exact[chosen], numbers[chosen]
        return scores, items

    def _group(self, tile: Tile) -> _Group:
        if tile.rows.start not in self._groups:
            none, nothing = np.zeros(0, np.int64), np.zeros(0)
            least = np.full(tile.rows.stop - tile.rows.start, -np.inf)
            self._groups[tile.rows.start] = _Group(least, none, nothing, nothing, none, [])
        return self._groups[tile.rows.start]

    def _limits(self, tile: Tile, least: FloatArray) -> npt.NDArray[np.float32]:
        """(rows, block or 1) float32 cosine that an item needs to be looked at; above 1.01 none does."""
        least = self._first_guess(tile, least)
        if self._clock is None:
            limits = np.maximum(least - self._queries.slack, -2.0)
            return np.where(self._silent[tile.rows], np.inf, limits).astype(np.float32)[:, None]
        limits = np.full(tile.cosines.shape, np.inf, np.float32)
        halvings = self._halvings(tile).repeat(self._m, axis=0)
        needed = np.exp2(np.minimum(least[:, None] + halvings, 4.0).astype(np.float32))
        # Where nothing is needed, what is opposite to the profile is a candidate too; its cosine may round below -1.
        limits[:, : len(tile.block)] = np.where(
            needed > 0, needed - np.float32(1 + self._queries.slack), np.float32(-2)
        )
        return limits

    def _first_guess(self, tile: Tile, least: FloatArray) -> FloatArray:
        """Scores that `size` candidates reach, from this tile for rows that know of none."""
        new = np.flatnonzero(least == -np.inf)
        if not len(new) or len(tile.block) < self._size:
            return least
        cosines = tile.cosines[new, : len(tile.block)].astype(np.float64)
        halvings = 0.0 if self._clock is None else self._halvings(tile)[new // self._m]
        low, _ = self._around(cosines, halvings)
        guess = least.copy()
        guess[new] = np.partition(low, len(tile.block) - self._size, axis=1)[:, len(tile.block) - self._size]
        return guess

    def _halvings(self, tile: Tile) -> FloatArray:
        """(tests, block) ages of the items."""
        return _halvings(self._queries.event_us[tile.tests, None] - tile.first_us, self._clock)

    def _around(self, cosines: FloatArray, halvings: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """Bounds of the scores of float32 cosines."""
        slack = self._queries.slack
        if self._clock is None:
            return cosines - slack, cosines + slack
        rounding = _ROUNDING * (1 + np.abs(halvings))
        with np.errstate(divide="ignore"):
            low, high = (np.log2(np.maximum(1 + cosines + side, 0.0)) for side in (-slack, slack))
        return low - halvings - rounding, high - halvings + rounding

    def _bounds(self, tile: Tile, row: IntArray, column: IntArray) -> tuple[FloatArray, FloatArray]:
        age_us = self._queries.event_us[tile.tests][row // self._m] - tile.first_us[column]
        return self._around(tile.cosines[row, column].astype(np.float64), _halvings(age_us, self._clock))

    def _merge(self, group: _Group, start: int, candidates: Candidates) -> None:
        """Take in what is pending, and let go what `size` others are above."""
        parts = [(group.row, group.low, group.high, group.place), *group.pending]
        row, low, high, place = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        mine, rank, order = best_of_rows(row, low, place, self._size)
        last = rank == self._size - 1
        group.least[mine[last]] = low[order[last]]
        kept = np.flatnonzero(high >= group.least[row])
        group.row, group.low, group.high, group.place = row[kept], low[kept], high[kept], place[kept]
        group.pending, group.n_pending = [], 0
        if len(kept) > _MOST_KEPT_A_ROW * self._size * len(group.least):
            exact = self._exact(group, start, candidates)
            _, _, chosen = best_of_rows(group.row, exact, group.place, self._size)
            group.row, group.place = group.row[chosen], group.place[chosen]
            group.low = group.high = exact[chosen]

    def _exact(self, group: _Group, start: int, candidates: Candidates) -> FloatArray:
        """(k,) scores of what is kept."""
        distinct, which = np.unique(group.place, return_inverse=True)
        row = start + group.row
        found = exact_cosines(self._flat, row, candidates.of.take(distinct), which)
        if self._clock is None:
            return found
        age_us = self._queries.event_us[row // self._m] - candidates.first_us[group.place]
        return time_score(found, age_us, self._clock)


def best_of_rows(
    row: IntArray, score: FloatArray, number: npt.NDArray[np.integer], size: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Of k scores the first `size` of each row by falling score, then by rising number.

    Returns:
        Row, place in the row from 0 on, and position among the k, of each that is chosen; by row and place.
    """
    order = np.lexsort((number, -score, row))
    rows = row[order]
    starts = np.flatnonzero(np.diff(rows, prepend=-1))
    place = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
    chosen = place < size
    return rows[chosen], place[chosen], order[chosen]


def _halvings(age_us: IntArray, clock: float | None) -> FloatArray:
    return np.zeros(age_us.shape) if clock is None else age_us / (clock * MICROSECONDS)
