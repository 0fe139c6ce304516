"""Recommendation: the items closest to a profile."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.index.question import Question
from dynprof.items import ItemCatalogue
from dynprof.scoring import METRICS, Metric, Ranking, check_metric, score, top_k

__all__ = [
    "DEFAULT_ITEM_HALF_LIFE",
    "DEFAULT_METRIC",
    "METRICS",
    "AskedMetric",
    "Metric",
    "Question",
    "Ranking",
    "question",
    "recommend",
    "score",
    "top_k",
]

DEFAULT_METRIC: Metric = "cosine_time"
"""On real reposts a ranking that ignores the age of the candidate loses to a sort by date (docs/serving.md)."""

DEFAULT_ITEM_HALF_LIFE = "2d"

AskedMetric = Literal[Metric, "ranker"]
"""What a question may name: a similarity, or the ranker (dynprof/ranker), which falls back to `DEFAULT_METRIC`."""


def recommend(
    catalogue: ItemCatalogue,
    profile: npt.NDArray[np.floating],
    *,
    k: int,
    as_of_us: int,
    metric: Metric = DEFAULT_METRIC,
    item_decay: Decay | None = None,
    excluded: npt.NDArray[np.int64] | None = None,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> Ranking:
    """The k items with the highest score among all that appeared strictly before a time.

    Exact, unless the catalogue has an approximate index: then exact scores of most of them (docs/index.md). Several
    profiles at once are cheaper: make a `question` of each and ask `catalogue.index.search`.

    Args:
        catalogue: What can be recommended, added items included, removed ones not.
        profile: (dim,) of the user.
        k: Number of items, > 0; fewer come back only when there are fewer.
        as_of_us: Microseconds since 1970.
        metric: See `score`.
        item_decay: f_item, how fast candidates age; needed by `cosine_time`, default exponential at 2 days.
        excluded: Rows never to return; others take their place, so that k come back when k exist.
        allowed: (n,) rows that may be returned, as of `ItemCatalogue.allowed`; None: all.

    Raises:
        ConfigError: Unknown metric.
    """
    asked = question(
        profile, k=k, as_of_us=as_of_us, metric=metric, item_decay=item_decay, excluded=excluded, allowed=allowed
    )
    return catalogue.index.search([asked])[0]


def question(
    profile: npt.NDArray[np.floating],
    *,
    k: int,
    as_of_us: int,
    metric: Metric = DEFAULT_METRIC,
    item_decay: Decay | None = None,
    excluded: npt.NDArray[np.int64] | None = None,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> Question:
    """What `recommend` asks the index, checked and with its defaults filled in; arguments as there.

    Raises:
        ConfigError: Unknown metric.
    """
    check_metric(metric)
    decay = item_decay or Decay("exponential", DEFAULT_ITEM_HALF_LIFE)
    return Question(profile, k, as_of_us, metric, decay, excluded, allowed)
