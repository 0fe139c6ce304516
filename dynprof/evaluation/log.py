"""The corpus as numbers: who met which text when, read bucket after bucket without a Python object a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.errors import WorkspaceError
from dynprof.evaluation.numbering import number_texts
from dynprof.keys import hash_words
from dynprof.vectors import one_chunk

__all__ = ["EVENT_COLUMNS", "EventLog", "EventNames", "index_events"]

EVENT_COLUMNS = ["user_id", "timestamp", "event_type", "text_hash", "weight"]
"""The columns of corpus/events that an evaluation reads of every event."""


@dataclass(frozen=True)
class EventLog:
    """Every event that has a text, bucket after bucket, in each by user, time and event id; every text, the item.

    Items are numbered by first appearance, so that those which appeared before a time are a prefix: the catalogue.

    Attributes:
        users: (n,) int32 place of the user's id among all ids, sorted; the events of a user are together.
        event_us: (n,) int64 microseconds since 1970, rising within a user.
        items: (n,) int32 number of the text.
        weights: (n,) float64 weight before decay; may be 0 or negative.
        novel: (n,) bool, True at the user's first event with that item.
        first_us: (n_items,) int64 time of the first event of each item, rising; ties by text hash.
    """

    users: npt.NDArray[np.int32]
    event_us: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    novel: npt.NDArray[np.bool_]
    first_us: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of distinct texts."""
        return len(self.first_us)


@dataclass(frozen=True)
class EventNames:
    """What the numbers of an `EventLog` stand for.

    Attributes:
        user_ids: (n_users,) sorted.
        text_hashes: (n_items,) 16 bytes each.
        bucket_starts: (n_buckets + 1,) position in the log of the first event of each bucket; last, their number.
    """

    user_ids: pa.StringArray
    text_hashes: pa.FixedSizeBinaryArray
    bucket_starts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Bucket:
    """One bucket, its users and texts numbered by themselves; `words` and `first_us` are of its distinct texts."""

    user_ids: pa.StringArray
    users: npt.NDArray[np.int32]
    event_us: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    novel: npt.NDArray[np.bool_]
    words: npt.NDArray[np.uint64]
    first_us: npt.NDArray[np.int64]


def index_events(
    buckets: Iterable[pa.Table], type_weights: Mapping[str, float] | None = None
) -> tuple[EventLog, EventNames]:
    """Number the users, texts and events of a corpus. One bucket at a time is held as a table.

    Args:
        buckets: At least one table of corpus/events, with at least `EVENT_COLUMNS`, each sorted by user_id, timestamp
            and event_id; a user is in one of them. Events without a text hash are left out: they have no vector and
            can be no target.
        type_weights: Factor of each event type; 1 for those not named.

    Raises:
        WorkspaceError: A bucket is not sorted.
    """
    parts = [_index_bucket(table, type_weights or {}) for table in buckets]
    user_ids = pa.chunked_array([p.user_ids for p in parts], pa.string())
    by_id = np.asarray(pc.sort_indices(user_ids))
    place = np.empty(len(by_id), np.int32)
    place[by_id] = np.arange(len(by_id), dtype=np.int32)
    numbers, words, first_us = number_texts(_joined(parts, "words"), _joined(parts, "first_us"))
    log = EventLog(
        users=_renumbered(parts, "users", place, [len(p.user_ids) for p in parts]),
        event_us=_joined(parts, "event_us"),
        items=_renumbered(parts, "items", numbers, [len(p.words) for p in parts]),
        weights=_joined(parts, "weights"),
        novel=_joined(parts, "novel"),
        first_us=first_us,
    )
    hashes = pa.Array.from_buffers(pa.binary(16), len(words), [None, pa.py_buffer(np.ascontiguousarray(words))])
    starts = np.cumsum([0, *(len(p.users) for p in parts)])
    return log, EventNames(one_chunk(user_ids.take(by_id)), hashes, starts)


def _index_bucket(events: pa.Table, type_weights: Mapping[str, float]) -> _Bucket:
    events = events.select(EVENT_COLUMNS).filter(pc.is_valid(events["text_hash"]))
    users = one_chunk(events["user_id"]).dictionary_encode()
    texts = one_chunk(events["text_hash"]).dictionary_encode()
    event_us = events["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    user, item = users.indices.to_numpy(), texts.indices.to_numpy()
    steps = np.diff(user)
    if (steps < 0).any() or (np.diff(event_us)[steps == 0] < 0).any():
        raise WorkspaceError(
            "corpus/events: expected the rows of a bucket sorted by user_id and timestamp, found them otherwise. "
            "Remove the folder corpus and run `python -m jobs.ingest` again."
        )
    first_us = np.full(len(texts.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(first_us, item, event_us)
    pairs = user.astype(np.int64) * max(1, len(first_us)) + item
    novel = np.zeros(len(pairs), np.bool_)
    novel[np.unique(pairs, return_index=True)[1]] = True
    words = hash_words(texts.dictionary)
    return _Bucket(users.dictionary, user, event_us, item, _weights(events, type_weights), novel, words, first_us)


def _weights(events: pa.Table, type_weights: Mapping[str, float]) -> npt.NDArray[np.float64]:
    own = np.asarray(pc.fill_null(events["weight"], 1.0)).astype(np.float64)
    encoded = one_chunk(events["event_type"]).dictionary_encode()
    factors = np.array([float(type_weights.get(t, 1.0)) for t in encoded.dictionary.to_pylist()])
    return own * factors[encoded.indices.to_numpy()] if len(own) else own


def _joined(parts: Sequence[_Bucket], name: str) -> npt.NDArray[Any]:
    return np.concatenate([getattr(p, name) for p in parts])


def _renumbered(
    parts: Sequence[_Bucket], name: str, numbers: npt.NDArray[np.int32], sizes: Sequence[int]
) -> npt.NDArray[np.int32]:
    """Numbers of their own turned into those of all: bucket i owns the next sizes[i] of `numbers`."""
    bounds = np.cumsum([0, *sizes])
    return np.concatenate([numbers[bounds[i] : bounds[i + 1]][getattr(p, name)] for i, p in enumerate(parts)])
