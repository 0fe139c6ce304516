"""The numbers that the network sees of one candidate. Training, evaluation and serving call `describe`, nobody else.

A row depends on the user's past, the time and the item only: never on the other candidates. Of the item it says what
*others* did: what the user did is in the user's past, so an event can be taken out of it and the rest stays true.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.bank import Bank
from dynprof.ranker.affinity import LAG_EDGES, N_LAGS, Affinity, lag_of
from dynprof.ranker.content import Content
from dynprof.ranker.past import Past, minutes
from dynprof.ranker.traces import slices, sums

__all__ = ["FEATURES_VERSION", "describe", "feature_names"]

FloatArray = npt.NDArray[np.float64]
Items = npt.NDArray[np.integer]

FEATURES_VERSION = "dynprof-ranker/1"
"""Changes whenever `describe` gives another number for anything."""

_POPULAR_MINUTES = (5, 15, 60, 240, 1440, 10080)
_RATE_MINUTES = (15.0, 120.0)
_EVENTS_AN_ITEM = 500  # the latest: sums that decay need no more
_HABIT_DAYS = 7.0
_USUAL_HABITS = np.array([4.0, 1.6, 1.6, 2.0])  # of somebody of whom nothing is known, with the weight of half an event
_USUAL_WEIGHT = 0.5
_LONG_AGO = 12.0  # log(1 + minutes), about 16 weeks: of users without events
_RECENT_GAPS = 5

_ITEM = ["age", "newer", "idle", "count", *(f"popular {m}m" for m in _POPULAR_MINUTES)]
_TIES = [
    *("alike", "alike today", "alike close", "alike ahead"),
    *("alike fresh", "alike today fresh", "alike close fresh"),
    *("lag", "lag share", "lag fit", "alike mean", "alike most", "alike latest", "alike last"),
]
_OWN = [
    *("age less habit", "count less habit", "newer less habit", "idle less habit"),
    *("habit age", "habit count", "habit newer", "habit idle"),
    *("age habitual", "first share", "silence", "gap", "events", "language", "author"),
]
_WORLD = [f"rate {m:.0f}m" for m in _RATE_MINUTES]


def feature_names(bank: Bank) -> list[str]:
    """Names of the columns of `describe`, in order."""
    spans = [*(f"{h / 86_400:.3g}d" for h in bank.half_lives_s), "static"]
    return [
        *_ITEM,
        *_TIES,
        *_OWN,
        *_WORLD,
        *(f"cosine {s}" for s in spans),
        "cosine last",
        *(f"mass {s}" for s in spans),
    ]


def describe(
    past: Past, affinity: Affinity, content: Content, items: Items, vectors: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    """The features of some items for one user at one time.

    Args:
        past: Of the user; its time is the time.
        affinity: Of the same past.
        content: Of the same user, as of the same time.
        items: (n,) that appeared strictly before the time.
        vectors: (n, dim) of the items.

    Returns:
        (n, features) float32, named by `feature_names`.
    """
    of_item, met = _of_items(past, items)
    ties = _of_ties(affinity, met, len(items))
    own = _of_habits(past, items, of_item[:, [0, 3, 1, 2]])
    n = len(items)
    world = np.broadcast_to(_of_world(past), (n, len(_WORLD)))
    masses = np.broadcast_to(np.log1p(content.masses), (n, len(content.masses)))
    return np.hstack([of_item, ties, own, world, content.cosines(vectors), masses]).astype(np.float32)


class _Met:
    """Who else met the items: m latest events before the time, each with the row of its item and its age in minutes."""

    def __init__(self, past: Past, items: Items) -> None:
        traces = past.traces
        stops, starts = traces.stops_of_items(items, past.as_of_us), traces.item_starts[items]
        positions, row = slices(np.maximum(starts, stops - _EVENTS_AN_ITEM), stops)
        foreign = traces.item_users[positions] != past.user
        self.row, positions = row[foreign], positions[foreign]
        self.users = traces.item_users[positions]
        self.ages = minutes(past.as_of_us - traces.item_at_us[positions])
        own = np.bincount(row[~foreign], minlength=len(items))
        self.n_events = np.maximum(stops - starts - own, 0)
        self.n_items = len(items)

    def total(self, weights: npt.NDArray[Any]) -> FloatArray:
        """(n,) sum by item."""
        return sums(self.row, weights, self.n_items)

    def largest(self, weights: FloatArray) -> FloatArray:
        """(n,) largest by item, 0 without events."""
        found = np.zeros(self.n_items)
        np.maximum.at(found, self.row, weights)
        return found


def _of_items(past: Past, items: Items) -> tuple[FloatArray, _Met]:
    """(n, features) of the items alone; and who met them."""
    met = _Met(past, items)
    traces = past.traces
    age = minutes(past.as_of_us - traces.first_us[items])
    idle = np.minimum(age, _smallest(met, age))
    newer = traces.catalogue(past.as_of_us) - 1 - items
    popular = [met.total(np.exp2(-met.ages / m)) for m in _POPULAR_MINUTES]
    return np.log1p(np.stack([age, newer, idle, met.n_events, *popular], axis=1)), met


def _smallest(met: _Met, otherwise: FloatArray) -> FloatArray:
    found = otherwise.copy()
    np.minimum.at(found, met.row, met.ages)
    return found


def _of_ties(affinity: Affinity, met: _Met, n: int) -> FloatArray:
    """(n, features) of how users with common items took to the items."""
    if not len(affinity.users):
        empty = np.zeros((n, len(_TIES)))
        empty[:, _TIES.index("lag share")] = np.log(1e-4)
        return empty
    row, known = affinity.find(met.users)
    fresh = np.exp2(-met.ages / 60)
    long = affinity.long[row] * known
    at_lag = affinity.by_lag[row, lag_of(met.ages)] * known
    sums = [
        *(met.total(values[row] * known) for values in (affinity.long, affinity.short, affinity.close, affinity.ahead)),
        *(met.total(values[row] * known * fresh) for values in (affinity.long, affinity.short, affinity.close)),
    ]
    whole, of_long, of_lag = affinity.long.sum(), sums[0], met.total(at_lag)
    columns = [
        *map(np.log1p, sums),
        np.log1p(of_lag),
        np.log(1e-4 + of_lag / whole),
        of_lag / (1e-9 + of_long),
        np.log1p(of_long / np.maximum(met.n_events, 1)),
        met.largest(long) / affinity.long.max(),
        np.log1p(met.total((affinity.latest[row] > 0) * known.astype(np.float64))),
        np.log1p(met.total(affinity.last[row] * known)),
    ]
    return np.stack(columns, axis=1)


def _of_habits(past: Past, items: Items, candidates: FloatArray) -> FloatArray:
    """(n, features) of what the user usually takes to.

    Args:
        past: Of the user.
        items: (n,).
        candidates: (n, 4) of the items what `Past.habits` has of the user's events.
    """
    n, weights = len(items), np.exp2(-past.ages / (_HABIT_DAYS * 24 * 60))
    joining = weights * past.joined
    usual = (joining @ past.habits + _USUAL_WEIGHT * _USUAL_HABITS) / (joining.sum() + _USUAL_WEIGHT)
    bins = np.bincount(lag_of(np.expm1(past.habits[:, 0])), joining, N_LAGS) + 0.2
    at_age = np.log(bins / bins.sum())[np.digitize(np.expm1(candidates[:, 0]), LAG_EDGES)]
    first = (weights.sum() - joining.sum() + 0.1) / (weights.sum() + 0.2)
    gaps = minutes(np.diff(past.at_us[-_RECENT_GAPS - 1 :]))
    silence = np.log1p(past.ages[-1]) if len(past) else _LONG_AGO
    gap = np.log1p(gaps.mean()) if len(gaps) else _LONG_AGO
    same_for_all = np.array([*usual, first, silence, gap, np.log1p(past.n_events)])
    told = np.broadcast_to(same_for_all, (n, len(same_for_all)))
    tags = [_own_share(past, items, weights, tag) for tag in (past.traces.tags.languages, past.traces.tags.authors)]
    parts = [candidates - usual, told[:, :4], at_age[:, None], told[:, 4:], *(t[:, None] for t in tags)]
    return np.hstack(parts)


def _own_share(past: Past, items: Items, weights: FloatArray, tags: npt.NDArray[np.int32]) -> FloatArray:
    """(n,) log share of the user's events whose item has the same tag; 0 for items without a tag."""
    own, wanted = tags[past.items], tags[items]
    same = (own[None, :] == wanted[:, None]) @ weights
    return np.where(wanted < 0, 0.0, np.log((same + 0.01) / (weights @ (own >= 0) + 0.1)))


def _of_world(past: Past) -> FloatArray:
    """How much others did lately."""
    traces, found = past.traces, []
    stop = traces.n_before(past.as_of_us)
    for span in _RATE_MINUTES:
        start = traces.n_before(past.as_of_us - int(span * 60_000_000))
        found.append(np.log1p(np.count_nonzero(traces.users[start:stop] != past.user)))
    return np.array(found)
