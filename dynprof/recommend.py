"""Recommendation: the items closest to a profile, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.errors import ConfigError
from dynprof.items import ItemCatalogue
from dynprof.profile import age_seconds

__all__ = ["DEFAULT_ITEM_HALF_LIFE", "DEFAULT_METRIC", "METRICS", "Metric", "Ranking", "recommend", "score", "top_k"]

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int64]

Metric = Literal["cosine_time", "cosine", "basic"]
METRICS: tuple[Metric, ...] = get_args(Metric)
"""The three similarities of arXiv 2407.07925."""

DEFAULT_METRIC: Metric = "cosine_time"
"""On real reposts a ranking that ignores the age of the candidate loses to a sort by date (docs/serving.md)."""

DEFAULT_ITEM_HALF_LIFE = "2d"


@dataclass(frozen=True)
class Ranking:
    """The best candidates, best first.

    Attributes:
        rows: (m,) rows of the catalogue, m <= k.
        scores: (m,) float64, falling.
    """

    rows: IntArray
    scores: npt.NDArray[np.float64]


def recommend(
    catalogue: ItemCatalogue,
    profile: FloatArray,
    *,
    k: int,
    as_of_us: int,
    metric: Metric = DEFAULT_METRIC,
    item_decay: Decay | None = None,
    excluded: IntArray | None = None,
) -> Ranking:
    """The k items with the highest score among all that appeared strictly before a time.

    Args:
        catalogue: What can be recommended.
        profile: (dim,) of the user.
        k: Number of items, > 0; fewer come back when there are fewer.
        as_of_us: Microseconds since 1970.
        metric: See `score`.
        item_decay: f_item, how fast candidates age; needed by `cosine_time`, default exponential at 2 days.
        excluded: Rows never to return; others take their place, so that k come back when k exist.

    Raises:
        ConfigError: Unknown metric.
    """
    n = catalogue.n_before(as_of_us)
    weights = None
    if metric == "cosine_time":
        decay = item_decay or Decay("exponential", DEFAULT_ITEM_HALF_LIFE)
        weights = decay.weights(age_seconds(as_of_us, catalogue.created_us[:n]))
    scores = score(profile, catalogue.vectors[:n], metric=metric, time_weights=weights)
    if excluded is not None:
        scores[excluded[excluded < n]] = -np.inf
    best = top_k(scores, k)
    return Ranking(best, scores[best])


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
    if metric not in METRICS:
        raise ConfigError(f"metric: expected one of {', '.join(METRICS)}, found {metric!r}.")
    products: npt.NDArray[np.float64] = (vectors @ np.asarray(profile, np.float32)).astype(np.float64)
    if metric == "basic":
        return products
    norm = float(np.linalg.norm(profile)) or 1.0
    cosines: npt.NDArray[np.float64] = np.clip(products / norm, -1.0, 1.0)
    if metric == "cosine":
        return cosines
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
