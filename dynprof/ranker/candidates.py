"""The few hundred items that are worth a score: the newest, the much met, those of users alike, those like the profile.

Every source is a function of user and time. What no source names stands below all candidates, tied.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from dynprof.ranker.affinity import Affinity
from dynprof.ranker.past import Past, minutes
from dynprof.ranker.traces import Traces, slices, sums

__all__ = ["NEAREST", "NEAREST_HALF_LIVES_D", "Wanted", "candidates_of"]

FloatArray = npt.NDArray[np.float64]
Items = npt.NDArray[np.integer]
_Int = TypeVar("_Int", bound=np.integer)

NEAREST = 20
"""Items nearest to the profile, at each of `NEAREST_HALF_LIVES_D`."""

NEAREST_HALF_LIVES_D = (1.0, 60.0)
"""A short and a long half-life of the profile, in days; the bank's nearest ones are taken."""

_NEWEST, _POPULAR, _ALIKE, _NEIGHBOURS_ITEMS = 100, 60, 60, 100
_POPULAR_MINUTES = (15.0, 240.0, 2880.0)
_RECENT_EVENTS = 3_000
_ALIKE_MINUTES = 360.0
_NEIGHBOURS, _EVENTS_A_NEIGHBOUR, _NEIGHBOURS_DAYS = 40, 40, 10.0


@dataclass(frozen=True)
class Wanted:
    """Which items may be candidates.

    Attributes:
        excluded: Items that may not; None: all may.
    """

    excluded: npt.NDArray[np.int32] | None = None

    def keep(self, items: npt.NDArray[_Int]) -> npt.NDArray[_Int]:
        """Those of some items that may, in their order."""
        return items if self.excluded is None else items[~np.isin(items, self.excluded)]


def candidates_of(
    past: Past, affinity: Affinity, wanted: Wanted, nearest: Sequence[Items] = ()
) -> npt.NDArray[np.int64]:
    """Items that appeared strictly before the time of a past, rising.

    Args:
        past: Of the user.
        affinity: Of the same past.
        wanted: Which items may be candidates.
        nearest: What profiles bring, items that appeared before the time.
    """
    traces, at_us = past.traces, past.as_of_us
    catalogue = traces.catalogue(at_us)
    found = [_newest(catalogue, wanted), *(wanted.keep(items) for items in nearest)]
    stop = traces.n_before(at_us)
    recent = slice(max(0, stop - _RECENT_EVENTS), stop)
    items, row = np.unique(traces.items[recent], return_inverse=True)
    ages = minutes(at_us - traces.at_us[recent])
    others = traces.users[recent]
    foreign = others != past.user
    for half_life in _POPULAR_MINUTES:
        score = sums(row, np.exp2(-ages / half_life) * foreign, len(items))
        found.append(_best(items, score, _POPULAR, wanted))
    alike, known = affinity.find(others)
    if len(affinity.users):
        weights = affinity.long[alike] * known * np.exp2(-ages / _ALIKE_MINUTES)
        found.append(_best(items, sums(row, weights, len(items)), _ALIKE, wanted))
        found.append(_of_neighbours(traces, affinity, at_us, wanted))
    return np.unique(np.concatenate(found)).astype(np.int64)


def _newest(catalogue: int, wanted: Wanted) -> Items:
    """The last items that may; looks at twice as many until there are enough."""
    span = _NEWEST
    while True:
        items = wanted.keep(np.arange(max(0, catalogue - span), catalogue))
        if len(items) >= _NEWEST or span >= catalogue:
            return items[-_NEWEST:]
        span *= 2


def _of_neighbours(traces: Traces, affinity: Affinity, at_us: int, wanted: Wanted) -> Items:
    """What the users most alike met last."""
    nearest = np.lexsort((affinity.users, -affinity.long))[:_NEIGHBOURS]
    users = affinity.users[nearest]
    stops = traces.stops_of_users(users, at_us)
    positions, row = slices(np.maximum(traces.user_starts[users], stops - _EVENTS_A_NEIGHBOUR), stops)
    items, item = np.unique(traces.user_items[positions], return_inverse=True)
    days = minutes(at_us - traces.user_at_us[positions]) / (24 * 60)
    weights = affinity.long[nearest][row] * np.exp2(-days / _NEIGHBOURS_DAYS)
    return _best(items, sums(item, weights, len(items)), _NEIGHBOURS_ITEMS, wanted)


def _best(items: Items, scores: FloatArray, k: int, wanted: Wanted) -> Items:
    """The k items with the largest scores above 0, ties by the lower number."""
    kept = wanted.keep(items)
    scores = scores[np.searchsorted(items, kept)]
    kept, scores = kept[scores > 0], scores[scores > 0]
    return kept[np.lexsort((kept, -scores))[:k]]
