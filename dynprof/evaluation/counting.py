"""How many candidates stand above the target, and how many beside it. Counts of any split of the candidates add up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.retrieval import Queries, Ranks, time_score
from dynprof.evaluation.tiles import Tile
from dynprof.profile import MICROSECONDS

__all__ = ["Counter", "exact_cosines", "flagged"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_PAIRS_AT_ONCE = 4_096
_MOST_HALVINGS = 64.0


class Counter:
    """The counts of one clock; the target itself, where it is a candidate, stands beside itself."""

    def __init__(self, queries: Queries, clock: float | None) -> None:
        self._queries, self._clock = queries, clock
        shape = queries.cosines.shape
        self.counts = Ranks.zeros((shape[0], shape[1]))
        self._flat = queries.profiles.reshape(-1, queries.profiles.shape[2])
        # Cosines of a silent profile are all 0: whoever settles the ranks knows, and nothing is counted.
        targets = queries.cosines if clock is not None else np.where(queries.silent, np.inf, queries.cosines)
        self._targets = targets.reshape(-1)
        self._above, self._tied = self.counts.above.reshape(-1), self.counts.tied.reshape(-1)

    def add(self, tile: Tile) -> None:
        """Count one tile."""
        limits = self._targets[tile.rows, None] if self._clock is None else self._timed_limits(tile, self._clock)
        slack = self._queries.slack
        sure = tile.cosines > (limits + slack).astype(np.float32)
        least = (limits - slack).astype(np.float32)
        if self._clock is not None:
            least[least < -1] = -2  # what is opposite to the profile scores alike, and may round below -1
        possible = tile.cosines >= least
        # Eight flags are one word, which numpy counts and finds faster than single ones.
        self._above[tile.rows] += np.bitwise_count(sure.view(np.uint64)).sum(axis=1, dtype=np.int64)
        np.not_equal(sure, possible, out=possible)
        self._settle(tile, *flagged(possible))

    def _timed_limits(self, tile: Tile, clock: float) -> npt.NDArray[np.float32]:
        """(rows, block) cosine that an item of its age needs to stand beside the target."""
        ahead_us = self._queries.target_us[tile.tests, None] - tile.first_us
        halvings = np.clip(ahead_us / (clock * MICROSECONDS), -_MOST_HALVINGS, _MOST_HALVINGS)
        factors = np.exp2(halvings.astype(np.float32))
        own = (1 + self._targets[tile.rows]).astype(np.float32)  # the sum has no rounding: tiny ones keep their digits
        m = self._queries.cosines.shape[1]
        limits = np.full(tile.cosines.shape, np.inf, np.float32)
        needed = np.maximum(own, 0).reshape(-1, m)[:, :, None] * factors[:, None, :] - np.float32(1)
        limits[:, : len(tile.block)] = np.minimum(needed, 3).reshape(-1, len(tile.block))
        return limits

    def _settle(self, tile: Tile, row: IntArray, column: IntArray) -> None:
        """Compare the scores that float32 cannot tell from the target's without rounding, and add to the counts."""
        if not len(row):
            return
        mine = tile.rows.start + row
        score, own = exact_cosines(self._flat, mine, tile.block, column), self._targets[mine]
        if self._clock is not None:
            test = mine // self._queries.cosines.shape[1]
            at_us, target_us = self._queries.event_us[test], self._queries.target_us[test]
            score = time_score(score, at_us - tile.first_us[column], self._clock)
            own = time_score(own, at_us - target_us, self._clock)
        np.add.at(self._above, mine[score > own], 1)
        np.add.at(self._tied, mine[score == own], 1)


def flagged(cells: npt.NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Row and column of the true cells of a (k, multiple of 8) array, row by row."""
    words = np.flatnonzero(cells.view(np.uint64))
    near = (words[:, None] * 8 + np.arange(8)).ravel()
    row, column = np.divmod(near[cells.ravel()[near]], cells.shape[1])
    return row, column


def exact_cosines(
    profiles: npt.NDArray[np.float32], rows: IntArray, vectors: npt.NDArray[np.float16], columns: IntArray
) -> FloatArray:
    """(k,) cosine of k pairs of a profile and a vector, without rounding."""
    found = np.empty(len(rows))
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        mine, theirs = profiles[rows[part]].astype(np.float64), vectors[columns[part]].astype(np.float64)
        found[part] = np.einsum("pd,pd->p", mine, theirs)
    return found
