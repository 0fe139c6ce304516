"""What runs on the workers of `jobs.erase`: looking for what was erased, and writing files without it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynprof.corpus import CORPUS, content_digest
from dynprof.embeddings import EMBEDDINGS
from dynprof.erasure import Removed, erase_bios, erase_events, erase_items, removed_from, still_used
from dynprof.erasure_plan import BASE, ErasurePlan
from dynprof.filesystems import open_input
from dynprof.keys import bucket_name, buckets
from dynprof.lineage import segment_folder
from dynprof.live.tombstones import Tombstones
from dynprof.schema import QUARANTINE
from dynprof.segments import read_segment, write_segment_table
from dynprof.workspace import Workspace

__all__ = ["find_removed", "find_uses", "rewrite_quarantine", "rewrite_tables", "rewrite_vectors"]

Part = tuple[str, int | None]
"""`BASE` and a bucket, or a segment and None."""


def find_removed(uri: str, part: Part, tombstones: Tombstones) -> Removed:
    """What erasing takes out of a part of the corpus."""
    workspace, revised = Workspace(uri), None
    if part[0] != BASE:
        revised = _read(workspace, part, "revised", ["event_id", "user_id", "item_id", "text_hash", "old_text_hash"])
    events = _read(workspace, part, "events", ["event_id", "user_id", "item_id", "text_hash"])
    bios = _read(workspace, part, "users", ["user_id", "text_hash"])
    return removed_from(events, revised, bios, _read(workspace, part, "items", ["item_id", "author_id"]), tombstones)


def find_uses(
    uri: str, part: Part, tombstones: Tombstones, items: Sequence[str], texts: Sequence[bytes]
) -> tuple[dict[Any, int], set[Any], set[Any]]:
    """Of some items and texts: events left of each item, texts that others have, items that a file described without
    naming an erased author.
    """
    workspace = Workspace(uri)
    columns = ["event_id", "user_id", "item_id", "text_hash"]
    events = erase_events(_read(workspace, part, "events", columns), tombstones)
    told = [events]
    if part[0] != BASE:
        told.append(erase_events(_read(workspace, part, "revised", columns), tombstones))
    bios = erase_bios(_read(workspace, part, "users", ["user_id", "text_hash"]), tombstones)
    described = _read(workspace, part, "items", ["item_id", "text_source", "author_id"])
    ours = pc.and_(pc.equal(described["text_source"], "items"), pa.array(~tombstones.has_users(described["author_id"])))
    of_file = still_used([described.filter(ours)], "item_id", pa.array(items, pa.string()))
    counts = still_used([events], "item_id", pa.array(items, pa.string()))
    used = still_used([*told, bios], "text_hash", pa.array(texts, pa.binary(16)))
    return counts, set(used), set(of_file)


def rewrite_tables(uri: str, part: Part, tombstones: Tombstones, plan: ErasurePlan) -> None:
    """Write the tables of a part without what was erased; those that have nothing of it stay as they are."""
    workspace, dropped = Workspace(uri), pa.array(plan.dropped_items, pa.string())
    names = ["events", "users", "items"] if part[0] == BASE else ["events", "revised", "users", "items"]
    for name in names:
        before = _read(workspace, part, name, None)
        if name == "items":
            after = erase_items(before, tombstones, dropped, plan.item_counts)
        else:
            after = (erase_bios if name == "users" else erase_events)(before, tombstones)
        if after is not before:
            _write(workspace, part, name, after)


def rewrite_quarantine(uri: str, part: Part, tombstones: Tombstones) -> int:
    """Write quarantine files without rows that name who was erased; how many rows went. `part` without its bucket."""
    workspace, n_gone = Workspace(uri), 0
    folder = (CORPUS if part[0] == BASE else segment_folder(part[0]), "quarantine")
    for file in workspace.files(*folder, suffix=".parquet"):
        with open_input(workspace.filesystem, workspace.path(*folder, file)) as source:
            opened = pq.ParquetFile(source)
            counts = (opened.metadata.metadata or {}).get(b"dynprof", b"{}")
            rows = opened.read()
        gone = tombstones.is_named_in(rows["raw"]) | tombstones.is_named_in(rows["detail"])
        if gone.any():
            kept = rows.filter(pa.array(~gone)).cast(QUARANTINE)
            workspace.write_parquet(kept, *folder, file, metadata=json.loads(counts), compression="zstd")
            n_gone += int(gone.sum())
    return n_gone


def rewrite_vectors(uri: str, folder: str, file: str, plan: ErasurePlan) -> int:
    """Write one file of vectors without those of dropped texts; how many rows went."""
    workspace, path = Workspace(uri), (EMBEDDINGS, folder, file)
    dropped = pa.array([bytes.fromhex(text) for text in plan.dropped_texts], pa.binary(16))
    hashes = workspace.open_ipc(*path, columns=["text_hash"])
    hits = [
        np.asarray(pc.is_in(hashes.get_batch(i)["text_hash"], value_set=dropped))
        for i in range(hashes.num_record_batches)
    ]
    n_gone = sum(int(hit.sum()) for hit in hits)
    if n_gone:
        reader = workspace.open_ipc(*path)
        metadata = json.loads((reader.schema.metadata or {}).get(b"dynprof", b"{}"))
        # Copies: the file that a memory map shows is replaced while it is read.
        batches = (reader.get_batch(i).filter(pa.array(~hit)) for i, hit in enumerate(hits))
        workspace.write_ipc(batches, reader.schema.remove_metadata(), *path, metadata=metadata)
    return n_gone


def _read(workspace: Workspace, part: Part, table: str, columns: list[str] | None) -> pa.Table:
    segment, bucket = part
    if bucket is None:
        return read_segment(workspace, segment, table, columns=columns)
    return workspace.read_parquet(CORPUS, table, bucket_name(bucket), columns=columns)


def _write(workspace: Workspace, part: Part, table: str, rows: pa.Table) -> None:
    segment, bucket = part
    if bucket is None:
        ids = rows["item_id" if table == "items" else "user_id"]
        n_buckets = workspace.require_manifest(CORPUS, made_by="ingest")["n_buckets"]
        write_segment_table(workspace, segment, table, rows, buckets(ids, n_buckets))
        return
    rows = rows.replace_schema_metadata(None)
    metadata = {"bucket": bucket, "digest": content_digest(rows)} if table == "items" else None
    workspace.write_parquet(rows, CORPUS, table, bucket_name(bucket), metadata=metadata)
