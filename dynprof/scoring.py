"""What a candidate is worth: the three similarities, and the best of many scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError

__all__ = ["METRICS", "Metric", "Ranking", "check_metric", "score", "score_of_cosine", "top_k"]

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int64]

Metric = Literal["cosine_time", "cosine", "basic"]
METRICS: tuple[Metric, ...] = get_args(Metric)
"""The three similarities of arXiv 2407.07925."""


@dataclass(frozen=True)
class Ranking:
    """The best candidates, best first.

    Attributes:
        rows: (m,) rows of the catalogue, m <= k.
        scores: (m,) float64, falling.
    """

    rows: IntArray
    scores: npt.NDArray[np.float64]


def check_metric(metric: str) -> None:
    """Raise `ConfigError` for a metric that is none."""
    if metric not in METRICS:
        raise ConfigError(f"metric: expected one of {', '.join(METRICS)}, found {metric!r}.")


def score(
    profile: FloatArray, vectors: npt.NDArray[np.float32], *, metric: Metric, time_weights: FloatArray | None = None
) -> npt.NDArray[np.float64]:
    """How well each candidate suits a profile. A score depends on the profile and the candidate alone.

    Args:
        profile: (dim,) any norm; the zero vector is as close to everything as to nothing (cosine 0).
        vectors: (n, dim) norm 1 (or 0).
        metric: `basic`: p.x. `cosine`: p.x / |p|. `cosine_time`: (1 + cosine) / 2 x time weight; the shift comes first
            because a weight below 1 would raise a negative cosine.
        time_weights: (n,) f_item(age) in [0, 1]; needed by `cosine_time`.

    Returns:
        (n,) float64.

    Raises:
        ConfigError: Unknown metric, or `cosine_time` without weights.
    """
    check_metric(metric)
    products: npt.NDArray[np.float64] = (vectors @ np.asarray(profile, np.float32)).astype(np.float64)
    norm = float(np.linalg.norm(profile))
    cosines: npt.NDArray[np.float64] = np.clip(products / (norm or 1.0), -1.0, 1.0)
    return products if metric == "basic" else score_of_cosine(cosines, norm, metric=metric, time_weights=time_weights)


def score_of_cosine(
    cosines: FloatArray, norm: float, *, metric: Metric, time_weights: FloatArray | None = None
) -> npt.NDArray[np.float64]:
    """The score of candidates whose cosine with the profile is known; it never falls where a cosine rises.

    Args:
        cosines: (n,) in [-1, 1].
        norm: Of the profile; only `basic` needs it.
        metric: See `score`.
        time_weights: See `score`.

    Raises:
        ConfigError: `cosine_time` without weights.
    """
    if metric == "basic":
        return np.asarray(cosines * norm, np.float64)
    if metric == "cosine":
        return np.asarray(cosines, np.float64)
    if time_weights is None:
        raise ConfigError("time_weights: expected the weight of each candidate's age for cosine_time, found None.")
    return np.asarray((1 + cosines) / 2 * time_weights, np.float64)


def top_k(scores: FloatArray, k: int) -> IntArray:
    """Positions of the k largest scores, largest first; of equal ones the later position, which is the newer item.

    Args:
        scores: (n,) without NaN; -inf marks what must not be returned.
        k: > 0.

    Returns:
        (min(k, number of finite scores),) int64.
    """
    k = min(k, int(np.count_nonzero(scores > -np.inf)))
    if k == 0:
        return np.empty(0, np.int64)
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    above = np.flatnonzero(scores > least)
    ties = np.flatnonzero(scores == least)[len(above) - k :]
    chosen = np.concatenate([above, ties])
    return chosen[np.lexsort((-chosen, -scores[chosen]))]
