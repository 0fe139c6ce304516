"""Who met which item when, sorted three ways, so that the past of any user or item as of any time is a slice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog

__all__ = ["NO_TAG", "Tags", "Traces", "last_before", "slices", "sums"]

IntArray = npt.NDArray[np.int64]
Int32Array = npt.NDArray[np.int32]

NO_TAG = -1
"""Language or author of an item that has none."""


@dataclass(frozen=True)
class Tags:
    """What else is known of items when they appear.

    Attributes:
        languages: (n_items,) int32 number of the item's language; `NO_TAG` where it has none.
        authors: (n_items,) int32 number of the item's author, likewise.
    """

    languages: Int32Array
    authors: Int32Array

    @classmethod
    def none(cls, n_items: int) -> Tags:
        """Nothing is known."""
        unknown = np.full(n_items, NO_TAG, np.int32)
        return cls(unknown, unknown)


@dataclass(frozen=True)
class Traces:
    """n events of positive weight. Equal logs give equal traces, whatever the order of buckets: ties of time are broken
    by user, then by item.

    Attributes:
        at_us: (n,) int64 microseconds since 1970, rising; `users` and `items` beside it.
        users: (n,) int32.
        items: (n,) int32, numbered by first appearance.
        user_starts: (n_users + 1,) where in `user_at_us` and `user_items` the events of each user begin.
        user_at_us: (n,) int64 times, user after user, rising in each.
        user_items: (n,) int32.
        item_starts: (n_items + 1,) likewise by item.
        item_at_us: (n,) int64.
        item_users: (n,) int32.
        first_us: (n_items,) int64 first appearance of each item, rising.
        tags: Of the items.
    """

    at_us: IntArray
    users: Int32Array
    items: Int32Array
    user_starts: IntArray
    user_at_us: IntArray
    user_items: Int32Array
    item_starts: IntArray
    item_at_us: IntArray
    item_users: Int32Array
    first_us: IntArray
    tags: Tags

    @classmethod
    def of(cls, log: EventLog, tags: Tags | None = None, *, n_users: int = 0) -> Traces:
        """Sort the events of a log; those that weigh nothing or less are dislikes and leave no trace.

        Args:
            log: Events.
            tags: Of its items, or of more; None: nobody knows.
            n_users: Users are numbered below it; 0: below the largest number of the log, plus one.
        """
        kept = log.weights > 0
        at_us, users, items = log.event_us[kept], log.users[kept], log.items[kept]
        order = np.lexsort((items, users, at_us))
        at_us, users, items = at_us[order], users[order], items[order]
        n_users = max(n_users, int(users.max(initial=-1)) + 1)
        by_user, by_item = np.argsort(users, kind="stable"), np.argsort(items, kind="stable")
        return cls(
            at_us,
            users,
            items,
            _starts(users, n_users),
            at_us[by_user],
            items[by_user],
            _starts(items, log.n_items),
            at_us[by_item],
            users[by_item],
            log.first_us,
            Tags.none(log.n_items) if tags is None else tags,
        )

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.first_us)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.user_starts) - 1

    def catalogue(self, at_us: int) -> int:
        """How many items appeared strictly before a time: items 0 to n - 1."""
        return int(np.searchsorted(self.first_us, at_us))

    def n_before(self, at_us: int) -> int:
        """How many events were strictly before a time: rows 0 to n - 1."""
        return int(np.searchsorted(self.at_us, at_us))

    def items_of(self, user: int, at_us: int) -> tuple[IntArray, Int32Array]:
        """Times and items of a user's events strictly before a time, oldest first; none for a number below 0."""
        if user < 0:
            return self.at_us[:0], self.items[:0]
        start, stop = self.user_starts[user : user + 2]
        stop = start + np.searchsorted(self.user_at_us[start:stop], at_us)
        return self.user_at_us[start:stop], self.user_items[start:stop]

    def stops_of_items(self, items: npt.NDArray[np.integer], at_us: npt.NDArray[np.int64] | int) -> IntArray:
        """(k,) position in `item_at_us` one after each item's last event strictly before a time, one or one an item."""
        return last_before(self.item_at_us, self.item_starts[items], self.item_starts[items + 1], at_us)

    def stops_of_users(self, users: npt.NDArray[np.integer], at_us: int) -> IntArray:
        """(k,) the same in `user_at_us`."""
        return last_before(self.user_at_us, self.user_starts[users], self.user_starts[users + 1], at_us)


def last_before(times: IntArray, starts: IntArray, stops: IntArray, at_us: npt.NDArray[np.int64] | int) -> IntArray:
    """(k,) first position in [start, stop) whose time is not before `at_us`; the stop where all are.

    Bisects all ranges at once: as many steps as the longest needs.

    Args:
        times: Rising within each range.
        starts: (k,).
        stops: (k,).
        at_us: One time, or (k,).
    """
    low, high = starts.copy(), stops.copy()
    for _ in range(int((stops - starts).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        earlier = times[np.minimum(middle, len(times) - 1)] < at_us
        undecided = low < high
        low = np.where(undecided & earlier, middle + 1, low)
        high = np.where(undecided & ~earlier, middle, high)
    return low


def slices(starts: IntArray, stops: IntArray) -> tuple[IntArray, IntArray]:
    """All positions of the ranges [start, stop), one range after the other, and the number of the range of each."""
    lengths = stops - starts
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return np.arange(lengths.sum()) + (starts - np.cumsum(lengths) + lengths)[owner], owner


def sums(rows: npt.NDArray[np.integer], weights: npt.NDArray[Any], n: int) -> npt.NDArray[np.float64]:
    """(n,) sum of the weights of each row number; 0 for a number that no row has."""
    return np.asarray(np.bincount(rows, weights, n), np.float64)


def _starts(numbers: Int32Array, n: int) -> IntArray:
    return np.concatenate([[0], np.cumsum(np.bincount(numbers, minlength=n))]).astype(np.int64)
