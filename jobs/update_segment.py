"""New files to a segment of the corpus: the first stage of `jobs.update`."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import ray

from dynprof import __version__
from dynprof.corpus import CORPUS
from dynprof.lineage import SEGMENTS, CorpusView, present_corpus, segment_folder
from dynprof.live.tombstones import Tombstones
from dynprof.workspace import Workspace
from jobs.actors import n_processors
from jobs.command import ray_session
from jobs.ingest import TABLES, IngestOptions, input_id, plan_table
from jobs.update_tasks import find_known, read_part, settle

__all__ = ["finish_segment", "new_segment", "read_segment_of", "settle_parts"]

LOG = logging.getLogger("dynprof.update")


def read_segment_of(
    workspace: Workspace, reading: IngestOptions, tombstones: Tombstones | None = None
) -> dict[str, Any]:
    """Settle what is new as a segment; rows of erased users and events are left out.

    Returns:
        Its manifest; {} where these files are a segment already. Where they say nothing new, no segment is written, and
        only counts come back.

    Raises:
        InputFileError, MissingColumnError: The input cannot be read.
        WorkspaceError: No finished corpus.
    """
    view = present_corpus(workspace)
    splits = {table: plan_table(reading, table) for table in TABLES}
    identity = input_id(reading, splits)
    read_before = [name for name in view.segments if name.endswith(identity)]
    if read_before:
        LOG.info("segment=%s finished before", read_before[0])
        return {}
    name = new_segment(workspace, view, identity)
    shared = {"workspace_uri": workspace.uri, "n_buckets": view.n_buckets, "now": time.time()}
    columns = {"events": reading.columns, "users": reading.user_columns, "items": reading.item_columns}
    arguments = {**shared, "columns": columns, "folder": segment_folder(name), "tombstones": tombstones}
    with ray_session():
        read = ray.remote(read_part)
        parts = [read.remote(table, split, arguments) for table, planned in splits.items() for split in planned]
        counts = settle_parts(workspace, view, name, parts)
    quarantines = workspace.files(segment_folder(name), "quarantine")
    rejected = [workspace.parquet_metadata(segment_folder(name), "quarantine", file) for file in quarantines]
    read_counts = {
        "n_rows_read": sum(r["n_read"] for r in rejected if r["table"] == "events"),
        "n_ignored": sum(r["n_ignored"] for r in rejected),
        "n_quarantined": sum(r["n_rows"] for r in rejected),
        "n_erased": sum(r["n_erased"] for r in rejected),
    }
    inputs = {table: sorted({s.path for s in planned}) for table, planned in splits.items()}
    return finish_segment(workspace, view, name, {**counts, **read_counts, "input_id": identity, "inputs": inputs})


def new_segment(workspace: Workspace, view: CorpusView, identity: str) -> str:
    """Name of the segment to write next; what killed runs left of others is removed."""
    for name in workspace.folders(CORPUS, SEGMENTS):
        if name not in view.segments:
            workspace.remove(segment_folder(name))
    return f"{len(view.segments) + 1:05d}-{identity}"


def settle_parts(workspace: Workspace, view: CorpusView, name: str, parts: Sequence[Any]) -> dict[str, Any]:
    """Checked rows, as Ray knows them, to the tables of a segment; its counts. Within a Ray session."""
    look_up = ray.remote(find_known)
    groups = np.array_split(np.arange(view.n_buckets), min(n_processors(), view.n_buckets))
    known = [look_up.remote(workspace.uri, group.tolist(), view.segments, *parts) for group in groups]
    settling = (workspace.uri, name, view.corpus_id, view.segments, view.n_buckets, len(known))
    counts: dict[str, Any] = ray.get(ray.remote(settle).remote(*settling, *known, *parts))
    return counts


def finish_segment(workspace: Workspace, view: CorpusView, name: str, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest of a segment; nothing is left of one that says nothing new."""
    described: dict[str, Any] = {
        **counts,
        "parent_corpus_id": view.corpus_id,
        "created_at": datetime.now(UTC).isoformat(),
        "dynprof_version": __version__,
    }
    if "corpus_id" in counts:
        workspace.write_manifest(described, segment_folder(name))
    else:
        workspace.remove(segment_folder(name))
    return described
