"""What runs on the workers of `jobs.update`: looking up what is known, settling a segment, its layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dynprof.activity import activity_table
from dynprof.corpus import MERGED
from dynprof.embedded import CorpusVectors
from dynprof.increment import Increment, Known, settle_increment
from dynprof.keys import bucket_name, buckets
from dynprof.layer_build import build_layer
from dynprof.layers import CHANGES
from dynprof.readers import Split, TableName
from dynprof.schema import BIOS, EVENTS, ITEMS, RAW_USERS, changes_schema
from dynprof.segments import find_rows, read_events, write_segment_table
from dynprof.snapshot import SNAPSHOTS, SnapshotSpec
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from jobs.ingest_tasks import part_text, read_rows

__all__ = ["find_known", "read_part", "settle", "write_activity", "write_layer"]

_BIO_ROWS = pa.schema([*RAW_USERS, pa.field("read_order", pa.int64()), pa.field("bucket", pa.int32())])
_EVENT_KEYS = ["event_id", "user_id", "item_id"]


def read_part(table: TableName, split: Split, reading: Mapping[str, Any]) -> pa.Table:
    """Checked rows of one split: of MERGED, or bios with their order."""
    chunks = [chunk.combine_chunks() for chunk in read_rows({"part": [part_text(table, split)]}, **reading)]
    return pa.concat_tables([(_BIO_ROWS if table == "users" else MERGED).empty_table(), *chunks])


def find_known(uri: str, some_buckets: Sequence[int], segments: Sequence[str], *parts: pa.Table) -> Known:
    """What some buckets of the corpus have of what new rows name."""
    workspace, (rows, bios) = Workspace(uri), _rows_and_bios(parts)
    event_ids = pc.unique(rows["event_id"]).drop_null()
    events, known_items, known_bios = [], [ITEMS.empty_table()], [BIOS.empty_table()]
    for b in some_buckets:
        events.append(find_rows(workspace, "events", b, event_ids, _EVENT_KEYS, segments=segments))
        items = pc.unique(rows["item_id"].filter(pc.equal(rows["item_bucket"], b)))
        known_items.append(find_rows(workspace, "items", b, items, ITEMS.names, segments=segments))
        users = pc.unique(bios["user_id"].filter(pc.equal(bios["bucket"], b)))
        known_bios.append(find_rows(workspace, "users", b, users, BIOS.names, segments=segments))
    return Known(pa.concat_tables(events), pa.concat_tables(known_items), pa.concat_tables(known_bios))


def settle(
    uri: str, segment: str, parent: str, segments: Sequence[str], n_buckets: int, n_known: int, *found: Any
) -> dict[str, Any]:
    """Write the tables of a segment; returns its counts, and nothing else when nothing is new.

    Args:
        uri: Of the workspace.
        segment: Name of the new one.
        parent: Id of the corpus that it extends.
        segments: Of that corpus.
        n_buckets: Number of buckets.
        n_known: How many of `found` are `Known`; the others are tables of `read_part`.
        found: Those.
    """
    workspace, (rows, bios) = Workspace(uri), _rows_and_bios(found[n_known:])
    parts = found[:n_known]
    known = Known(*(pa.concat_tables([getattr(k, name) for k in parts]) for name in ("events", "items", "bios")))

    def events_about(items: pa.Array) -> pa.Table:
        everything = (read_events(workspace, b, EVENTS.names, segments=segments) for b in range(n_buckets))
        return pa.concat_tables([e.filter(pc.is_in(e["item_id"], value_set=items)) for e in everything])

    new = settle_increment(rows, bios, known, events_about)
    n_read = int(pc.sum(rows["is_event"]).as_py() or 0)
    if not len(new):
        return {"n_events": 0, "n_duplicates": n_read}
    keys = {"events": "user_id", "revised": "user_id", "users": "user_id", "items": "item_id"}
    for table, key in keys.items():
        content = getattr(new, table)
        write_segment_table(workspace, segment, table, content, buckets(content[key], n_buckets))
    return {**_counts(new), "n_duplicates": n_read - len(new.events), "corpus_id": new.corpus_id(parent)}


def _counts(new: Increment) -> dict[str, Any]:
    span = pc.min_max(new.events["timestamp"].cast(pa.int64())).as_py()
    n_valid = [len(c) - c.null_count for c in (new.revised["text_hash"], new.revised["old_text_hash"])]
    return {
        "n_events": len(new.events),
        "n_events_with_text": len(new.events) - new.events["text_hash"].null_count + n_valid[0] - n_valid[1],
        "n_revised_events": len(new.revised),
        "n_new_items": new.n_new_items,
        "n_changed_items": len(new.items) - new.n_new_items,
        "n_new_bios": new.n_new_bios,
        "n_changed_bios": len(new.users) - new.n_new_bios,
        "first_event_us": span["min"],
        "last_event_us": span["max"],
    }


def _rows_and_bios(parts: Sequence[pa.Table]) -> tuple[pa.Table, pa.Table]:
    rows = [part for part in parts if "is_event" in part.column_names]
    bios = [part for part in parts if "is_event" not in part.column_names]
    return pa.concat_tables([MERGED.empty_table(), *rows]), pa.concat_tables([_BIO_ROWS.empty_table(), *bios])


def write_layer(
    vectors: CorpusVectors, parent: str, snapshot: str, spec: Mapping[str, Any], segments: Sequence[str]
) -> dict[str, Any]:
    """Write the layer of a snapshot over its parent; returns its counts."""
    workspace, meaning = vectors.workspace, SnapshotSpec.from_json(spec)
    layer = build_layer(SnapshotStore(workspace, parent), vectors, meaning, tuple(segments))
    workspace.write_ipc(iter(layer.batches), changes_schema(meaning.dim), SNAPSHOTS, snapshot, CHANGES)
    return {
        "n_touched_users": layer.n_users,
        "n_new_users": layer.n_new_users,
        "n_replaced_users": layer.n_replaced_users,
        "n_layer_events": layer.n_events,
    }


def write_activity(uri: str, snapshot: str, as_of_us: int, segments: Sequence[str], bucket: int) -> None:
    """The activity block of one bucket, of all its users: rates over the last days change for each of them."""
    workspace = Workspace(uri)
    events = read_events(workspace, bucket, ["user_id", "timestamp", "event_type"], segments=segments)
    workspace.write_parquet(activity_table(events, as_of_us), SNAPSHOTS, snapshot, "activity", bucket_name(bucket))
