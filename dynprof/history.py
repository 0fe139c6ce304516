"""The events of one user, from the corpus, with their vectors: what exact profiles, explanations and timelines need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.build import type_factors
from dynprof.decay import Decay
from dynprof.embedded import CorpusVectors, Vectors, open_vectors
from dynprof.errors import WorkspaceError
from dynprof.profile import age_seconds, exact_profiles
from dynprof.segments import read_events
from dynprof.store import SnapshotStore
from dynprof.user_profile import Prior, UserProfile, span_of
from dynprof.vectors import one_chunk

__all__ = ["SHOWN", "History", "HistoryReader", "WeightedTimes"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_NUMBERS = ["user_id", "timestamp", "event_type", "text_hash", "weight"]
SHOWN = ["event_id", "item_id", "event_type", "text"]
"""What an answer shows of an event."""


@dataclass(frozen=True)
class WeightedTimes:
    """When a user's events were and what they weigh before decay.

    Attributes:
        at_us: (n,) int64 microseconds since 1970, rising.
        weights: (n,) event weight x type weight, may be negative.
    """

    at_us: IntArray
    weights: FloatArray


@dataclass(frozen=True)
class History(WeightedTimes):
    """A user's events that have a vector, oldest first.

    Attributes:
        rows: (n,) row of each event's vector.
        vectors: (m, dim), norm 1 (or 0), one a distinct text.
        events: (n,) event_id, item_id, event_type, text: what to show of them.
    """

    rows: IntArray
    vectors: npt.NDArray[np.floating]
    events: pa.Table

    @classmethod
    def empty(cls, dim: int) -> History:
        """No events."""
        events = pa.table({name: pa.array([], pa.string()) for name in SHOWN})
        return cls(np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64), np.empty((0, dim), np.float16), events)

    def __len__(self) -> int:
        return len(self.at_us)

    def join(self, other: History) -> History:
        """The events of both, oldest first."""
        if not len(other):
            return self
        at_us = np.concatenate([self.at_us, other.at_us])
        order = np.argsort(at_us, kind="stable")
        return History(
            at_us[order],
            np.concatenate([self.weights, other.weights])[order],
            np.concatenate([self.rows, other.rows + len(self.vectors)])[order],
            np.concatenate([self.vectors, other.vectors]),
            pa.concat_tables([self.events, other.events]).take(pa.array(order)),
        )

    def take(self, positions: IntArray) -> History:
        """The events at some rising positions."""
        events = self.events.take(pa.array(positions))
        return History(self.at_us[positions], self.weights[positions], self.rows[positions], self.vectors, events)

    def decayed(self, decay: Decay, as_of_us: int) -> FloatArray:
        """(n,) weight of each event as of a time; 0 at and after it."""
        decayed = self.weights * decay.weights(age_seconds(as_of_us, self.at_us))
        return np.where(self.at_us < as_of_us, decayed, 0.0)

    def profile(
        self, decay: Decay, as_of_us: int, *, prior: npt.NDArray[np.floating], prior_kind: Prior, prior_weight: float
    ) -> UserProfile:
        """The exact profile. Arguments as in `KnownUser`."""
        read = exact_profiles(
            np.zeros(len(self), np.int64),
            self.rows,
            self.at_us,
            self.weights,
            self.vectors,
            decay,
            n_users=1,
            as_of_us=as_of_us,
            prior=prior,
            prior_weight=prior_weight,
        )
        return UserProfile.of(read, span_of(self.at_us, as_of_us), prior_kind)


class HistoryReader:
    """Histories of any user of a snapshot, read from the corpus when asked for. Safe to use from several threads.

    A question reads the row groups of the user's bucket that can hold the user. What a snapshot does not hold is left
    out: events at or after its `as_of`, and those without a text.

    Args:
        store: The snapshot.
        n_cached: Users whose times and weights are kept; 16 bytes an event.
        n_read: Users whose events and vectors are kept: whoever looks at one user asks again and again.

    Raises:
        WorkspaceError: The embeddings are not those of the snapshot's corpus.
    """

    def __init__(self, store: SnapshotStore, *, n_cached: int = 1024, n_read: int = 4) -> None:
        self._store = store
        self._embedded: CorpusVectors = open_vectors(store.workspace, store.spec.fingerprint, store.corpus)
        self._times = lru_cache(maxsize=n_cached)(self._read_times)
        self._histories = lru_cache(maxsize=n_read)(self._read_history)
        self._of_bucket = lru_cache(maxsize=8)(self._embedded.of_bucket)  # of each the hashes are kept

    def times(self, user_id: str) -> WeightedTimes:
        """When and how heavy; reads no text and no vector. Nothing for whom nobody knows."""
        return self._times(user_id)

    def read(self, user_id: str) -> History:
        """Everything.

        Raises:
            WorkspaceError: A text has no vector.
        """
        return self._histories(user_id)

    def _read_history(self, user_id: str) -> History:
        events = self._events(user_id, [*_NUMBERS, *(c for c in SHOWN if c not in _NUMBERS)])
        times = self._weighted(events)
        distinct = one_chunk(events["text_hash"]).dictionary_encode()
        bucket = self._store.bucket(user_id)
        vectors = np.empty((0, self._store.spec.dim), np.float16)
        if len(events) and bucket is not None:
            vectors = _find(self._of_bucket(bucket), distinct.dictionary, self._store.spec.dim, user_id)
        rows = np.asarray(distinct.indices, np.int64)
        return History(times.at_us, times.weights, rows, vectors, events.select(SHOWN))

    def _read_times(self, user_id: str) -> WeightedTimes:
        return self._weighted(self._events(user_id, _NUMBERS))

    def _events(self, user_id: str, columns: list[str]) -> pa.Table:
        store, bucket = self._store, self._store.bucket(user_id)
        if bucket is None:
            bucket, user_id = 0, ""  # no Unicode text: nobody's id
        events = read_events(store.workspace, bucket, columns, segments=store.corpus.segments, user_id=user_id)
        early = pc.less(events["timestamp"].cast(pa.int64()), store.spec.as_of_us)
        return events.filter(pc.and_(early, pc.is_valid(events["text_hash"])))

    def _weighted(self, events: pa.Table) -> WeightedTimes:
        at_us = np.array(events["timestamp"].cast(pa.int64()), np.int64)
        weights = np.asarray(events["weight"], np.float64) * type_factors(events["event_type"], self._store.spec)
        return WeightedTimes(at_us, weights)


def _find(known: Vectors, wanted: pa.Array, dim: int, user_id: str) -> npt.NDArray[np.float16]:
    """(m, dim) vectors of some texts. Few are wanted of many, so the many are looked up among the few."""
    where = pc.index_in(known.hashes, value_set=wanted)
    rows = np.flatnonzero(np.asarray(where.is_valid()))
    place = np.asarray(where.drop_null(), np.int64)
    out, found = np.zeros((len(wanted), dim), np.float16), np.zeros(len(wanted), np.bool_)
    for mine, vectors in _pieces(known, rows):
        out[place[mine]], found[place[mine]] = vectors, True
    if not found.all():
        raise WorkspaceError(
            f"history of {user_id!r}: expected vectors of {len(wanted)} texts, found {int(found.sum())}. The "
            "embeddings are of another corpus; run `python -m jobs.encode` again."
        )
    return out


def _pieces(known: Vectors, rows: IntArray) -> Iterator[tuple[IntArray, npt.NDArray[np.float16]]]:
    """Positions in `rows`, and the vectors there, chunk by chunk."""
    for first, chunk in known.chunks():
        mine = np.flatnonzero((rows >= first) & (rows < first + len(chunk)))
        if len(mine):
            yield mine, chunk.take(rows[mine] - first)
