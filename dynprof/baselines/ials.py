"""iALS through `implicit`: factors of items are fitted, the user's are solved from the past of each test event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dynprof.baselines.contract import Settings, settled
from dynprof.baselines.from_past import FromPast
from dynprof.baselines.interactions import fit_matrix
from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog

__all__ = ["DEFAULTS", "Ials"]

DEFAULTS: Settings = {"factors": 64, "regularization": 0.1, "alpha": 10.0, "iterations": 15, "seed": 0}


class Ials(FromPast):
    """Score of j: x^T y_j, where x solves the user's least squares on what the user had before, the y_j as fitted.

    Confidence of a user's item is 1 + alpha * the weights of their events together, of all other items 1. An item
    without a positive event in the fit has zero factors and scores 0.

    Source: Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
    """

    name = "iALS"
    counted = True

    def __init__(self, fit: EventLog, settings: Settings) -> None:
        super().__init__(fit.n_items)
        chosen = settled(self.name, settings, DEFAULTS)
        for key in ("factors", "regularization", "alpha", "iterations"):
            value = chosen[key]
            if value is None or not 0 < value < np.inf:
                raise ConfigError(f"baseline 'iALS': expected {key}, a number > 0, found {value!r}.")
        had = fit_matrix(fit)
        had = had[np.diff(had.indptr) > 0]
        self._alpha = np.float32(chosen["alpha"])
        self._model = _fitted(self._confidence(had), chosen) if had.nnz else None

    def _answers(self, past: sparse.csr_matrix) -> Iterator[npt.NDArray[np.floating] | None]:
        if self._model is None:
            yield from (None for _ in range(past.shape[0]))
            return
        # What came from another process may be mapped memory, read-only, which `implicit` does not take.
        self._model.item_factors = np.require(self._model.item_factors, requirements="W")
        with _one_blas_thread():
            users = self._model.recalculate_user(np.arange(past.shape[0]), self._confidence(past))
        for vector, n_items in zip(users, np.diff(past.indptr), strict=True):
            yield self._model.item_factors @ vector if n_items else None

    def _confidence(self, had: sparse.csr_matrix) -> sparse.csr_matrix:
        out = had.astype(np.float32)
        out.data = 1 + self._alpha * out.data
        return out


def _fitted(had: sparse.csr_matrix, chosen: Settings) -> Any:
    """The model of `implicit`. One thread: the order of sums, and so the factors, are the same on every run."""
    try:
        from implicit.cpu.als import AlternatingLeastSquares
    except ImportError as error:
        raise ConfigError(
            "baseline 'iALS': expected the package implicit to be installed. "
            "Install it: pip install 'dynprof[baselines]', or leave this baseline out."
        ) from error
    # Its constructor warns where BLAS has threads of its own: they would multiply with those of its loop.
    with _one_blas_thread():
        model = AlternatingLeastSquares(
            factors=int(chosen["factors"] or 0),
            regularization=chosen["regularization"],
            alpha=1.0,  # `implicit` would take alpha * weight as the confidence, which for small ones is below 1
            iterations=int(chosen["iterations"] or 0),
            random_state=int(chosen["seed"] or 0),
            num_threads=1,
        )
        model.fit(had, show_progress=False)
    return model


def _one_blas_thread() -> Any:
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "blas")
