"""Some candidates against all test events: counts, and the best of them; those of any split of the items add up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.counting import Counter
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.retrieval import Queries, Ranks
from dynprof.evaluation.seen import SeenItems
from dynprof.evaluation.tiles import Candidates, cut_tiles
from dynprof.evaluation.top_lists import TopLists

__all__ = ["Judged", "count_candidates", "judge_candidates"]


@dataclass(frozen=True)
class Judged:
    """What some of the candidates add, for n test events and m columns (`Queries`).

    Attributes:
        counts: (n, m) candidates above and beside the target, it itself among them.
        scores: (n, m, size) float64 of the best, falling; -inf where there are no more.
        items: (n, m, size) int32 of the best; -1 where there are no more.
    """

    counts: Ranks
    scores: npt.NDArray[np.float64]
    items: npt.NDArray[np.int32]

    @classmethod
    def counted(cls, counts: Ranks) -> Judged:
        """Counts without lists."""
        return cls(counts, np.zeros((*counts.above.shape, 0)), np.zeros((*counts.above.shape, 0), np.int32))

    @classmethod
    def nothing(cls, shape: tuple[int, int], list_size: int) -> Judged:
        """No candidates."""
        size = (*shape, list_size)
        return cls(Ranks.zeros(shape), np.full(size, -np.inf), np.full(size, -1, np.int32))

    def __add__(self, other: Judged) -> Judged:
        """Of both parts of the candidates."""
        counts = self.counts + other.counts
        size = self.scores.shape[2]
        if not size:
            return Judged(counts, self.scores, self.items)
        scores = np.concatenate([self.scores, other.scores], axis=2)
        items = np.concatenate([self.items, other.items], axis=2)
        last = np.where(items < 0, np.iinfo(np.int32).max, items)
        order = np.lexsort((last, -scores), axis=2)[:, :, :size]
        return Judged(counts, *(np.take_along_axis(a, order, axis=2) for a in (scores, items)))


def judge_candidates(
    queries: Queries,
    catalogue: npt.NDArray[np.int64],
    candidates: Candidates,
    *,
    seen: SeenItems | None = None,
    list_size: int = 0,
) -> Judged:
    """Of some items, count those that are candidates and stand above or beside the target, and keep the best.

    Memory beside the arguments: `_VECTORS_AT_ONCE` vectors, a few MB, and the lists, whatever the number of items.

    Args:
        queries: (n, m) in order of time.
        catalogue: (n,) int64 never falling: items below it are candidates.
        candidates: The items.
        seen: What the users of the tests had before and is no candidate; None where it stays one.
        list_size: Of the lists; 0 for none.
    """
    mine = None if seen is None else seen.among(candidates.items)
    counters = [Counter(queries, clock) for clock in queries.clocks]
    lists = [TopLists(queries, clock, list_size) for clock in queries.clocks] if list_size else []
    for tile in cut_tiles(queries, catalogue, candidates, mine):
        for counter in counters:
            counter.add(tile)
        for top in lists:
            top.add(tile, candidates)
    shape = len(queries), queries.n_columns
    above, tied = (np.stack([getattr(c.counts, s) for c in counters], axis=2).reshape(shape) for s in ("above", "tied"))
    counts = Ranks(above, tied)
    if not lists:
        return Judged.counted(counts)
    kept = [top.finish(candidates) for top in lists]
    scores = np.stack([found for found, _ in kept], axis=1).reshape(*shape, list_size)
    items = np.stack([found for _, found in kept], axis=1).reshape(*shape, list_size)
    return Judged(counts, scores, items)


def count_candidates(
    queries: Queries, catalogue: npt.NDArray[np.int64], items: npt.NDArray[np.integer], of: ItemVectors
) -> Ranks:
    """The counts alone, where no clock asks for times and nothing is left out."""
    return judge_candidates(queries, catalogue, Candidates.timeless(items, of)).counts
