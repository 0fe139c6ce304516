"""Everybody in a snapshot by name: found by a part of the id, most active first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.schema import states_schema
from dynprof.store import SnapshotStore
from dynprof.vectors import one_chunk

__all__ = ["UserDirectory"]

IntArray = npt.NDArray[np.int64]
_COLUMNS = ("user_id", "n_events", "last_event_at")


@dataclass(frozen=True)
class UserDirectory:
    """Ids and activity of all users, by number. About 40 bytes a user.

    Attributes:
        ids: (n,) strings.
        n_events: (n,) int64.
        last_us: (n,) time of the last event, microseconds since 1970; 0 without events.
    """

    ids: pa.Array
    n_events: IntArray
    last_us: IntArray

    @classmethod
    def of(cls, store: SnapshotStore) -> UserDirectory:
        """Read it out of the states: three columns of them."""
        schema = pa.schema([states_schema(store.spec.dim).field(name) for name in _COLUMNS])
        table = pa.Table.from_batches(store.rows(list(_COLUMNS)), schema).combine_chunks()
        ids, n_events, last_us = (one_chunk(table[name]) for name in _COLUMNS)
        return cls(ids, np.asarray(n_events), np.asarray(last_us))

    def search(self, text: str, limit: int) -> IntArray:
        """Numbers of users whose id has a text in it, in any case: those that begin with it first, then by activity.

        Args:
            text: Empty finds everybody.
            limit: At most so many.
        """
        found = np.arange(len(self.ids))
        begins = np.zeros(len(self.ids), np.bool_)
        if text:
            found = np.flatnonzero(np.asarray(pc.match_substring(self.ids, text, ignore_case=True)))
            mine = self.ids.take(pa.array(found))
            begins = np.asarray(pc.starts_with(mine, text, ignore_case=True))
        order = np.lexsort((-self.n_events[found], ~begins))
        return np.asarray(found[order[:limit]], np.int64)
