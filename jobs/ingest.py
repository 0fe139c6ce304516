"""Files of events, bios and items to a checked corpus: `python -m jobs.ingest`.

Two shuffles in one stream: by item, where every event gets its item's text and duplicates go, then by user, where the
events of a bucket are sorted and written. Rejected rows are written to quarantine by the task that read them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from dynprof import __version__
from dynprof.corpus import CORPUS
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.filesystems import resolve_filesystem
from dynprof.keys import bucket_name
from dynprof.live.tombstones import Tombstones
from dynprof.readers import Split, TableName, parse_columns, plan_splits
from dynprof.schema import BIOS, EVENTS, ITEMS
from dynprof.text import TEXT_PREPARATION
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, parser, ray_session, run, start_logging
from jobs.ingest_tasks import part_text, read_rows, write_bios, write_events, write_items
from jobs.live_flag import add_live_flag, tombstones_at
from jobs.stages import collect, parts_of

__all__ = ["TABLES", "IngestOptions", "ingest", "input_id", "plan_table"]

LOG = logging.getLogger("dynprof.ingest")

TABLES: tuple[TableName, ...] = ("events", "users", "items")
_BYTES_PER_BUCKET = 16 << 20
_FEWEST_BUCKETS, _MOST_BUCKETS = 8, 1024


@dataclass(frozen=True)
class IngestOptions:
    """What to read.

    Attributes:
        events: Files, folders or globs.
        users: The same for bios; may be empty.
        items: The same for texts of items; may be empty.
        columns: Our name to the column's name in the event files.
        user_columns: The same for the files of bios.
        item_columns: The same for the files of items.
        format: `auto`, or the format of every event file.
        n_buckets: 0 chooses by size.
    """

    events: tuple[str, ...]
    users: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    user_columns: Mapping[str, str] = field(default_factory=dict)
    item_columns: Mapping[str, str] = field(default_factory=dict)
    format: str = "auto"
    n_buckets: int = 0


def ingest(workspace: Workspace, options: IngestOptions, tombstones: Tombstones | None = None) -> dict[str, Any]:
    """Write `corpus/`; nothing happens when it stands there already, made of the same input.

    Rows of erased users and events are left out, and counted.

    Returns:
        The corpus manifest, with `done_before`.

    Raises:
        InputFileError, MissingColumnError: The input cannot be read.
        WorkspaceError: The workspace holds a corpus of other input, or cannot be written.
    """
    splits = {table: plan_table(options, table) for table in TABLES}
    identity = input_id(options, splits)
    manifest = workspace.read_manifest(CORPUS)
    if manifest is not None:
        if manifest["input_id"] == identity:
            LOG.info("corpus=%s finished before, nothing to do", manifest["corpus_id"])
            return {**manifest, "done_before": True}
        raise WorkspaceError(
            f"{workspace.path(CORPUS)}: expected a corpus of this input ({identity}), found one of other files or "
            f"flags ({manifest['input_id']}). Name another --workspace, or remove that folder to replace it."
        )
    n_buckets = options.n_buckets or _choose_buckets(splits)
    workspace.remove(CORPUS)
    with ray_session():
        counts = _write_corpus(workspace, options, splits, n_buckets, tombstones)
    described: dict[str, Any] = {
        "input_id": identity,
        "created_at": datetime.now(UTC).isoformat(),
        "n_buckets": n_buckets,
        "text_preparation": TEXT_PREPARATION,
        "inputs": {table: sorted({s.path for s in planned}) for table, planned in splits.items()},
        "options": asdict(options),
        **counts,
    }
    workspace.write_manifest(described, CORPUS)
    return {**described, "done_before": False}


def plan_table(options: IngestOptions, table: TableName) -> list[Split]:
    """The splits of all files of a table.

    Raises:
        InputFileError: A file is not there or is of no known format.
    """
    patterns = getattr(options, table)
    wanted = options.format if table == "events" else "auto"
    return plan_splits(patterns, format=wanted, table=table) if patterns else []


def input_id(options: IngestOptions, splits: Mapping[TableName, Sequence[Split]]) -> str:
    """Hash of what is read and how: files (path, size, time of change), columns, buckets."""
    changed = {path: _changed_at(path) for path in sorted({s.path for planned in splits.values() for s in planned})}
    meaning = {table: [asdict(s) for s in planned] for table, planned in splits.items()}
    maps = [options.columns, options.user_columns, options.item_columns]
    text = json.dumps([meaning, changed, maps, options.n_buckets, TEXT_PREPARATION, __version__], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _changed_at(path: str) -> str:
    filesystem, inside = resolve_filesystem(path)
    return str(filesystem.get_file_info(inside).mtime_ns)


def _corpus_id(n_buckets: int, written: Sequence[Mapping[str, Any]]) -> str:
    """Hash of what the corpus says: embeddings, snapshots and reports of another one are not taken for this one's."""
    digests = sorted((row["bucket"], row["digest"]) for row in written)
    text = json.dumps([n_buckets, digests, TEXT_PREPARATION])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _choose_buckets(splits: Mapping[TableName, Sequence[Split]]) -> int:
    size_bytes = sum(s.size_bytes for s in splits["events"])
    wanted = 2 ** int(np.ceil(np.log2(max(1, size_bytes / _BYTES_PER_BUCKET))))
    return int(np.clip(wanted, _FEWEST_BUCKETS, _MOST_BUCKETS))


def _write_corpus(
    workspace: Workspace,
    options: IngestOptions,
    splits: Mapping[TableName, Sequence[Split]],
    n_buckets: int,
    tombstones: Tombstones | None,
) -> dict[str, Any]:
    shared = {"workspace_uri": workspace.uri}
    bucketed = {**shared, "n_buckets": n_buckets}
    columns = {"events": options.columns, "users": options.user_columns, "items": options.item_columns}
    reading = {**bucketed, "now": time.time(), "columns": columns, "tombstones": tombstones}
    events = (
        parts_of([part_text(table, split) for table in ("events", "items") for split in splits[table]])
        .map_batches(read_rows, batch_size=1, fn_kwargs=reading, batch_format="numpy")
        .repartition(n_buckets, keys=["item_bucket"])
        .map_batches(write_items, batch_size=None, batch_format="pyarrow", fn_kwargs=bucketed)
        .repartition(n_buckets, keys=["bucket"])
        .map_batches(write_events, batch_size=None, batch_format="pyarrow", fn_kwargs=shared)
    )
    by_bucket = collect(events)
    bios = (
        parts_of([part_text("users", split) for split in splits["users"]])
        .map_batches(read_rows, batch_size=1, fn_kwargs=reading, batch_format="numpy")
        .repartition(n_buckets, keys=["bucket"])
        .map_batches(write_bios, batch_size=None, batch_format="pyarrow", fn_kwargs=shared)
    )
    bios_by_bucket = collect(bios) if splits["users"] else []
    _fill_gaps(workspace, "events", EVENTS, n_buckets, {row["bucket"] for row in by_bucket})
    _fill_gaps(workspace, "users", BIOS, n_buckets, {row["bucket"] for row in bios_by_bucket})
    read = [workspace.parquet_metadata(CORPUS, "quarantine", f) for f in workspace.files(CORPUS, "quarantine")]
    items = [workspace.parquet_metadata(CORPUS, "items", f) for f in workspace.files(CORPUS, "items")]
    _fill_gaps(workspace, "items", ITEMS, n_buckets, {row["bucket"] for row in items})
    n_events = sum(row["n_events"] for row in by_bucket)
    return {
        "corpus_id": _corpus_id(n_buckets, [*by_bucket, *bios_by_bucket, *items]),
        "n_rows_read": sum(r["n_read"] for r in read if r["table"] == "events"),
        "n_ignored": sum(r["n_ignored"] for r in read),
        "n_quarantined": sum(r["n_rows"] for r in read),
        "n_erased": sum(r["n_erased"] for r in read),
        "n_duplicates": sum(r["n_kept"] for r in read if r["table"] == "events") - n_events,
        "n_events": n_events,
        "n_events_with_text": sum(row["n_with_text"] for row in by_bucket),
        "n_users": sum(row["n_users"] for row in by_bucket),
        "n_bios": sum(row["n_bios"] for row in bios_by_bucket),
        "n_items": sum(i["n_rows"] for i in items),
        "first_event_us": min((row["first_us"] for row in by_bucket if row["n_events"]), default=None),
        "last_event_us": max((row["last_us"] for row in by_bucket if row["n_events"]), default=None),
    }


def _fill_gaps(workspace: Workspace, table: str, schema: pa.Schema, n_buckets: int, written: set[int]) -> None:
    """An empty table for every bucket that got no row: a missing file is then always an error.

    Raises:
        WorkspaceError: A task wrote a table that this machine does not see.
    """
    if not written <= _buckets_of(workspace, table):
        raise _unshared(workspace, table)
    for bucket in set(range(n_buckets)) - written:
        workspace.write_parquet(schema.empty_table(), CORPUS, table, bucket_name(bucket))


def _buckets_of(workspace: Workspace, table: str) -> set[int]:
    return {int(name.removeprefix("bucket-").removesuffix(".parquet")) for name in workspace.files(CORPUS, table)}


def _unshared(workspace: Workspace, table: str) -> WorkspaceError:
    return WorkspaceError(
        f"{workspace.path(CORPUS, table)}: expected the tables that the workers wrote, found some missing. A workspace "
        "must lie where every node of the cluster reaches it: object storage or a shared file system."
    )


def add_flags(made: argparse.ArgumentParser) -> None:
    """The flags that say what to read; `jobs.pipeline` has them too."""
    add_reading_flags(made, events_required=True)
    made.add_argument("--buckets", type=int, default=0, help="number of user buckets; 0 chooses by size")


def add_reading_flags(made: argparse.ArgumentParser, *, events_required: bool) -> None:
    """Those of the files; `jobs.update`, where the buckets are given, has them too."""
    files = "files, folders or globs of events"
    made.add_argument("--events", nargs="+", required=events_required, default=[], metavar="FILE", help=files)
    made.add_argument("--users", nargs="+", default=[], metavar="FILE", help="bios")
    made.add_argument("--items", nargs="+", default=[], metavar="FILE", help="texts of items")
    made.add_argument("--columns", help="ours=yours,... for the events, such as user_id=author,text=content")
    made.add_argument("--user-columns", help="the same for the bios")
    made.add_argument("--item-columns", help="the same for the items")
    made.add_argument("--format", default="auto", help="auto, parquet, csv, jsonl, x-api-v2 or jetstream")


def options_from(args: argparse.Namespace) -> IngestOptions:
    """The flags of `add_flags`, or of `add_reading_flags`, as options."""
    n_buckets = getattr(args, "buckets", 0)
    if n_buckets < 0:
        raise ConfigError(f"--buckets: expected 0 or a number of buckets > 0, found {n_buckets}.")
    return IngestOptions(
        tuple(args.events),
        tuple(args.users),
        tuple(args.items),
        parse_columns(args.columns),
        parse_columns(args.user_columns),
        parse_columns(args.item_columns),
        args.format,
        n_buckets,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, ingest, summarise."""
    made = parser("ingest", "Check events, bios and items and lay them out by user bucket.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    add_flags(made)
    add_live_flag(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    watch, workspace = Stopwatch(), Workspace(args.workspace)
    with watch.stage("ingest"):
        manifest = ingest(workspace, options_from(args), tombstones_at(workspace, args.live))
    return {"job": "ingest", **summary_of(manifest), "workspace": args.workspace, "seconds": watch.seconds}


def summary_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a summary that the corpus answers."""
    return {
        "rows_in": manifest["n_rows_read"],
        "rows_out": manifest["n_events"],
        "quarantined": manifest["n_quarantined"],
        "erased_rows": manifest.get("n_erased", 0),
        "duplicates": manifest["n_duplicates"],
        "users": manifest["n_users"],
        "items": manifest["n_items"],
        "done_before": manifest["done_before"],
    }


if __name__ == "__main__":
    run(main)
