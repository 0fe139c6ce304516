"""What runs on the workers of `jobs.ingest`: reading a split, writing a partition of items, events or bios."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynprof.corpus import CORPUS, content_digest, merge_bios, mixed_events, mixed_items, resolve_items, settle_users
from dynprof.keys import bucket_name, buckets
from dynprof.live.tombstones import Tombstones
from dynprof.readers import Split, TableName, read_split
from dynprof.schema import QUARANTINE
from dynprof.workspace import Workspace

__all__ = ["part_text", "read_rows", "write_bios", "write_events", "write_items"]


def read_rows(
    batch: Mapping[str, Any],
    *,
    workspace_uri: str,
    n_buckets: int,
    now: float,
    columns: Mapping[str, Mapping[str, str]],
    folder: str = CORPUS,
    tombstones: Tombstones | None = None,
) -> Iterator[pa.Table]:
    """One split to checked rows; what is rejected goes to the split's own quarantine file below `folder`.

    Rows of erased users and events go nowhere, and are counted.
    """
    table, split = _part(batch["part"][0])
    workspace = Workspace(workspace_uri)
    counts = {"n_read": 0, "n_ignored": 0, "n_kept": 0, "n_erased": 0}
    name = f"{table}-{split.index:05d}.parquet"
    with (
        workspace.create(folder, "quarantine", name) as sink,
        pq.ParquetWriter(sink, QUARANTINE, compression="zstd") as quarantine,
    ):
        for checked in read_split(split, table=table, columns=columns[table], now=now):
            rows = _arranged(table, split, checked.rows, n_buckets, counts["n_kept"])
            kept, rejected = _without_erased(rows, checked.quarantine, tombstones)
            yield kept
            quarantine.write_table(rejected)
            counts["n_read"] += checked.n_read
            counts["n_ignored"] += checked.n_ignored
            counts["n_kept"] += len(kept)
            counts["n_erased"] += len(rows) - len(kept) + len(checked.quarantine) - len(rejected)
        quarantine.add_key_value_metadata({"dynprof": json.dumps({"table": table, "source": split.path, **counts})})


def _without_erased(rows: pa.Table, rejected: pa.Table, tombstones: Tombstones | None) -> tuple[pa.Table, pa.Table]:
    """Arranged rows and rejected ones without those of erased users (of items: authors) and events."""
    if not tombstones:
        return rows, rejected
    has_ids, users = "event_id" in rows.column_names, rows["user_id"]
    gone = tombstones.has_events(rows["event_id"], users) if has_ids else tombstones.has_users(users)
    named = tombstones.is_named_in(rejected["raw"]) | tombstones.is_named_in(rejected["detail"])
    return rows.filter(pa.array(~gone)), rejected.filter(pa.array(~named))


def part_text(table: TableName, split: Split) -> str:
    """A split as the text that travels to its task."""
    return json.dumps({"table": table, "split": asdict(split)})


def _part(text: str) -> tuple[TableName, Split]:
    """The inverse of `part_text`."""
    stored = json.loads(text)
    groups = stored["split"].pop("row_groups")
    return stored["table"], Split(**stored["split"], row_groups=None if groups is None else tuple(groups))


def _arranged(table: TableName, split: Split, rows: pa.Table, n_buckets: int, n_before: int) -> pa.Table:
    """Rows of a split with the bucket to send them to."""
    if table == "events":
        return mixed_events(rows, n_buckets)
    if table == "items":
        return mixed_items(rows, n_buckets)
    order = (split.index << 40) + n_before + np.arange(len(rows), dtype=np.int64)
    return rows.append_column("read_order", pa.array(order)).append_column(
        "bucket", pa.array(buckets(rows["user_id"], n_buckets))
    )


def write_items(rows: pa.Table, *, workspace_uri: str, n_buckets: int) -> Iterator[pa.Table]:
    """The items of a partition to their files, its events on to their users' buckets."""
    workspace = Workspace(workspace_uri)
    for bucket in pc.unique(rows["item_bucket"]).to_pylist():
        items, events = resolve_items(rows.filter(pc.equal(rows["item_bucket"], bucket)))
        workspace.write_parquet(
            items, CORPUS, "items", bucket_name(bucket), metadata={"bucket": bucket, "digest": content_digest(items)}
        )
        yield events.append_column("bucket", pa.array(buckets(events["user_id"], n_buckets)))


def write_events(rows: pa.Table, *, workspace_uri: str) -> pa.Table:
    """The events of a partition's users to their files; one row of counts a bucket."""
    workspace, counts = Workspace(workspace_uri), []
    for bucket in pc.unique(rows["bucket"]).to_pylist():
        events = settle_users(rows.filter(pc.equal(rows["bucket"], bucket)))
        workspace.write_parquet(events, CORPUS, "events", bucket_name(bucket))
        span = pc.min_max(events["timestamp"].cast(pa.int64())).as_py()
        counts.append(
            {
                "bucket": bucket,
                "digest": content_digest(events),
                "n_events": len(events),
                "n_with_text": len(events) - events["text_hash"].null_count,
                "n_users": len(pc.unique(events["user_id"])),
                "first_us": span["min"],
                "last_us": span["max"],
            }
        )
    return pa.Table.from_pylist(counts)


def write_bios(rows: pa.Table, *, workspace_uri: str) -> pa.Table:
    """The bios of a partition's users to their files; one row of counts a bucket."""
    workspace, counts = Workspace(workspace_uri), []
    for bucket in pc.unique(rows["bucket"]).to_pylist():
        bios = merge_bios(rows.filter(pc.equal(rows["bucket"], bucket)))
        workspace.write_parquet(bios, CORPUS, "users", bucket_name(bucket))
        counts.append({"bucket": bucket, "digest": content_digest(bios), "n_bios": len(bios)})
    return pa.Table.from_pylist(counts)
