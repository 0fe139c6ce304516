"""EASE: the linear item-item model with a closed form, through the smaller of its two inverses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import linalg, sparse

from dynprof.baselines.contract import Settings, settled
from dynprof.baselines.from_past import FromPast
from dynprof.baselines.interactions import blocks, fit_matrix
from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog

__all__ = ["DEFAULTS", "Ease"]

DEFAULTS: Settings = {"l2": 100.0, "largest": 8_000}


class Ease(FromPast):
    """Score of j: sum over the items i that the user had of B_ij; B minimises |X - X B|^2 + l2 |B|^2 with B_jj = 0.

    With P = (X^T X + l2)^-1: B = I - P diag(P)^-1. By Woodbury P = (I - X^T (X X^T + l2)^-1 X) / l2, so the inverse
    taken is that of users or of items, whichever are fewer, at most `largest`: 8 `largest`^2 bytes, three times while
    it is computed. Where both are more, the `largest` items of most users are taken (ties to the lower number), and
    all others score 0.

    Source: Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019.

    Attributes:
        kept: (m,) rising numbers of the items that the model has.
    """

    name = "EASE"

    def __init__(self, fit: EventLog, settings: Settings) -> None:
        super().__init__(fit.n_items)
        chosen = settled(self.name, settings, DEFAULTS)
        l2, largest = chosen["l2"], chosen["largest"]
        if l2 is None or not 0 < l2 < np.inf:
            raise ConfigError(f"baseline 'EASE': expected l2, a number > 0, found {l2!r}.")
        if largest is None or largest < 1:
            raise ConfigError(f"baseline 'EASE': expected largest, a number of items >= 1, found {largest!r}.")
        had = fit_matrix(fit).sign()
        had = had[np.diff(had.indptr) > 0]
        self.kept = _kept_items(had, int(largest))
        self._place = np.full(fit.n_items, -1)
        self._place[self.kept] = np.arange(len(self.kept))
        had = had[:, self.kept].tocsr()
        by_users = had.shape[0] < had.shape[1]
        self._had: Any = had if by_users else None
        self._by_item: Any = had.T.tocsr() if by_users else None
        side = had if by_users else had.T.tocsr()
        self._inverse = _inverse((side @ side.T).toarray(), l2)
        self._rest = self._one_less_diagonal() if by_users else np.diagonal(self._inverse).copy()

    def _answer(self, items: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]) -> npt.NDArray[np.floating]:
        place = self._place[items]
        weights, place = weights[place >= 0], place[place >= 0]
        own = np.zeros(len(self.kept))
        own[place] = weights
        if self._had is None:
            mine = own - (weights @ self._inverse[place]) / self._rest
        else:  # P = (I - X^T K X) / l2, and 1 - diag(X^T K X) is l2 diag(P)
            seen_through = self._by_item @ (self._inverse @ (self._had @ own))
            mine = own - (own - seen_through) / self._rest
        scores = np.zeros(self.n_items)
        scores[self.kept] = mine
        return scores

    def _one_less_diagonal(self) -> npt.NDArray[np.float64]:
        """(m,) 1 - x_j^T K x_j of every column x_j of X."""
        out = np.ones(len(self.kept))
        for rows in blocks(len(out), len(self._inverse)):
            part = self._by_item[rows].tocoo()
            through = part @ self._inverse
            out[rows] -= np.bincount(part.row, part.data * through[part.row, part.col], minlength=part.shape[0])
        return out


def _kept_items(had: sparse.csr_matrix, largest: int) -> npt.NDArray[np.intp]:
    """All items that a user had, or where that inverse would be too large the most frequent of them."""
    n_users = np.bincount(had.indices, minlength=had.shape[1])
    items = np.flatnonzero(n_users)
    if min(had.shape[0], len(items)) > largest:
        items = np.sort(items[np.argsort(-n_users[items], kind="stable")[:largest]])
    return items


def _inverse(gram: npt.NDArray[np.float64], l2: float) -> npt.NDArray[np.float64]:
    """Of gram + l2, which is positive definite."""
    gram[np.diag_indices_from(gram)] += l2
    return np.asarray(linalg.inv(gram, overwrite_a=True, check_finite=False)) if len(gram) else gram
