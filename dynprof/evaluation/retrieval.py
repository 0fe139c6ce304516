"""Where the right item stands: how many candidates a profile puts above it, and how many beside it.

Counts are exact, and those of any split of the candidates add up. Scores come from a float32 product; wherever rounding
could decide, the score is computed again in float64, where it has no rounding at all: vectors are fp16, so multiples of
2^-24, profiles are rounded to multiples of 2^-24, and a sum of such products of two unit vectors fits in 53 bits. So a
rank does not depend on blocks, shards, threads or machine, and equal vectors tie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.item_vectors import ItemVectors

__all__ = ["Queries", "Ranks", "ask", "count_candidates"]

IntArray = npt.NDArray[np.int64]

_GRID = 2.0**24
_VECTORS_AT_ONCE = 4_096
_ITEMS_AT_ONCE = 512
"""Multiple of 8. With `_PROFILES_AT_ONCE` a megabyte of scores: they are compared before they leave the cache."""
_PROFILES_AT_ONCE = 512


@dataclass(frozen=True)
class Ranks:
    """Place of the target for n test events and m methods: in random order of ties, uniform on above + 1 to
    above + tied + 1.

    Attributes:
        above: (n, m) int64 number of candidates with a greater score.
        tied: (n, m) int64 number of other candidates with an equal score.
    """

    above: IntArray
    tied: IntArray

    def __add__(self, other: Ranks) -> Ranks:
        return Ranks(self.above + other.above, self.tied + other.tied)

    def __sub__(self, other: Ranks) -> Ranks:
        return Ranks(self.above - other.above, self.tied - other.tied)

    @classmethod
    def zeros(cls, shape: tuple[int, int]) -> Ranks:
        """No candidates."""
        return cls(np.zeros(shape, np.int64), np.zeros(shape, np.int64))


@dataclass(frozen=True)
class Queries:
    """n test events under m decays.

    Attributes:
        profiles: (n, m, dim) float32, unit vectors of multiples of 2^-24, or zeros.
        scores: (n, m) float64 exact score of the target.
    """

    profiles: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.profiles)

    @property
    def silent(self) -> npt.NDArray[np.bool_]:
        """(n, m) True for profiles of zeros: they tie all candidates, and count nothing."""
        return np.asarray(~self.profiles.any(axis=2))

    def take(self, rows: npt.NDArray[np.integer] | slice) -> Queries:
        """Some of the test events."""
        return Queries(self.profiles[rows], self.scores[rows])

    def bounds(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(n * m, 1) each: a float32 score below the first is below the target's, one above the second above it."""
        # Product and sum of `dim` terms round by at most dim * 2^-24 of |p| |x| <= 1.001; the rest is for the bounds.
        slack = (self.profiles.shape[2] + 16) * 2.0**-24
        middle = np.where(self.silent, np.inf, self.scores).reshape(-1, 1)
        return (middle - slack).astype(np.float32), (middle + slack).astype(np.float32)


def ask(profiles: npt.NDArray[np.float32], targets: npt.NDArray[np.float16]) -> Queries:
    """Score (n, dim) targets by their cosine with (n, m, dim) profiles of any length."""
    norms = np.linalg.norm(profiles.astype(np.float64), axis=-1, keepdims=True)
    unit = np.divide(profiles, norms, out=np.zeros(profiles.shape), where=norms > 0)
    grid = np.asarray(np.rint(unit * _GRID) / _GRID, np.float32)
    return Queries(grid, np.einsum("nmd,nd->nm", grid.astype(np.float64), targets.astype(np.float64)))


def count_candidates(queries: Queries, catalogue: IntArray, items: npt.NDArray[np.integer], of: ItemVectors) -> Ranks:
    """Of some items, count those that are candidates and stand above or beside the target; that itself stands beside.

    Memory beside the arguments: `_VECTORS_AT_ONCE` vectors and a few MB, whatever the number of items.

    Args:
        queries: (n, m) in order of time.
        catalogue: (n,) int64 never falling: items below it are candidates.
        items: (k,) rising numbers of the items.
        of: Vectors of the items, by their place in `items`; norm 1 up to fp16 (or 0).
    """
    n, m, _ = queries.profiles.shape
    counts = Ranks.zeros((n, m))
    rows = _Tiles(queries, counts)
    per_tile = max(1, _PROFILES_AT_ONCE // m)
    stop = int(np.searchsorted(items, catalogue[-1])) if n else 0
    for begin in range(0, stop, _VECTORS_AT_ONCE):
        vectors = of.take(slice(begin, min(begin + _VECTORS_AT_ONCE, stop)))
        for start in range(0, len(vectors), _ITEMS_AT_ONCE):
            block = vectors[start : start + _ITEMS_AT_ONCE]
            numbers = items[begin + start : begin + start + len(block)]
            columns = block.astype(np.float32).T
            first = int(np.searchsorted(catalogue, numbers[0], side="right"))
            for low in range(first, n, per_tile):
                tests = slice(low, min(low + per_tile, n))
                # Whose catalogue ends within the block; later tests have all of it.
                partial = catalogue[tests][: int(np.searchsorted(catalogue[tests], numbers[-1], side="right"))]
                rows.count(tests, block, columns, np.searchsorted(numbers, partial))
    return counts


class _Tiles:
    """Scores of a few profiles and a few items at a time, in memory that is used again."""

    def __init__(self, queries: Queries, counts: Ranks) -> None:
        self.flat = queries.profiles.reshape(-1, queries.profiles.shape[2])
        self.exact = queries.scores.reshape(-1)
        self.low, self.high = queries.bounds()
        self.m = queries.profiles.shape[1]
        self.above, self.tied = counts.above.reshape(-1), counts.tied.reshape(-1)
        shape = (min(len(self.flat), max(_PROFILES_AT_ONCE, self.m)), _ITEMS_AT_ONCE)
        self.scores = np.empty(shape, np.float32)
        self.sure, self.possible = np.empty(shape, np.bool_), np.empty(shape, np.bool_)

    def count(
        self,
        tests: slice,
        block: npt.NDArray[np.float16],
        columns: npt.NDArray[np.float32],
        partial: npt.NDArray[np.intp],
    ) -> None:
        """Add one tile to the counts. `partial`: number of candidates in the block of each of the first tests."""
        rows = slice(tests.start * self.m, tests.stop * self.m)
        scores, sure, possible = (a[: rows.stop - rows.start] for a in (self.scores, self.sure, self.possible))
        np.matmul(self.flat[rows], columns, out=scores[:, : len(block)])
        scores[:, len(block) :] = -np.inf  # below every bound, counted nowhere
        for test, stop in enumerate(partial):
            scores[test * self.m : (test + 1) * self.m, stop:] = -np.inf
        np.greater(scores, self.high[rows], out=sure)
        np.greater_equal(scores, self.low[rows], out=possible)
        # Eight flags are one word, which numpy counts and finds faster than single ones.
        self.above[rows] += np.bitwise_count(sure.view(np.uint64)).sum(axis=1, dtype=np.int64)
        np.not_equal(sure, possible, out=possible)
        words = np.flatnonzero(possible.view(np.uint64))
        cells = (words[:, None] * 8 + np.arange(8)).ravel()
        self._settle(rows.start, block, *np.divmod(cells[possible.ravel()[cells]], possible.shape[1]))

    def _settle(self, first: int, block: npt.NDArray[np.float16], row: IntArray, column: IntArray) -> None:
        """Compare the scores that float32 cannot tell from the target's without rounding, and add to the counts."""
        for start in range(0, len(row), _VECTORS_AT_ONCE):
            mine = first + row[start : start + _VECTORS_AT_ONCE]
            vectors = block[column[start : start + _VECTORS_AT_ONCE]].astype(np.float64)
            difference = np.einsum("pd,pd->p", self.flat[mine].astype(np.float64), vectors) - self.exact[mine]
            np.add.at(self.above, mine[difference > 0], 1)
            np.add.at(self.tied, mine[difference == 0], 1)
