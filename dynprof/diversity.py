"""Diversity: of good candidates, those that are not all the same."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["diversify", "pool_size"]

_LEAST_POOL = 200


def pool_size(k: int) -> int:
    """How many of the best candidates k are chosen among."""
    return max(_LEAST_POOL, 3 * k)


def diversify(
    scores: npt.NDArray[np.float64], vectors: npt.NDArray[np.float32], k: int, diversity: float
) -> npt.NDArray[np.int64]:
    """Choose one after the other by maximal marginal relevance.

    The next one has the largest (1 - d) relevance - d similarity. Relevance is the score, stretched so that the pool
    spans 0..1; similarity is (1 + cosine) / 2 to the most similar of those chosen before. Both have one scale, so `d`
    means the same for every metric. The first is always the best; at d = 0 the order stays, at d = 1 scores only
    decide ties.

    Args:
        scores: (n,) falling, finite.
        vectors: (n, dim) norm 1 (or 0).
        k: How many to choose, > 0.
        diversity: d in [0, 1]; 1 is the most diverse.

    Returns:
        (min(k, n),) positions, in the order of choice.

    Source: Carbonell and Goldstein 1998.
    """
    n = len(scores)
    if diversity == 0 or n == 0:
        return np.arange(min(k, n))
    spread = scores[0] - scores[-1]
    relevance = (scores - scores[-1]) / spread if spread > 0 else np.ones(n)
    similarity = (1 + np.clip(vectors @ vectors.T, -1, 1)) / 2
    nearest, open_ = np.zeros(n), np.ones(n, np.bool_)
    chosen: list[int] = []
    for _ in range(min(k, n)):
        value = np.where(open_, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        best = int(value.argmax())  # of equal ones the first, which has the higher score
        chosen.append(best)
        open_[best] = False
        nearest = np.maximum(nearest, similarity[best])
    return np.array(chosen, np.int64)
