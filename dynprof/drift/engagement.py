"""Engagement: whether what was shown was taken up more often. Only where the log says what was shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.drift.bucket import BucketTrails
from dynprof.drift.spec import MonitorSpec
from dynprof.evaluation.bootstrap import MIN_USERS, bootstrap_means, percentile_interval

__all__ = ["Lift", "engaged_pairs", "lift"]

IntArray = npt.NDArray[np.int64]

PAIRS = ("shown", "shown_taken", "other_taken")
"""By user: distinct items shown; of these taken up afterwards; items taken up that were never shown."""


@dataclass(frozen=True)
class Lift:
    """How much more often the shown is taken up than the rest.

    Attributes:
        n_users: Users who were shown something.
        n_shown: (user, item) pairs shown.
        shown_rate: Share of them that the user took up afterwards.
        other_rate: Share of the pairs not shown that the user took up.
        lift: The ratio; None where nothing else was taken up.
        low: 95 % bootstrap over users; None with fewer than 10 of them.
        high: Likewise.
    """

    n_users: int
    n_shown: int
    shown_rate: float
    other_rate: float
    lift: float | None
    low: float | None
    high: float | None


def engaged_pairs(bucket: BucketTrails, spec: MonitorSpec) -> pa.Table:
    """The counts of `PAIRS` of each user of a bucket who was shown something; no row where the log does not say."""
    log = bucket.log
    is_shown = np.asarray(pc.is_in(bucket.event_types, value_set=pa.array(spec.shown, pa.string())))
    pair = log.users.astype(np.int64) * max(log.n_items, 1) + log.items
    shown, shown_us = _first(pair[is_shown], log.event_us[is_shown])
    taken, taken_us = _last(pair[~is_shown & (log.weights > 0)], log.event_us[~is_shown & (log.weights > 0)])
    place = np.searchsorted(taken, shown).clip(max=max(len(taken) - 1, 0))
    both = (taken[place] == shown) & (taken_us[place] >= shown_us) if len(taken) else np.zeros(len(shown), np.bool_)
    n, width = len(bucket.user_ids), max(log.n_items, 1)
    other = taken[~np.isin(taken, shown)]  # what was taken up and only then shown is among the shown
    counts = [np.bincount(p // width, minlength=n) for p in (shown, shown[both], other)]
    rows = np.flatnonzero(counts[0])
    return pa.table({name: c[rows].astype(np.int64) for name, c in zip(PAIRS, counts, strict=True)})


def lift(pairs: pa.Table, n_items: int) -> Lift | None:
    """The lift over all users; None where nothing was shown.

    Args:
        pairs: Of all buckets.
        n_items: Items that could have been shown.
    """
    if not len(pairs):
        return None
    shown, hit, other = (pairs[name].to_numpy().astype(np.float64) for name in PAIRS)
    sums = np.column_stack([shown, hit, n_items - shown, other])
    total = sums.mean(axis=0)
    shown_rate, other_rate = total[1] / total[0], total[3] / max(total[2], 1.0)
    low = high = None
    if len(pairs) >= MIN_USERS and other_rate > 0:
        drawn = bootstrap_means(sums, np.arange(len(pairs)))
        ratios = (drawn[:, 1] / drawn[:, 0]) / np.maximum(drawn[:, 3] / drawn[:, 2], 1e-12)
        low, high = (float(b[0]) for b in percentile_interval(ratios[:, None]))
    value = float(shown_rate / other_rate) if other_rate > 0 else None
    return Lift(len(pairs), int(shown.sum()), float(shown_rate), float(other_rate), value, low, high)


def _first(pair: IntArray, at_us: IntArray) -> tuple[IntArray, IntArray]:
    """Each pair once, sorted, with its first time."""
    order = np.lexsort((at_us, pair))
    found, where = np.unique(pair[order], return_index=True)
    return found, at_us[order][where]


def _last(pair: IntArray, at_us: IntArray) -> tuple[IntArray, IntArray]:
    found, minus = _first(pair, -at_us)
    return found, -minus
