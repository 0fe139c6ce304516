"""How many events an item had before a time, for many items and times at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog

__all__ = ["ItemCounts"]


class ItemCounts:
    """The events of every item, in order of time.

    Memory: 8 bytes an event, and as much for each distinct time.
    """

    def __init__(self, log: EventLog) -> None:
        self._times = np.unique(log.event_us)
        self._width = np.int64(len(self._times) + 1)
        self._keys = np.sort(log.items * self._width + np.searchsorted(self._times, log.event_us))
        self._starts = np.searchsorted(self._keys, np.arange(log.n_items) * self._width)
        self._all = np.sort(log.event_us)

    def before(self, items: npt.NDArray[np.integer], at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Events strictly before a time, of arrays that broadcast to each other."""
        keys = items * self._width + np.searchsorted(self._times, at_us)
        return np.asarray(np.searchsorted(self._keys, keys) - self._starts[items], np.int64)

    def all_before(self, at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Events of all items strictly before a time."""
        return np.asarray(np.searchsorted(self._all, at_us), np.int64)
