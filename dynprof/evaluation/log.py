"""The corpus as numbers: who met which text when, in an order that does not depend on how the rows came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.keys import hash_words

__all__ = ["EVENT_COLUMNS", "EventLog", "EventNames", "index_events"]

EVENT_COLUMNS = ["event_id", "user_id", "timestamp", "event_type", "text_hash", "weight"]
"""The columns of corpus/events that an evaluation reads."""


@dataclass(frozen=True)
class EventLog:
    """Every event that has a text, sorted by user, time and event id; and every distinct text, the item.

    Items are numbered by first appearance, so that those which appeared before a time are a prefix: the catalogue.

    Attributes:
        users: (n,) int32 number of the user, rising.
        event_us: (n,) int64 microseconds since 1970, rising within a user.
        items: (n,) int32 number of the text.
        weights: (n,) float64 weight before decay; may be 0 or negative.
        by_time: (n,) int64 positions of the events in order of time.
        first_us: (n_items,) int64 time of the first event of each item, rising; ties by text hash.
    """

    users: npt.NDArray[np.int32]
    event_us: npt.NDArray[np.int64]
    items: npt.NDArray[np.int32]
    weights: npt.NDArray[np.float64]
    by_time: npt.NDArray[np.int64]
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
        event_ids: (n,) in the log's order.
    """

    user_ids: pa.StringArray
    text_hashes: pa.FixedSizeBinaryArray
    event_ids: pa.StringArray


def index_events(events: pa.Table, type_weights: Mapping[str, float] | None = None) -> tuple[EventLog, EventNames]:
    """Number the users, texts and events of a corpus.

    Args:
        events: Rows of corpus/events in any order, at least `EVENT_COLUMNS`. Events without a text hash are left out:
            they have no vector and can be no target.
        type_weights: Factor of each event type; 1 for those not named.
    """
    events = events.select(EVENT_COLUMNS).filter(pc.is_valid(events["text_hash"])).combine_chunks()
    users, user_ids = _number_users(events["user_id"])
    event_us = events["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    items, text_hashes, first_us = _number_items(events["text_hash"], event_us)
    order = pc.sort_indices(
        pa.table({"user": users, "us": event_us, "id": events["event_id"]}),
        sort_keys=[("user", "ascending"), ("us", "ascending"), ("id", "ascending")],
    )
    rows = order.to_numpy()
    log = EventLog(
        users=users[rows],
        event_us=event_us[rows],
        items=items[rows],
        weights=_weights(events, type_weights or {})[rows],
        by_time=np.argsort(event_us[rows], kind="stable"),
        first_us=first_us,
    )
    return log, EventNames(user_ids, text_hashes, _single_chunk(events["event_id"].take(order)))


def _number_users(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.StringArray]:
    encoded = _single_chunk(column).dictionary_encode()
    order = pc.sort_indices(encoded.dictionary)
    return _renumber(encoded, order.to_numpy()), encoded.dictionary.take(order)


def _number_items(
    column: pa.ChunkedArray, event_us: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int32], pa.FixedSizeBinaryArray, npt.NDArray[np.int64]]:
    """Number the items by first appearance, ties by hash: the number says nothing about the order of the rows."""
    encoded = _single_chunk(column).dictionary_encode()
    first_us = np.full(len(encoded.dictionary), np.iinfo(np.int64).max)
    np.minimum.at(first_us, encoded.indices.to_numpy(), event_us)
    words = hash_words(encoded.dictionary)
    order = np.lexsort((words[:, 1], words[:, 0], first_us))
    return _renumber(encoded, order), encoded.dictionary.take(pa.array(order)), first_us[order]


def _renumber(encoded: pa.DictionaryArray, order: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
    number = np.empty(len(order), np.int32)
    number[order] = np.arange(len(order), dtype=np.int32)
    return np.asarray(number[encoded.indices.to_numpy()])


def _weights(events: pa.Table, type_weights: Mapping[str, float]) -> npt.NDArray[np.float64]:
    own = np.asarray(pc.fill_null(events["weight"], 1.0)).astype(np.float64)
    encoded = _single_chunk(events["event_type"]).dictionary_encode()
    factors = np.array([float(type_weights.get(t, 1.0)) for t in encoded.dictionary.to_pylist()])
    return own * factors[encoded.indices.to_numpy()] if len(own) else own


def _single_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
