"""Whether the popular is served more than its due: by activity group and list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from dynprof.drift.lists import LIST_METRICS, Listed
from dynprof.profile import MICROSECONDS

__all__ = ["GROUPS", "NEW_DAYS", "activity_group", "gini", "list_numbers", "rank_correlation"]

GROUPS = ("0", "1-9", "10-99", "100+")
NEW_DAYS = 7
_BOUNDS = (1, 10, 100)
_WHOLE = "all"


def activity_group(n_events: npt.NDArray[np.integer]) -> npt.NDArray[np.str_]:
    """The group of users with so many events."""
    return np.array(GROUPS)[np.searchsorted(_BOUNDS, n_events, side="right")]


def gini(counts: npt.NDArray[np.integer]) -> float:
    """How unequal counts are: 0 when all are alike, towards 1 when one has everything; NaN where all are 0.

    Source: the mean difference form, e.g. Fleder, Hosanagar, Management Science 2009.
    """
    values = np.sort(np.asarray(counts, np.float64))
    total, n = values.sum(), len(values)
    if not total:
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ values / (n * total))


def list_numbers(
    listed: Listed,
    n_events: npt.NDArray[np.integer],
    item_counts: npt.NDArray[np.integer],
    first_us: npt.NDArray[np.int64],
    as_of_us: int,
) -> Iterator[Mapping[str, object]]:
    """One row a metric and group; a group without users has none.

    Args:
        listed: Of n users.
        n_events: (n,) of each.
        item_counts: (n_items,) events of each item.
        first_us: (n_items,) when they appeared.
        as_of_us: Now.
    """
    is_new = first_us >= as_of_us - NEW_DAYS * 86_400 * MICROSECONDS
    group = activity_group(n_events)
    for number, metric in enumerate(LIST_METRICS):
        for name in (_WHOLE, *GROUPS):
            rows = np.flatnonzero(group == name) if name != _WHOLE else np.arange(len(group))
            places = listed.items[rows, number].ravel()
            places = places[places >= 0]
            if len(places):
                yield {
                    "metric": metric,
                    "group": name,
                    "n_users": len(rows),
                    "arp": float(item_counts[places].mean()),
                    "catalogue_arp": float(item_counts.mean()),
                    "gini": gini(np.bincount(places, minlength=len(item_counts))),
                    "coverage": len(np.unique(places)) / len(item_counts),
                    "new_share": float(is_new[places].mean()),
                    "catalogue_new_share": float(is_new.mean()),
                }


def rank_correlation(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> tuple[float, float] | None:
    """Spearman's rho and its p; None with fewer than three pairs or where one side is constant."""
    if len(a) < 3 or not np.ptp(a) or not np.ptp(b):
        return None
    found = spearmanr(a, b)
    return float(found.statistic), float(found.pvalue)
