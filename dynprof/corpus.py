"""From checked rows to the corpus: one text an item, one row an event, users kept together.

Two passes, each over rows that a shuffle brought together: by item (texts resolved, duplicates dropped), then by user.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.identity import event_ids, item_ids
from dynprof.keys import buckets, text_hashes
from dynprof.schema import BIOS, EVENTS, ITEMS, TIMESTAMP
from dynprof.text import prepare_texts
from dynprof.vectors import one_chunk

__all__ = [
    "CORPUS",
    "MERGED",
    "TEXT_SOURCES",
    "content_digest",
    "drop_duplicates",
    "merge_bios",
    "mixed_events",
    "mixed_items",
    "resolve_items",
    "settle_users",
]

CORPUS = "corpus"

MERGED = pa.schema(
    {
        "item_bucket": pa.int32(),
        "is_event": pa.bool_(),
        "event_id": pa.string(),
        "user_id": pa.string(),
        "timestamp": TIMESTAMP,
        "event_type": pa.string(),
        "item_id": pa.string(),
        "text": pa.string(),
        "weight": pa.float32(),
        "language": pa.string(),
    }
)
"""Events and rows of the items file in one stream. Of an item, `user_id` is its author and `timestamp` its creation."""

TEXT_SOURCES = ("items", "own", "event")
"""Where an item's text comes from, best first: the items file, the event that is the item, its earliest other event."""

_ORDER = ("timestamp", "user_id", "event_type", "item_id", "text", "weight", "language")


def mixed_events(rows: pa.Table, n_buckets: int) -> pa.Table:
    """RAW_EVENTS as rows of MERGED, with ids filled in."""
    rows = rows.set_column(0, "event_id", event_ids(rows))
    rows = rows.set_column(rows.column_names.index("item_id"), "item_id", item_ids(rows))
    return _merged(rows, rows["item_id"], n_buckets, is_event=True)


def mixed_items(rows: pa.Table, n_buckets: int) -> pa.Table:
    """RAW_ITEMS as rows of MERGED."""
    renamed = rows.rename_columns({"author_id": "user_id", "created_at": "timestamp"})
    return _merged(renamed, rows["item_id"], n_buckets, is_event=False)


def drop_duplicates(events: pa.Table, *, within: str) -> pa.Table:
    """One row an `event_id` within each item or user: the earliest, ties by the other columns.

    The order of input does not matter, nor which other items or users share a partition.

    Args:
        events: Rows with ids.
        within: `item_id` or `user_id`.
    """
    if len(pc.unique(events["event_id"])) == len(events):
        return events
    keys = ["event_id", within]
    rest = [name for name in _ORDER if name in events.column_names and name != within]
    events = events.sort_by([(name, "ascending") for name in keys + rest]).combine_chunks()
    changes = [pc.not_equal(ids[1:], ids[:-1]) for ids in (one_chunk(events[name]) for name in keys)]
    return events.filter(pa.concat_arrays([pa.array([True]), pc.or_(*changes)]))


def resolve_items(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """All rows of some items to their ITEMS rows and their EVENTS rows.

    The text of an item is the items file's, else that of the event that is the item itself, else that of its earliest
    event with a text. Every event of the item gets it: a like or repost carries what it is about.

    Args:
        rows: Of MERGED, complete for each `item_id` in it.

    Returns:
        Items sorted by `item_id`; events in no order.
    """
    events = drop_duplicates(rows.filter(rows["is_event"]), within="item_id")
    described = rows.filter(pc.invert(rows["is_event"]))
    ids = pc.unique(pa.chunked_array([*events["item_id"].chunks, *described["item_id"].chunks], pa.string()))
    ids = ids.take(pc.array_sort_indices(ids))
    own = events.filter(pc.equal(events["event_id"], events["item_id"]))
    sources = [described, own, events]
    texts, times = zip(*(_best_with_time(ids, s, "text") for s in sources), strict=True)
    text = _first_of(texts)
    items = pa.Table.from_arrays(
        [
            ids,
            text,
            text_hashes(prepare_texts(text)),
            _of_first(texts, [pa.scalar(name) for name in TEXT_SOURCES]),
            _of_first(texts, times),
            _first_of([_best(ids, s, "language") for s in sources]),
            _first_of([_best(ids, s, "user_id") for s in sources[:2]]),
            _earliest(ids, [described, events]),
            _counts(ids, events),
        ],
        schema=ITEMS,
    )
    of_item = pc.index_in(one_chunk(events["item_id"]), value_set=ids)
    language = pc.coalesce(one_chunk(events["language"]), items["language"].combine_chunks().take(of_item))
    settled = {name: one_chunk(events[name]) for name in ("event_id", "user_id", "timestamp", "event_type", "item_id")}
    settled |= {name: items[name].combine_chunks().take(of_item) for name in ("text", "text_hash")}
    settled |= {"weight": one_chunk(events["weight"]), "language": language}
    return items, pa.Table.from_arrays([settled[name] for name in EVENTS.names], schema=EVENTS)


def settle_users(events: pa.Table) -> pa.Table:
    """All events of some users, duplicates dropped, in the order in which they are stored."""
    kept = drop_duplicates(events.select(EVENTS.names), within="user_id")
    order = [("user_id", "ascending"), ("timestamp", "ascending"), ("event_id", "ascending")]
    return kept.sort_by(order).combine_chunks()


def content_digest(table: pa.Table) -> str:
    """Hash of what a table says, whatever its file looks like: 32 hex digits of BLAKE2b.

    Args:
        table: Strings, fixed-size binaries, numbers, times and booleans, in a fixed order of rows.
    """
    digest = blake2b(digest_size=16)
    for name in table.column_names:
        column = one_chunk(table[name])
        digest.update(name.encode() + len(column).to_bytes(8, "little"))
        digest.update(np.packbits(np.asarray(column.is_valid())).tobytes())
        if pa.types.is_string(column.type) or pa.types.is_fixed_size_binary(column.type):
            present = column.drop_null().cast(pa.large_binary())
            digest.update(np.asarray(pc.binary_length(present)).tobytes())
            digest.update(b"".join(present.to_pylist()))
        else:
            number = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
            digest.update(np.ascontiguousarray(number.drop_null().to_numpy(zero_copy_only=False)).tobytes())
    return digest.hexdigest()


def merge_bios(rows: pa.Table) -> pa.Table:
    """One row a user: the last one read wins.

    Args:
        rows: `user_id`, `bio` and `read_order` (rising int64).
    """
    rows = rows.sort_by([("user_id", "ascending"), ("read_order", "descending")])
    ids = one_chunk(rows["user_id"])
    first = pa.concat_arrays([pa.array([True] * min(1, len(ids)), pa.bool_()), pc.not_equal(ids[1:], ids[:-1])])
    rows = rows.filter(first)
    bio = one_chunk(rows["bio"])
    return pa.Table.from_arrays([one_chunk(rows["user_id"]), bio, text_hashes(prepare_texts(bio))], schema=BIOS)


def _merged(rows: pa.Table, item_id: pa.ChunkedArray, n_buckets: int, *, is_event: bool) -> pa.Table:
    columns = {name: rows[name] for name in rows.column_names}
    columns["item_bucket"] = pa.array(buckets(item_id, n_buckets))
    columns["is_event"] = pa.array(np.full(len(rows), is_event))
    arrays = [columns.get(f.name, pa.nulls(len(rows), f.type)) for f in MERGED]
    return pa.Table.from_arrays([a.cast(f.type) for a, f in zip(arrays, MERGED, strict=True)], schema=MERGED)


def _best(ids: pa.Array, rows: pa.Table, column: str) -> pa.Array:
    """For each item the column's value in its earliest row that has one; null where none has."""
    return _best_with_time(ids, rows, column)[0]


def _best_with_time(ids: pa.Array, rows: pa.Table, column: str) -> tuple[pa.Array, pa.Array]:
    """The same, and the time of that row."""
    rows = rows.filter(pc.is_valid(rows[column])).select(
        list(dict.fromkeys(["item_id", "timestamp", "event_id", column]))
    )
    tie = [(name, "ascending") for name in ("item_id", "timestamp", "event_id", column)]
    rows = rows.sort_by(list(dict.fromkeys(tie)))
    first = pc.index_in(ids, value_set=one_chunk(rows["item_id"]))
    return one_chunk(rows[column]).take(first), one_chunk(rows["timestamp"]).take(first)


def _of_first(candidates: Sequence[pa.Array], values: Sequence[pa.Array | pa.Scalar]) -> pa.Array:
    """For each row the value that belongs to the first candidate that is not null; it may be null itself."""
    out = pa.nulls(len(candidates[0]), values[0].type)
    for candidate, value in reversed(list(zip(candidates, values, strict=True))):
        out = pc.if_else(pc.is_valid(candidate), value, out)
    return out


def _first_of(candidates: Sequence[pa.Array]) -> pa.Array:
    return pc.coalesce(*candidates)


def _earliest(ids: pa.Array, sources: Sequence[pa.Table]) -> pa.Array:
    times = [_best(ids, source, "timestamp").cast(pa.int64()) for source in sources]
    return pc.min_element_wise(*times, skip_nulls=True).cast(TIMESTAMP)


def _counts(ids: pa.Array, events: pa.Table) -> pa.Array:
    of_item = np.asarray(pc.index_in(one_chunk(events["item_id"]), value_set=ids), np.int64)
    return pa.array(np.bincount(of_item, minlength=len(ids)))
