"""Baselines that score from what the user had: one sparse row a test event, each answered by itself."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dynprof.baselines.contract import Baseline
from dynprof.baselines.interactions import past_matrix
from dynprof.evaluation.protocol import TestEvents

__all__ = ["FromPast"]

_TESTS_AT_ONCE = 1_024


class FromPast(Baseline):
    """Items 0 to `n_items` - 1 are known to the fit and scored by `_answer`; later ones score 0.

    Attributes:
        n_items: Number of items in the log of the fit.
        half_life_s: Of what the user had; None: all of it counts alike.
        counted: An item counts by the weights of its events with the user instead of once.
    """

    half_life_s: float | None = None
    counted = False

    def __init__(self, n_items: int) -> None:
        super().__init__()
        self.n_items = n_items

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """As `Baseline.scores`; a user without a known item scores every item 0."""
        for start in range(0, len(tests), _TESTS_AT_ONCE):
            mine = tests.take(slice(start, start + _TESTS_AT_ONCE))
            past = past_matrix(self.log, mine, self.n_items, half_life_s=self.half_life_s, counted=self.counted)
            for known, catalogue in zip(self._answers(past), mine.catalogue, strict=True):
                scores = np.zeros(catalogue)
                if known is not None:
                    n = min(len(known), len(scores))
                    scores[:n] = known[:n]
                yield scores

    def _answers(self, past: sparse.csr_matrix) -> Iterator[npt.NDArray[np.floating] | None]:
        """(n_items,) scores from each row of the past in turn; None where it is empty: then all are 0."""
        for row in range(past.shape[0]):
            entries = slice(past.indptr[row], past.indptr[row + 1])
            items, weights = past.indices[entries], past.data[entries]
            yield self._answer(items, weights) if len(items) else None

    def _answer(self, items: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
        """(n_items,) scores from at least one item, distinct, and the weight of each."""
        raise NotImplementedError
