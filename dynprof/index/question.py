"""What is asked of the index, and the candidates that can still be among the answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.profile import age_seconds
from dynprof.scoring import Metric, Ranking, score_of_cosine

__all__ = ["Candidates", "Question", "ranked"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """Whose k best rows are wanted, and which rows may be among them.

    Attributes:
        profile: (dim,) any norm.
        k: > 0.
        as_of_us: Only rows created strictly before it, in microseconds since 1970.
        metric: See `dynprof.scoring`.
        item_decay: How fast candidates age; `cosine_time` needs it, the others take no notice.
        excluded: Rows never to return; may repeat, may lie beyond the index.
        allowed: (n,) False for rows never to return; rows from n on are new and not allowed either. None: all.
        share: Of the metric in the score.
        bonus: (n,) >= 0, added to it; rows from n on have none. None: nobody has.
    """

    profile: npt.NDArray[np.floating]
    k: int
    as_of_us: int
    metric: Metric
    item_decay: Decay | None = None
    excluded: IntArray | None = None
    allowed: npt.NDArray[np.bool_] | None = None
    share: float = 1.0
    bonus: npt.NDArray[np.floating] | None = None

    def time_weights(self, created_us: IntArray) -> FloatArray | None:
        """f_item of rows by their time; None for a metric without time."""
        if self.metric != "cosine_time" or self.item_decay is None:
            return None
        return self.item_decay.weights(age_seconds(self.as_of_us, created_us))

    def scores(
        self, rows: IntArray | slice, cosines: npt.NDArray[np.floating], norm: float, weights: FloatArray | None
    ) -> FloatArray:
        """Scores of rows by their cosines and `time_weights`; they never fall where a cosine rises."""
        scores = score_of_cosine(cosines, norm, metric=self.metric, time_weights=weights)
        return self.share * scores if self.bonus is None else self.share * scores + self._bonus_of(rows, len(scores))

    def most(self, run: slice, newest_us: int, norm: float, cap: float) -> float:
        """A score that no row of a run exceeds, created at `newest_us` or before, with a cosine of at most `cap`."""
        weights = self.time_weights(np.array([min(newest_us, self.as_of_us)], np.int64))
        cap = cap if norm > 0 else 0.0  # a profile of zeros is as near to everything as to nothing
        most = self.share * float(score_of_cosine(np.array([cap]), norm, metric=self.metric, time_weights=weights)[0])
        return most if self.bonus is None else most + float(self.bonus[run].max(initial=0.0))

    def _bonus_of(self, rows: IntArray | slice, n: int) -> FloatArray:
        given = np.asarray(self.bonus)
        if isinstance(rows, slice):
            found = given[rows]
            return np.pad(found.astype(np.float64), (0, n - len(found)))
        known = rows < len(given)
        bonus = np.zeros(n)
        bonus[known] = given[rows[known]]
        return bonus

    def may(self, rows: IntArray, created_us: IntArray) -> npt.NDArray[np.bool_]:
        """Which of a few rows, in any order, may be returned by their time, `allowed` and `excluded`."""
        may = created_us < self.as_of_us
        if self.allowed is not None:
            known = rows < len(self.allowed)
            may[~known] = False
            may[known] &= self.allowed[rows[known]]
        if self.excluded is not None and len(self.excluded):
            may &= ~np.isin(rows, self.excluded)
        return may

    def may_of_run(self, first: int, created_us: IntArray) -> npt.NDArray[np.bool_]:
        """The same for many rows in a row, from `first` on."""
        may, stop = created_us < self.as_of_us, first + len(created_us)
        if self.allowed is not None:
            known = self.allowed[first:stop]
            may[: len(known)] &= known
            may[len(known) :] = False
        if self.excluded is not None and len(self.excluded):
            may[self.excluded[(self.excluded >= first) & (self.excluded < stop)] - first] = False
        return may


class Candidates:
    """The rows that can be among the k best, by a score that is known to lie between two bounds.

    `least` is a score that k rows reach for certain; whatever cannot reach it is forgotten.
    """

    def __init__(self, k: int) -> None:
        self._k = k
        self.least = -np.inf
        self.rows = np.empty(0, np.int64)
        self._created_us = np.empty(0, np.int64)
        self._low, self._high = np.empty(0), np.empty(0)

    def add(self, rows: IntArray, created_us: IntArray, low: FloatArray, high: FloatArray) -> None:
        """Add rows that were not there, all arrays of one length."""
        if self.least > -np.inf:
            near = high >= self.least
            rows, created_us, low, high = rows[near], created_us[near], low[near], high[near]
        self.rows = np.concatenate([self.rows, rows])
        self._created_us = np.concatenate([self._created_us, created_us])
        self._low, self._high = np.concatenate([self._low, low]), np.concatenate([self._high, high])
        self._forget()

    def raise_least(self, score: float) -> None:
        """Tell of a score that k rows reach, whichever they are."""
        self.least = max(self.least, score)

    def _forget(self) -> None:
        if len(self.rows) > self._k:
            self.raise_least(float(np.partition(self._low, -self._k)[-self._k]))
            self._keep(self._high >= self.least)
        known = np.flatnonzero(self._low == self._high)
        if len(known) > self._k:  # of rows whose scores are known only the first k count; there may be many equal ones
            order = np.lexsort((self.rows[known], self._created_us[known], self._low[known]))
            keep = np.ones(len(self.rows), np.bool_)
            keep[known[order[: -self._k]]] = False
            self._keep(keep)

    def _keep(self, keep: npt.NDArray[np.bool_]) -> None:
        self.rows, self._created_us = self.rows[keep], self._created_us[keep]
        self._low, self._high = self._low[keep], self._high[keep]


def ranked(rows: IntArray, created_us: IntArray, scores: FloatArray, k: int) -> Ranking:
    """The k best by score; of equal ones the newest, then the one that was added last."""
    order = np.lexsort((-rows, -created_us, -scores))[:k]
    return Ranking(rows[order], scores[order])
