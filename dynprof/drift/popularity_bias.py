"""Whether the popular is served more than its due: by activity group and list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from dynprof.drift.lists import LIST_METRICS
from dynprof.evaluation.item_counts import ItemCounts
from dynprof.evaluation.list_metrics import coverage, gini, popularity
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.slices import ACTIVITY
from dynprof.profile import MICROSECONDS

__all__ = ["GROUPS", "NEW_DAYS", "activity_group", "list_numbers", "rank_correlation"]

GROUPS = tuple(name for _, name in ACTIVITY)
NEW_DAYS = 7
_WHOLE = "all"


def activity_group(n_events: npt.NDArray[np.integer]) -> npt.NDArray[np.str_]:
    """The group of users with so many events."""
    bounds = [bound for bound, _ in ACTIVITY]
    return np.array(GROUPS)[np.searchsorted(bounds, n_events, side="right")]


def list_numbers(
    lists: npt.NDArray[np.int32], n_events: npt.NDArray[np.integer], log: EventLog, as_of_us: int
) -> Iterator[Mapping[str, object]]:
    """One row a metric and group; a group without users, or without items for them, has none.

    Args:
        lists: (n, metrics, k) items of n users, `NOTHING` beyond the candidates.
        n_events: (n,) of each.
        log: All events before the time.
        as_of_us: Now.
    """
    is_new = log.first_us >= as_of_us - NEW_DAYS * 86_400 * MICROSECONDS
    group, counts = activity_group(n_events), ItemCounts(log)
    for number, metric in enumerate(LIST_METRICS):
        for name in (_WHOLE, *GROUPS):
            mine = lists[(group == name) | (name == _WHOLE), number]
            places = mine[mine >= 0]
            if len(places):
                now = np.full(len(mine), as_of_us, np.int64)
                yield {
                    "metric": metric,
                    "group": name,
                    "n_users": len(mine),
                    "arp": float(np.nanmean(popularity(mine, now, counts))),
                    "catalogue_arp": len(log) / log.n_items,
                    "gini": gini(mine, log.n_items),
                    "coverage": coverage(mine, log.n_items),
                    "new_share": float(is_new[places].mean()),
                    "catalogue_new_share": float(is_new.mean()),
                }


def rank_correlation(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> tuple[float, float] | None:
    """Spearman's rho and its p; None with fewer than three pairs or where one side is constant."""
    if len(a) < 3 or not np.ptp(a) or not np.ptp(b):
        return None
    found = spearmanr(a, b)
    return float(found.statistic), float(found.pvalue)
