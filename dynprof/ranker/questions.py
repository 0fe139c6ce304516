"""From test events to candidates and features, block after block, out of the log: for training and for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.ranker.affinity import Affinity
from dynprof.ranker.candidates import NEAREST, NEAREST_HALF_LIVES_D, Wanted, candidates_of
from dynprof.ranker.content import Content, nearest_columns
from dynprof.ranker.features import describe
from dynprof.ranker.folding import fold_contents
from dynprof.ranker.past import Past
from dynprof.ranker.traces import Traces

__all__ = ["Questions"]

_TESTS_AT_ONCE = 2_048  # 57 MB of contents at 384 dimensions; every block folds the histories of its users anew
_PRODUCTS_AT_ONCE = 64
_ITEMS_AT_ONCE = 32_768


@dataclass(frozen=True)
class Questions:
    """All that candidates and features are made of.

    Attributes:
        log: Events.
        traces: Of the same log.
        vectors: Of its items.
        bank: Half-lives of the profiles.
    """

    log: EventLog
    traces: Traces
    vectors: ItemVectors
    bank: Bank = DEFAULT_BANK

    def ask(self, tests: TestEvents) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]]:
        """For each test event in turn its candidates, rising, and their (n, features); from events strictly before."""
        for start in range(0, len(tests), _TESTS_AT_ONCE):
            block = tests.take(slice(start, start + _TESTS_AT_ONCE))
            contents = fold_contents(self.log, self.vectors, block, self.bank)
            for first in range(0, len(block), _PRODUCTS_AT_ONCE):
                rows = slice(first, first + _PRODUCTS_AT_ONCE)
                few = block.take(rows)
                nearest = self._nearest(few, contents[rows])
                for row, content in enumerate(contents[rows]):
                    yield self._ask_one(few, row, content, nearest[row])

    def _ask_one(
        self, tests: TestEvents, row: int, content: Content, nearest: list[npt.NDArray[np.int64]]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        past = Past.of(self.traces, int(tests.users[row]), int(tests.event_us[row]))
        affinity = Affinity.of(past)
        items = candidates_of(past, affinity, self._wanted(tests, row), nearest)
        content = content.with_last(self.vectors.take(past.items[-1:]))
        return items, describe(past, affinity, content, items, self.vectors.take(items))

    def _wanted(self, tests: TestEvents, row: int) -> Wanted:
        """What the user had before is no candidate; the target is never told."""
        if tests.include_seen:
            return Wanted()
        return Wanted(excluded=self.log.items[tests.history_start[row] : tests.history_stop[row]])

    def _nearest(self, tests: TestEvents, contents: list[Content]) -> list[list[npt.NDArray[np.int64]]]:
        """For each test the `NEAREST` items of each of two profiles, ties by the lower number; none without a profile.

        A product of matrices may round by what else is in it. So it only chooses twice as many as are needed, and their
        cosines are computed again, one test at a time.
        """
        columns = nearest_columns(self.bank, NEAREST_HALF_LIVES_D)
        found: list[list[npt.NDArray[np.int64]]] = []
        asked = np.concatenate([c.vectors[columns] for c in contents])
        rough = self._roughly_nearest(asked, np.repeat(tests.catalogue, len(columns)), tests, len(columns))
        for row, content in enumerate(contents):
            excluded = self._wanted(tests, row)
            mine: list[npt.NDArray[np.int64]] = []
            for number, column in enumerate(columns):
                items = excluded.keep(rough[row * len(columns) + number])
                cosines = content.cosines(self.vectors.take(items))[:, column]
                mine.append(
                    items[np.lexsort((items, -cosines))[:NEAREST]] if content.vectors[column].any() else items[:0]
                )
            found.append(mine)
        return found

    def _roughly_nearest(
        self, asked: npt.NDArray[np.float32], catalogue: npt.NDArray[np.int64], tests: TestEvents, n_columns: int
    ) -> list[npt.NDArray[np.int64]]:
        """For each asked vector the `2 * NEAREST` items with the largest products, after what is excluded."""
        best: list[npt.NDArray[np.int64]] = [np.empty(0, np.int64) for _ in asked]
        scores: list[npt.NDArray[np.float32]] = [np.empty(0, np.float32) for _ in asked]
        wanted = [self._wanted(tests, row) for row in range(len(tests))]
        for start in range(0, int(catalogue.max(initial=0)), _ITEMS_AT_ONCE):
            stop = min(start + _ITEMS_AT_ONCE, int(catalogue.max()))
            products = asked @ self.vectors.take(np.arange(start, stop)).astype(np.float32).T
            for row in range(len(asked)):
                own = products[row, : max(0, int(catalogue[row]) - start)]
                excluded = wanted[row // n_columns].excluded
                if excluded is not None:
                    here = excluded[(excluded >= start) & (excluded < start + len(own))]
                    own[here - start] = -np.inf
                few = _largest(own, 2 * NEAREST)
                best[row] = np.concatenate([best[row], start + few])
                scores[row] = np.concatenate([scores[row], own[few]])
        return [items[_largest(s, 2 * NEAREST)] for items, s in zip(best, scores, strict=True)]


def _largest(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """Positions of the k largest, in any order."""
    return np.arange(len(scores)) if len(scores) <= k else np.argpartition(-scores, k)[:k]
