"""What a rank is worth. Ties are not broken: a metric is its expected value over a random order of the tied.

So a scorer that gives every item the same score gets what chance gets, and ndcg equals scikit-learn's `ndcg_score`,
which averages over ties too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import digamma

from dynprof.errors import ConfigError
from dynprof.evaluation.contestant import LIST_SIZE

__all__ = [
    "ALL_METRICS",
    "DEFAULT_METRICS",
    "LIST_METRICS",
    "OVERALL_METRICS",
    "Metric",
    "MetricName",
    "hit_rate",
    "metric",
    "mrr",
    "ndcg",
    "parse_metric",
    "reciprocal_rank",
]

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
Metric = Callable[[Counts, Counts], Values]
"""From (candidates above the target, others tied with it), any shape, to values in [0, 1] of that shape."""

DEFAULT_METRICS = ("hit_rate@10", "ndcg@10", "mrr")
"""Of the pipeline: they need no lists."""

LIST_METRICS = ("popularity", "novelty", "diversity", "serendipity", "calibration")
"""One value a test event, from its list or from the popularity ranking beside it."""

OVERALL_METRICS = ("coverage", "gini")
"""One value a method, from all lists."""

_KS = (1, 5, 10, 50)


def _spread(gains: Values, above: Counts, tied: Counts, k: int) -> Values:
    """Mean gain over the places above + 1 to above + tied + 1; (k + 1,) running sums of gains, from 0."""
    return np.asarray((gains[np.minimum(above + tied + 1, k)] - gains[np.minimum(above, k)]) / (tied + 1))


def hit_rate(above: Counts, tied: Counts, k: int) -> Values:
    """Probability that the target is among the first k: 1 or 0 without ties. With one target recall is the same."""
    return np.asarray(np.clip((k - above) / (tied + 1), 0.0, 1.0), np.float64)


def ndcg(above: Counts, tied: Counts, k: int) -> Values:
    """Normalised discounted cumulative gain of one relevant item: 1 / log2(1 + rank) up to rank k, else 0."""
    return _spread(np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, k + 2)))]), above, tied, k)


def mrr(above: Counts, tied: Counts, k: int) -> Values:
    """1 / rank up to rank k, else 0; its mean over events is MRR."""
    return _spread(np.concatenate([[0.0], np.cumsum(1 / np.arange(1, k + 1))]), above, tied, k)


def reciprocal_rank(above: Counts, tied: Counts) -> Values:
    """1 / rank, however far down; its mean over events is MRR without a cut."""
    over_ties = (digamma(above + tied + 2.0) - digamma(above + 1.0)) / (tied + 1)
    return np.where(tied == 0, 1 / (above + 1.0), over_ties)


_AT_K: dict[str, Callable[[Counts, Counts, int], Values]] = {
    "hit_rate": hit_rate,
    "recall": hit_rate,
    "ndcg": ndcg,
    "mrr": mrr,
}

ALL_METRICS = (
    *(f"{name}@{k}" for k in _KS for name in _AT_K),
    "mrr",
    *(f"{name}@10" for name in (*LIST_METRICS, *OVERALL_METRICS)),
)
"""What `--metrics all` means."""


@dataclass(frozen=True)
class MetricName:
    """A metric, taken apart: `ndcg@10` is `ndcg` and 10, `mrr` has no k."""

    name: str
    kind: str
    k: int | None

    @property
    def of_ranks(self) -> bool:
        """Whether the rank is all that it needs."""
        return self.kind in _AT_K

    @property
    def needs_lists(self) -> bool:
        """Whether it looks at the items of lists."""
        return not self.of_ranks and self.kind != "serendipity"

    def of(self, above: Counts, tied: Counts) -> Values:
        """Values of ranks, where they are all that it needs."""
        return reciprocal_rank(above, tied) if self.k is None else _AT_K[self.kind](above, tied, self.k)


def parse_metric(name: str) -> MetricName:
    """Take a name apart.

    Raises:
        ConfigError: No metric of that name, or a list longer than those that are kept.
    """
    if name == "mrr":
        return MetricName(name, name, None)
    match = re.fullmatch(r"(\w+)@([1-9]\d*)", name)
    of_lists = (*LIST_METRICS, *OVERALL_METRICS)
    if match and match[1] in (*_AT_K, *of_lists):
        found = MetricName(name, match[1], int(match[2]))
        if match[1] in of_lists and int(match[2]) > LIST_SIZE:
            raise ConfigError(f"metric {name!r}: expected K <= {LIST_SIZE}, the length of the lists that are kept.")
        return found
    known = ", ".join([*(f"{n}@K" for n in (*_AT_K, *of_lists)), "mrr"])
    raise ConfigError(f"metric: expected one of {known} with K >= 1, found {name!r}.")


def metric(name: str) -> Metric:
    """The metric of a rank of a name such as `hit_rate@10`, `ndcg@5` or `mrr`.

    Raises:
        ConfigError: No such metric.
    """
    found = parse_metric(name)
    if not found.of_ranks:
        raise ConfigError(f"metric: expected one of {', '.join(f'{n}@K' for n in _AT_K)}, mrr, found {name!r}.")
    return found.of
