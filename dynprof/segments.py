"""The tables of a corpus, base and segments put together: what every reader of events, bios and items goes through.

A segment's table is one Parquet file with a row group a bucket; of an old and a new row of one event, bio or item the
new one counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynprof.corpus import CORPUS
from dynprof.keys import bucket_name
from dynprof.lineage import segment_folder
from dynprof.schema import BIOS, EVENTS, ITEMS, REVISED
from dynprof.vectors import one_chunk
from dynprof.workspace import Workspace

__all__ = [
    "SEGMENT_TABLES",
    "find_rows",
    "read_bios",
    "read_events",
    "read_items",
    "read_segment",
    "write_segment_table",
]

SEGMENT_TABLES: Mapping[str, pa.Schema] = {"events": EVENTS, "revised": REVISED, "users": BIOS, "items": ITEMS}

_EVENT_KEY = ["event_id", "user_id"]
_EVENT_ORDER = ["user_id", "timestamp", "event_id"]


def read_events(
    workspace: Workspace,
    bucket: int,
    columns: Sequence[str],
    *,
    segments: Sequence[str] = (),
    user_id: str | None = None,
) -> pa.Table:
    """Events of a user bucket, of the base and of some segments.

    Args:
        workspace: Where.
        bucket: User bucket.
        columns: Of EVENTS.
        segments: Names, oldest first, from a `CorpusView`.
        user_id: Read only this user's.

    Returns:
        Sorted by user; by time within a user where both columns are asked for.
    """
    wanted = list(columns)
    revised = [_of_user(read_segment(workspace, s, "revised", bucket), user_id) for s in segments]
    keyed = [*wanted, *(k for k in _EVENT_KEY if k not in wanted)] if any(map(len, revised)) else wanted
    mine = None if user_id is None else pc.field("user_id") == user_id
    events = workspace.read_parquet(CORPUS, "events", bucket_name(bucket), columns=keyed, filters=mine)
    if not segments:
        return events
    for segment, changed in zip(segments, revised, strict=True):
        if len(changed):
            events = pa.concat_tables([_without(events, changed, _EVENT_KEY), changed.select(keyed)])
        more = read_segment(workspace, segment, "events", bucket, columns=[*dict.fromkeys([*keyed, "user_id"])])
        events = pa.concat_tables([events, _of_user(more, user_id).select(keyed)])
    order = [(name, "ascending") for name in _EVENT_ORDER if name in wanted]
    return (events.sort_by(order) if "user_id" in wanted else events).select(wanted).combine_chunks()


def iter_events(
    workspace: Workspace, bucket: int, columns: Sequence[str], *, rows: int, segments: Sequence[str] = ()
) -> Iterator[pa.Table]:
    """The same in slices of at most `rows` rows: of a base alone no more than that is in memory."""
    if not segments:
        yield from workspace.iter_parquet(CORPUS, "events", bucket_name(bucket), columns=list(columns), rows=rows)
        return
    events = read_events(workspace, bucket, columns, segments=segments)
    for start in range(0, len(events), rows):
        yield events.slice(start, rows)


def read_bios(workspace: Workspace, bucket: int, columns: Sequence[str], *, segments: Sequence[str] = ()) -> pa.Table:
    """Bios of a user bucket, sorted by user. Arguments as in `read_events`."""
    base = workspace.read_parquet(CORPUS, "users", bucket_name(bucket), columns=_with(columns, "user_id", segments))
    return _latest(workspace, base, "users", "user_id", bucket, columns, segments)


def read_items(workspace: Workspace, bucket: int, columns: Sequence[str], *, segments: Sequence[str] = ()) -> pa.Table:
    """Items of an item bucket, sorted by item. Arguments as in `read_events`."""
    base = workspace.read_parquet(CORPUS, "items", bucket_name(bucket), columns=_with(columns, "item_id", segments))
    return _latest(workspace, base, "items", "item_id", bucket, columns, segments)


def find_rows(
    workspace: Workspace, table: str, bucket: int, values: pa.Array, columns: list[str], *, segments: Sequence[str] = ()
) -> pa.Table:
    """The rows of a bucket whose first column of `columns` is among some values, in no order.

    Reads that column, and the others only where there is such a row.

    Args:
        workspace: Where.
        table: `events`, `users` or `items`.
        bucket: Of users or items.
        values: To look for.
        columns: To return. Of bios and items the last row of each is found; of revised events both have the same keys.
        segments: As in `read_events`.
    """
    key, path = columns[0], (CORPUS, table, bucket_name(bucket))
    hits = pc.is_in(one_chunk(workspace.read_parquet(*path, columns=[key])[key]), value_set=values)
    some = bool(pc.any(hits, min_count=0).as_py())
    none = pa.schema([SEGMENT_TABLES[table].field(name) for name in columns]).empty_table()
    found = workspace.read_parquet(*path, columns=columns).filter(hits) if some else none
    found = found.replace_schema_metadata(None)
    for segment in segments:
        more = read_segment(workspace, segment, table, bucket, columns=columns)
        more = more.filter(pc.is_in(more[key], value_set=values)).select(columns)
        found = pa.concat_tables([found if table == "events" else _without(found, more, [key]), more])
    return found.combine_chunks()


def read_segment(
    workspace: Workspace, segment: str, table: str, bucket: int | None = None, *, columns: list[str] | None = None
) -> pa.Table:
    """One table of one segment.

    Args:
        workspace: Where.
        segment: Its name.
        table: A key of `SEGMENT_TABLES`.
        bucket: None for all, in the order of buckets.
        columns: None for all.
    """
    with workspace.filesystem.open_input_file(workspace.path(segment_folder(segment), f"{table}.parquet")) as source:
        file = pq.ParquetFile(source)
        groups = json.loads(file.metadata.metadata[b"dynprof"])["buckets"]
        rows = range(len(groups)) if bucket is None else [groups.index(bucket)] if bucket in groups else []
        return file.read_row_groups(list(rows), columns=columns).replace_schema_metadata(None)


def write_segment_table(
    workspace: Workspace, segment: str, table: str, rows: pa.Table, buckets: npt.NDArray[np.integer]
) -> None:
    """Write one table of a segment.

    Args:
        workspace: Where.
        segment: Its name.
        table: A key of `SEGMENT_TABLES`.
        rows: (n,) of its schema.
        buckets: (n,) bucket of each row; rows of one bucket stay in their order.
    """
    order = np.argsort(buckets, kind="stable")
    present, starts = np.unique(buckets[order], return_index=True)
    rows = rows.take(pa.array(order)).combine_chunks()
    described: dict[str, Any] = {"dynprof": json.dumps({"buckets": present.tolist()})}
    schema = SEGMENT_TABLES[table].with_metadata(described)
    with (
        workspace.create(segment_folder(segment), f"{table}.parquet") as sink,
        pq.ParquetWriter(sink, schema, compression="zstd", compression_level=1) as writer,
    ):
        for start, stop in pairwise([*starts.tolist(), len(rows)]):
            writer.write_table(rows.slice(start, stop - start).cast(schema), row_group_size=max(1, stop - start))


def _with(columns: Sequence[str], key: str, segments: Sequence[str]) -> list[str]:
    return list(columns) if key in columns or not segments else [*columns, key]


def _latest(
    workspace: Workspace,
    base: pa.Table,
    table: str,
    key: str,
    bucket: int,
    columns: Sequence[str],
    segments: Sequence[str],
) -> pa.Table:
    """The base's rows and the segments', the last of each key."""
    for segment in segments:
        more = read_segment(workspace, segment, table, bucket, columns=base.column_names)
        if len(more):
            base = pa.concat_tables([_without(base, more, [key]), more.select(base.column_names)])
    return (base.sort_by(key) if segments else base).select(list(columns)).combine_chunks()


def _without(rows: pa.Table, gone: pa.Table, keys: list[str]) -> pa.Table:
    """The rows whose key is not among those of `gone`."""
    candidates = pc.is_in(one_chunk(rows[keys[0]]), value_set=one_chunk(gone[keys[0]]))
    if len(keys) > 1:  # few: compared one by one
        known = set(_tuples(gone, keys))
        maybe = np.flatnonzero(np.asarray(candidates))
        hit = [key in known for key in _tuples(rows.select(keys).take(pa.array(maybe)), keys)]
        mask = np.zeros(len(rows), np.bool_)
        mask[maybe] = hit
        candidates = pa.array(mask)
    return rows.filter(pc.invert(candidates))


def _tuples(rows: pa.Table, keys: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    return zip(*(rows[key].to_pylist() for key in keys), strict=True)


def _of_user(events: pa.Table, user_id: str | None) -> pa.Table:
    return events if user_id is None else events.filter(pc.equal(events["user_id"], user_id))
