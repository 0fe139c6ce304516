"""Max similarity: an item is as good as the most similar of the items that the user had last."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dynprof.baselines.contract import Baseline, Settings, settled
from dynprof.baselines.interactions import blocks, latest_of_each
from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["DEFAULTS", "MaxSimilarity"]

DEFAULTS: Settings = {"last": 50}

_VECTORS_AT_ONCE = 4_096


class MaxSimilarity(Baseline):
    """Score: greatest cosine with one of the user's `last` items, distinct, by their latest event of positive weight.

    Nothing is fitted. Products of fp16 vectors are summed in float64, where they have no rounding: a score depends on
    no block or machine, and equal vectors tie. A user without such an item scores every item 0.
    """

    name = "max similarity"
    needs_vectors = True

    def __init__(self, fit: EventLog, settings: Settings) -> None:  # noqa: ARG002
        super().__init__()
        last = settled(self.name, settings, DEFAULTS)["last"]
        if last is None or last < 1 or last != int(last):
            raise ConfigError(f"baseline 'max similarity': expected last, a whole number >= 1, found {last!r}.")
        self._last = int(last)

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """As `Baseline.scores`. Vectors are read once for every few tests."""
        width = max(int(tests.catalogue.max(initial=0)), self._last * _VECTORS_AT_ONCE)
        for rows in blocks(len(tests), width):
            mine = tests.take(rows)
            scores = self._scores(mine, int(mine.catalogue.max(initial=0)))
            for row, catalogue in enumerate(mine.catalogue):
                yield scores[row, :catalogue]

    def _scores(self, tests: TestEvents, n_items: int) -> npt.NDArray[np.float64]:
        """(n, n_items) scores."""
        latest = [self.log.items[latest_of_each(self.log, tests, row, self._last)] for row in range(len(tests))]
        has = np.flatnonzero([len(items) for items in latest])
        out = np.zeros((len(tests), n_items))
        if not len(has):
            return out
        starts = np.cumsum([0, *(len(latest[row]) for row in has)])[:-1]
        mine = self.vectors.take(np.concatenate([latest[row] for row in has])).astype(np.float64)
        for start in range(0, n_items, _VECTORS_AT_ONCE):
            theirs = self.vectors.take(slice(start, min(start + _VECTORS_AT_ONCE, n_items))).astype(np.float64)
            out[has, start : start + len(theirs)] = np.maximum.reduceat(mine @ theirs.T, starts, axis=0)
        return out
