"""The learned decay: coefficients over the bank, fitted on next events by softmax over sampled candidates.

A profile is linear in them, p = sum_j c_j S_j + kappa prior, so all that an event says is K + 1 products with each
candidate and the K + 1 by K + 1 products of the sums with each other. The score is beta times the cosine, or times the
logarithm of cosine_time; beta is fitted too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from dynprof.bank import DEFAULT_BANK, Bank

__all__ = ["Fit", "LearnedCurve", "fit_curve"]

FloatArray = npt.NDArray[np.float64]

_LEAST = 1e-6  # of 1 + cosine, and of a length
_NEGLIGIBLE = 1e-3  # share of a non-negative curve below which a term is dropped
_ITERATIONS = 300


@dataclass(frozen=True)
class Fit:
    """What the coefficients are fitted on: n events with m candidates each, the target first.

    Attributes:
        products: (n, m, K + 1) of each candidate with each sum, and last with the prior.
        lengths: (n, K + 1, K + 1) of sums and prior with each other.
        log_ages: (n, m) -log 2 x age / item half-life, natural logarithms; None for `cosine`.
        barred: (n, m) True for what is no candidate and only fills the row.
    """

    products: npt.NDArray[np.float32]
    lengths: FloatArray
    log_ages: FloatArray | None
    barred: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.products)


@dataclass(frozen=True)
class LearnedCurve:
    """f(a) = sum_j c_j 2^(-a/h_j), as fitted.

    Attributes:
        coefficients: (K,) over the bank; of a non-negative curve f(0) = 1, of a free one the largest |f| is 1.
        half_lives_s: (K - 1,) of the bank.
        is_free: Whether coefficients may be negative.
        l2: Strength of the penalty.
        loss: Mean of the softmax loss per event, without the penalty.
    """

    coefficients: tuple[float, ...]
    half_lives_s: tuple[float, ...]
    is_free: bool
    l2: float
    loss: float

    @property
    def name(self) -> str:
        """`non-negative, l2 0.01`."""
        return f"{'free' if self.is_free else 'non-negative'}, l2 {self.l2:g}"

    def weights(self, age_s: npt.ArrayLike) -> FloatArray:
        """F at some ages in seconds; may be negative where the curve is free."""
        return np.asarray(Bank(self.half_lives_s).factors(age_s) @ np.asarray(self.coefficients))

    def to_json(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "name": self.name,
            "coefficients": list(self.coefficients),
            "half_lives_s": list(self.half_lives_s),
            "l2": self.l2,
            "loss": self.loss,
        }


def fit_curve(
    data: Fit, *, l2: float, free: bool, prior_weight: float, bank: Bank = DEFAULT_BANK, start: Sequence[float] = ()
) -> LearnedCurve:
    """Fit the coefficients by L-BFGS, deterministically.

    Args:
        data: Events and candidates, n > 0.
        l2: Penalty on the squared coefficients of a free curve; of a non-negative one, whose coefficients are shares
            that sum to 1, on their squared logarithms, which pulls towards equal shares.
        free: Whether coefficients may be negative.
        prior_weight: kappa, next to an event of age 0 that weighs f(0).
        bank: What the sums are of.
        start: (K,) coefficients to start from, >= 0; equal shares where empty.
    """
    size = bank.size
    shares = np.asarray(start if len(start) else np.full(size, 1 / size), np.float64)
    shares = (shares + 1e-3) / (shares + 1e-3).sum()
    begin = np.append(shares if free else np.log(shares) - np.log(shares).mean(), np.log(10.0))

    def objective(x: FloatArray) -> tuple[float, FloatArray]:
        c = x[:-1] if free else softmax(x[:-1])
        loss, of_c, of_beta = _loss(data, np.append(c, prior_weight), float(np.exp(np.clip(x[-1], -5, 7))))
        of_x = of_c[:-1] if free else c * (of_c[:-1] - of_c[:-1] @ c)
        penalty, gradient = l2 * float(x[:-1] @ x[:-1]), np.append(of_x + 2 * l2 * x[:-1], of_beta)
        return loss + penalty, gradient

    found = minimize(objective, begin, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    c = found.x[:-1] if free else softmax(found.x[:-1])
    loss = _loss(data, np.append(c, prior_weight), float(np.exp(np.clip(found.x[-1], -5, 7))))[0]
    return LearnedCurve(tuple(_scaled(c, bank, free=free)), bank.half_lives_s, free, l2, loss)


def _scaled(c: FloatArray, bank: Bank, *, free: bool) -> list[float]:
    if not free:
        c = np.where(c < _NEGLIGIBLE, 0.0, c)
        return [float(x) for x in c / c.sum()]
    ages = np.concatenate([[0.0], np.geomspace(60, 10 * 365.25 * 86_400, 500)])
    largest = float(np.abs(bank.factors(ages) @ c).max())
    return [float(x) for x in c / (largest or 1.0)]


def _loss(data: Fit, c: FloatArray, beta: float) -> tuple[float, FloatArray, float]:
    """Mean softmax loss, its gradient by the K + 1 coefficients, and by log beta."""
    products = data.products @ c.astype(np.float32)
    turned = data.lengths @ c  # (n, K + 1)
    length = np.sqrt(np.maximum(turned @ c, _LEAST**2))
    cosines = products / length[:, None]
    if data.log_ages is None:
        scores, slopes = cosines, np.ones_like(cosines)
    else:
        half = np.maximum(1 + cosines, _LEAST)
        scores, slopes = np.log(half / 2) + data.log_ages, 1 / half
    logits = np.where(data.barred, -np.inf, beta * scores)
    total = logsumexp(logits, axis=1)
    loss = float((total - logits[:, 0]).mean())
    wrong = np.exp(logits - total[:, None])
    wrong[:, 0] -= 1
    wrong /= len(data)
    pull = np.where(data.barred, 0.0, beta * wrong * slopes) / length[:, None]
    of_c = (pull.astype(np.float32).ravel() @ data.products.reshape(pull.size, -1)).astype(np.float64)
    of_c -= ((pull * cosines).sum(1) / length) @ turned
    of_beta = beta * float(np.where(data.barred, 0.0, wrong * scores).sum())
    return loss, of_c, of_beta
