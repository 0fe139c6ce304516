"""What a user has had: the texts of the user's own events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.keys import bucket_of, hash_words
from dynprof.segments import read_events
from dynprof.workspace import Workspace

__all__ = ["SeenTexts"]


@dataclass(frozen=True)
class _Events:
    """at_us: (n,) int64 microseconds since 1970; words: (n, 2) uint64 text hashes."""

    at_us: npt.NDArray[np.int64]
    words: npt.NDArray[np.uint64]


class SeenTexts:
    """Texts of any user's events, read from the corpus when asked for. Safe to use from several threads.

    A first question reads the row groups of the user's bucket that can hold the user; the answers for the users asked
    for last are kept.

    Args:
        workspace: With a finished corpus.
        n_buckets: Number of user buckets.
        segments: Of the corpus, as a snapshot has seen it.
        n_cached: Users to keep.
    """

    def __init__(
        self, workspace: Workspace, n_buckets: int, *, segments: Sequence[str] = (), n_cached: int = 1024
    ) -> None:
        self._workspace = workspace
        self._n_buckets = n_buckets
        self._segments = segments
        self._events = lru_cache(maxsize=n_cached)(self._read)

    def before(self, user_id: str, as_of_us: int) -> npt.NDArray[np.uint64]:
        """Hashes of the texts of a user's events strictly before a time, as of `hash_words`.

        Args:
            user_id: Whose; a user without events has seen nothing.
            as_of_us: Microseconds since 1970.

        Returns:
            (n, 2) uint64, one row an event with a text.
        """
        events = self._events(user_id)
        return events.words[events.at_us < as_of_us]

    def _read(self, user_id: str) -> _Events:
        bucket = bucket_of(user_id, self._n_buckets)
        columns = ["timestamp", "text_hash"]
        table = read_events(self._workspace, bucket, columns, segments=self._segments, user_id=user_id)
        table = table.filter(pc.is_valid(table["text_hash"]))
        return _Events(np.asarray(table["timestamp"].cast(pa.int64())), hash_words(table["text_hash"]).copy())
