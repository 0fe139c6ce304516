"""Recent popularity: how often each item was posted, liked or reposted in the days before a time."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.decay import Decay
from dynprof.items import ItemCatalogue
from dynprof.keys import hash_words
from dynprof.lineage import CorpusView
from dynprof.profile import MICROSECONDS, age_seconds
from dynprof.segments import iter_events
from dynprof.workspace import Workspace

__all__ = ["POPULARITY_DECAY", "Popularity"]

POPULARITY_DECAY = Decay("exponential", "2d")
"""How fast an event stops making its item popular."""

_DAY_US = 86_400 * MICROSECONDS
_WINDOW_US = 30 * _DAY_US  # fifteen half-lives: what is older counts less than a thirty-thousandth of an event
_ROWS_AT_ONCE = 1 << 20


class Popularity:
    """Popularity of the items of a catalogue as of any time in the last month before a snapshot, or later.

    The events of the last two months are read from the corpus by the first question and kept, 12 bytes each; so the
    month before every time that can be asked for is complete, and nothing after that time counts.

    Args:
        workspace: Where.
        view: The corpus of the snapshot.
        catalogue: Whose rows to count for.
        until_us: `as_of` of the snapshot; later events do not count.
    """

    def __init__(self, workspace: Workspace, view: CorpusView, catalogue: ItemCatalogue, until_us: int) -> None:
        self._workspace, self._view, self._catalogue, self._until_us = workspace, view, catalogue, until_us
        self._lock = Lock()
        self._events: tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]] | None = None
        self.at = lru_cache(maxsize=8)(self._at)

    def _at(self, as_of_us: int) -> npt.NDArray[np.float32] | None:
        """(n,) decayed number of events on each item strictly before a time, the largest 1.

        None where nothing is known of the time: it is too early, or there was no event in the month before it.
        """
        if as_of_us < self._until_us - _WINDOW_US:
            return None
        at_us, rows = self._loaded()
        part = slice(*np.searchsorted(at_us, [as_of_us - _WINDOW_US, as_of_us], "left"))
        weights = POPULARITY_DECAY.weights(age_seconds(as_of_us, at_us[part]))
        counts = np.bincount(rows[part], weights, len(self._catalogue))
        largest = counts.max(initial=0.0)
        return (counts / largest).astype(np.float32) if largest > 0 else None

    def _loaded(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        with self._lock:
            if self._events is None:
                self._events = self._load()
            return self._events

    def _load(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Times, rising, and catalogue rows of the events of the last two months."""
        times, rows = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for bucket in range(self._view.n_buckets):
            for events in iter_events(
                self._workspace, bucket, ["timestamp", "text_hash"], rows=_ROWS_AT_ONCE, segments=self._view.segments
            ):
                at_us, words = self._recent(events)
                row, found = self._catalogue.find_rows(words)
                times.append(at_us[found])
                rows.append(row[found].astype(np.int32))
        at_us, row = np.concatenate(times), np.concatenate(rows)
        order = np.argsort(at_us, kind="stable")
        return at_us[order], row[order].astype(np.int32)

    def _recent(self, events: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64]]:
        at_us = events["timestamp"].cast(pa.int64())
        recent = pc.and_(pc.greater_equal(at_us, self._until_us - 2 * _WINDOW_US), pc.less(at_us, self._until_us))
        mine = pc.and_(recent, pc.is_valid(events["text_hash"]))
        return np.array(at_us.filter(mine)), hash_words(events["text_hash"].filter(mine))
