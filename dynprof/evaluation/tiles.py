"""Cosines of a few test events with a few items at a time, in memory that is used again, newest items first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.retrieval import Queries
from dynprof.evaluation.seen import SeenItems

__all__ = ["Candidates", "Tile", "cut_tiles"]

IntArray = npt.NDArray[np.int64]

_VECTORS_AT_ONCE = 4_096
_ITEMS_AT_ONCE = 512
"""Multiple of 8. With `_PROFILES_AT_ONCE` a megabyte of scores: they are compared before they leave the cache."""
_PROFILES_AT_ONCE = 512


@dataclass(frozen=True)
class Candidates:
    """Some of the items, in a shard for example.

    Attributes:
        items: (k,) rising numbers.
        of: Vectors of the items, by their place in `items`; norm 1 up to fp16 (or 0).
        first_us: (k,) time of each one's first event; zeros where no clock needs it.
    """

    items: npt.NDArray[np.integer]
    of: ItemVectors
    first_us: IntArray

    @classmethod
    def timeless(cls, items: npt.NDArray[np.integer], of: ItemVectors) -> Candidates:
        """Where no clock asks for times."""
        return cls(items, of, np.zeros(len(items), np.int64))


@dataclass(frozen=True)
class Tile:
    """A few test events and a block of items.

    Attributes:
        tests: Which test events.
        rows: Which rows of all profiles, m of each test.
        begin: Place in the candidates of the block's first item.
        cosines: (rows, block) float32 with an error below `Queries.slack`; -inf for what is no candidate. As wide as
            a whole block, -inf behind its end. Valid until the next tile.
        block: (k, dim) vectors.
        first_us: (k,) of the items.
    """

    tests: slice
    rows: slice
    begin: int
    cosines: npt.NDArray[np.float32]
    block: npt.NDArray[np.float16]
    first_us: IntArray


def cut_tiles(queries: Queries, catalogue: IntArray, candidates: Candidates, seen: SeenItems | None) -> Iterator[Tile]:
    """All tiles that have a candidate.

    Memory beside the arguments: `_VECTORS_AT_ONCE` vectors and a few MB, whatever the number of items.

    Args:
        queries: (n, m) in order of time.
        catalogue: (n,) int64 never falling: items below it are candidates.
        candidates: The items.
        seen: Of the same tests, `among` these items: no candidates.
    """
    n, m, dim = queries.profiles.shape
    flat = queries.profiles.reshape(-1, dim)
    per_tile = max(1, _PROFILES_AT_ONCE // m)
    cosines = np.empty((min(len(flat), per_tile * m), _ITEMS_AT_ONCE), np.float32)
    for begin, block, columns in _blocks(catalogue, candidates):
        numbers = candidates.items[begin : begin + len(block)]
        # Tiles start at the same tests in every block, so that lists can be kept by tile.
        first = int(np.searchsorted(catalogue, numbers[0], side="right")) // per_tile * per_tile
        for low in range(first, n, per_tile):
            tests = slice(low, min(low + per_tile, n))
            rows = slice(tests.start * m, tests.stop * m)
            mine = cosines[: rows.stop - rows.start]
            np.matmul(flat[rows], columns, out=mine[:, : len(block)])
            mine[:, len(block) :] = -np.inf
            by_test = mine.reshape(-1, m, _ITEMS_AT_ONCE)
            # Whose catalogue ends within the block; later tests have all of it.
            partial = catalogue[tests][: int(np.searchsorted(catalogue[tests], numbers[-1], side="right"))]
            for test, stop in enumerate(np.searchsorted(numbers, partial)):
                by_test[test, :, stop:] = -np.inf
            if seen is not None and len(seen.keys):
                test, item = seen.cells(tests, begin, begin + len(block))
                by_test[test, :, item] = -np.inf
            yield Tile(tests, rows, begin, mine, block, candidates.first_us[begin : begin + len(block)])


def _blocks(
    catalogue: IntArray, candidates: Candidates
) -> Iterator[tuple[int, npt.NDArray[np.float16], npt.NDArray[np.float32]]]:
    """Place of the first item, vectors, and their float32 transpose, of the blocks that anybody's catalogue reaches."""
    stop = int(np.searchsorted(candidates.items, catalogue[-1])) if len(catalogue) else 0
    for chunk in range(0, stop, _VECTORS_AT_ONCE)[::-1]:
        vectors = candidates.of.take(slice(chunk, min(chunk + _VECTORS_AT_ONCE, stop)))
        for start in range(0, len(vectors), _ITEMS_AT_ONCE)[::-1]:
            block = vectors[start : start + _ITEMS_AT_ONCE]
            yield chunk + start, block, block.astype(np.float32).T
