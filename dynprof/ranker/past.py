"""What a user had done before a time, as the ranker looks at it: the latest events, and how fresh they were then."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dynprof.ranker.traces import Traces, slices

__all__ = ["LATEST_EVENTS", "STRANGER", "Past", "minutes"]

LATEST_EVENTS = 100
"""Events of a user that the ranker looks at, the latest. Profiles look at all of them."""

STRANGER = -1
"""Number of a user without traces."""

_EVENTS_AN_ITEM = 100  # the latest, of which the user's own are none of the others'
_MINUTE_US = 60_000_000


def minutes(span_us: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Microseconds as minutes."""
    return span_us / _MINUTE_US


@dataclass(frozen=True)
class Past:
    """The latest events of one user strictly before a time, oldest first.

    Attributes:
        traces: Everybody's.
        user: Number of the user, whose own traces are no sign of what others do; `STRANGER` for none.
        as_of_us: The time.
        at_us: (m,) int64 microseconds.
        items: (m,) int32.
        n_events: Number of events before the time, those beyond `LATEST_EVENTS` too.
    """

    traces: Traces
    user: int
    as_of_us: int
    at_us: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    n_events: int

    @classmethod
    def of(cls, traces: Traces, user: int, as_of_us: int) -> Past:
        """Of a user of the traces."""
        at_us, items = traces.items_of(user, as_of_us)
        return cls(traces, user, as_of_us, at_us[-LATEST_EVENTS:], items[-LATEST_EVENTS:], len(at_us))

    def without(self, event: int) -> Past:
        """As if one of the m events had not been."""
        return Past(
            self.traces,
            self.user,
            self.as_of_us,
            np.delete(self.at_us, event),
            np.delete(self.items, event),
            self.n_events - 1,
        )

    def __len__(self) -> int:
        return len(self.items)

    @property
    def ages(self) -> npt.NDArray[np.float64]:
        """(m,) minutes since each event."""
        return minutes(self.as_of_us - self.at_us)

    @cached_property
    def habits(self) -> npt.NDArray[np.float64]:
        """(m, 4) of each event's item when the user met it, as log(1 + x).

        x is its age in minutes, the number of others' events on it before, the number of items newer than it, and the
        minutes since the last of those events (a week where there was none).
        """
        traces, items, at_us = self.traces, self.items, self.at_us
        stops, starts = traces.stops_of_items(items, at_us), traces.item_starts[items]
        positions, row = slices(np.maximum(starts, stops - _EVENTS_AN_ITEM), stops)
        foreign = traces.item_users[positions] != self.user
        n_before = stops - starts - np.bincount(row[~foreign], minlength=len(items))
        last = np.full(len(items), np.iinfo(np.int64).min)
        np.maximum.at(last, row[foreign], traces.item_at_us[positions[foreign]])
        known = last > np.iinfo(np.int64).min
        idle = np.where(known, minutes(at_us - np.where(known, last, at_us)), 7 * 24 * 60)
        newer = np.maximum(np.searchsorted(traces.first_us, at_us) - items - 1, 0)
        age = np.maximum(minutes(at_us - traces.first_us[items]), 0)
        return np.log1p(np.stack([age, n_before, newer, idle], axis=1).astype(np.float64))

    @cached_property
    def joined(self) -> npt.NDArray[np.bool_]:
        """(m,) whether somebody had met the item before; the first to meet it cannot have got it recommended."""
        return np.asarray(self.habits[:, 1] > 0, np.bool_)
