"""What a rank is worth. Ties are not broken: a metric is its expected value over a random order of the tied.

So a scorer that gives every item the same score gets what chance gets, and ndcg equals scikit-learn's `ndcg_score`,
which averages over ties too.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.special import digamma

from dynprof.errors import ConfigError

__all__ = ["DEFAULT_METRICS", "Metric", "hit_rate", "metric", "ndcg", "reciprocal_rank"]

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Metric = Callable[[Counts, Counts], Values]
"""From (candidates above the target, others tied with it), any shape, to values in [0, 1] of that shape."""

DEFAULT_METRICS = ("hit_rate@10", "ndcg@10", "mrr")


def hit_rate(above: Counts, tied: Counts, k: int) -> Values:
    """Probability that the target is among the first k: 1 or 0 without ties."""
    return np.asarray(np.clip((k - above) / (tied + 1), 0.0, 1.0), np.float64)


def ndcg(above: Counts, tied: Counts, k: int) -> Values:
    """Normalised discounted cumulative gain of one relevant item: 1 / log2(1 + rank) up to rank k, else 0."""
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))])
    return np.asarray((gains[np.minimum(above + tied + 1, k)] - gains[np.minimum(above, k)]) / (tied + 1))


def reciprocal_rank(above: Counts, tied: Counts) -> Values:
    """Mean of 1 / rank; its mean over events is MRR."""
    over_ties = (digamma(above + tied + 2.0) - digamma(above + 1.0)) / (tied + 1)
    return np.where(tied == 0, 1 / (above + 1.0), over_ties)


_AT_K: dict[str, Callable[[Counts, Counts, int], Values]] = {"hit_rate": hit_rate, "ndcg": ndcg}
_WHOLE: dict[str, Metric] = {"mrr": reciprocal_rank}


def metric(name: str) -> Metric:
    """The metric of a name such as `hit_rate@10`, `ndcg@5` or `mrr`.

    Raises:
        ConfigError: No metric of that name.
    """
    if name in _WHOLE:
        return _WHOLE[name]
    match = re.fullmatch(r"(\w+)@([1-9]\d*)", name)
    if match and match[1] in _AT_K:
        function, k = _AT_K[match[1]], int(match[2])
        return lambda above, tied: function(above, tied, k)
    known = ", ".join([*(f"{n}@K" for n in _AT_K), *_WHOLE])
    raise ConfigError(f"metric: expected one of {known} with K >= 1, found {name!r}.")
