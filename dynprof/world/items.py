"""The texts of items that can still be picked, and which of them were ever referred to."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.schema import RAW_ITEMS
from dynprof.world.membership import is_among

__all__ = ["ItemShelf"]


class ItemShelf:
    """Rows of `RAW_ITEMS` by event number, each handed out once: at the first event that refers to it."""

    def __init__(self) -> None:
        self._events = np.zeros(0, np.int64)
        self._handed_out = np.zeros(0, np.bool_)
        self._rows = RAW_ITEMS.empty_table()

    def add(self, events: npt.NDArray[np.int64], rows: pa.Table) -> None:
        """Put items at the end: (n,) event numbers, increasing and above all that are here, and their (n,) rows."""
        self._events = np.concatenate([self._events, events])
        self._handed_out = np.concatenate([self._handed_out, np.zeros(len(events), np.bool_)])
        self._rows = pa.concat_tables([self._rows, rows])

    def texts(self, events: npt.NDArray[np.int64]) -> pa.Array:
        """The texts of items that are here. (n,)"""
        return _take(self._rows["text"], np.searchsorted(self._events, events))

    def hand_out(self, events: npt.NDArray[np.int64]) -> pa.Table:
        """Rows of those items that were never handed out before, each once, in order of their events."""
        places = np.unique(np.searchsorted(self._events, events))
        places = places[~self._handed_out[places]]
        self._handed_out[places] = True
        return self._rows.take(pa.array(places)).combine_chunks()

    def keep(self, events: npt.NDArray[np.int64]) -> None:
        """Drop all items but these. (n,) event numbers, increasing."""
        kept = is_among(self._events, events)
        self._events, self._handed_out = self._events[kept], self._handed_out[kept]
        self._rows = self._rows.filter(pa.array(kept)).combine_chunks()


def _take(column: pa.ChunkedArray, places: npt.NDArray[np.int64]) -> pa.Array:
    taken = pc.take(column, pa.array(places))
    return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken
