"""What the users of test events had before, to be struck out of blocks of candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["SeenItems"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SeenItems:
    """First meetings of users and items: what a test leaves out is what its user met before its history ends.

    Memory: 16 bytes for each item that a tested user had, however many tests the user has.

    Attributes:
        who: (n,) place of each test's user among the tested users.
        stops: (n,) end of each test's history, a position in the log.
        keys: (k,) rising; user x `n_items` + item.
        positions: (k,) of the meeting in the log.
        n_items: Number of items that are counted in the keys.
    """

    who: IntArray
    stops: IntArray
    keys: IntArray
    positions: IntArray
    n_items: int

    @classmethod
    def of(cls, log: EventLog, tests: TestEvents) -> SeenItems:
        """Of (n,) tests; nothing where seen items stay candidates."""
        users, who = np.unique(tests.users, return_inverse=True)
        met = np.flatnonzero(log.novel & np.isin(log.users, users)) if not tests.include_seen else np.zeros(0, np.int64)
        keys = np.searchsorted(users, log.users[met]) * np.int64(log.n_items) + log.items[met]
        order = np.argsort(keys)
        return cls(who.astype(np.int64), tests.history_stop, keys[order], met[order], log.n_items)

    def among(self, items: npt.NDArray[np.integer]) -> SeenItems:
        """The same, of (m,) rising items only, which are numbered by their place."""
        user, item = np.divmod(self.keys, max(self.n_items, 1))
        place = np.searchsorted(items, item)
        kept = np.flatnonzero(place < len(items))
        kept = kept[items[place[kept]] == item[kept]] if len(items) else kept[:0]
        keys = user[kept] * len(items) + place[kept]
        return SeenItems(self.who, self.stops, keys, self.positions[kept], len(items))

    def take(self, rows: slice) -> SeenItems:
        """Some of the tests."""
        return SeenItems(self.who[rows], self.stops[rows], self.keys, self.positions, self.n_items)

    def cells(self, tests: slice, begin: int, end: int) -> tuple[IntArray, IntArray]:
        """Row of the test, from `tests.start` on, and item, from `begin` on, of all that is struck out of a tile."""
        first = self.who[tests] * self.n_items
        low, high = (np.searchsorted(self.keys, first + bound) for bound in (begin, end))
        lengths = high - low
        row = np.repeat(np.arange(len(lengths)), lengths)
        found = np.arange(lengths.sum()) + (low - np.cumsum(lengths) + lengths)[row]
        before = self.positions[found] < self.stops[tests][row]
        row, found = row[before], found[before]
        return row, self.keys[found] - first[row] - begin
