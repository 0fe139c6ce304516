"""A corpus cut into a base and segments, as updates leave it, with known vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from dynprof.embedded import segment_fingerprint
from dynprof.embeddings import write_shard
from dynprof.keys import buckets, text_shards
from dynprof.lineage import present_corpus, segment_folder
from dynprof.schema import BIOS, ITEMS, REVISED
from dynprof.segments import write_segment_table
from dynprof.workspace import Workspace

from .evaluation_data import Row, events_table, hash_of, in_order, vectors_of

_COUNTS = ("n_rows_read", "n_ignored", "n_quarantined", "n_duplicates", "n_events", "n_events_with_text")


def complete_manifests(workspace: Workspace, dim: int = 8) -> None:
    """Give the manifests of `write_workspace` the counts that those of segments are added to."""
    corpus = dict.fromkeys((*_COUNTS, "n_bios", "n_items"), 0) | {"first_event_us": None, "last_event_us": None}
    workspace.write_manifest({**corpus, **workspace.read_manifest("corpus")}, "corpus")
    workspace.write_manifest(
        {**workspace.read_manifest("embeddings", "f0"), "mean_vector": [0.0] * dim}, "embeddings", "f0"
    )


def add_segment(
    workspace: Workspace,
    rows: Sequence[Row],
    *,
    revised: Sequence[tuple[Row, str | None]] = (),
    bios: dict[str, str | None] | None = None,
    n_shards: int = 1,
    n_distinct: int = 1 << 128,
) -> None:
    """New events, events with another text than before (given last), and bios; vectors of all their texts."""
    view, bios = present_corpus(workspace), bios or {}
    name, corpus_id = f"{len(view.segments) + 1:05d}-s", f"c{len(view.segments) + 1}"
    events = in_order(events_table(rows))
    before = pa.array([hash_of(old) for _, old in revised], pa.binary(16))
    changed = events_table([row for row, _ in revised]).append_column("old_text_hash", before).cast(REVISED)
    ids = sorted(bios)
    hashes = pa.array([hash_of(bios[i]) for i in ids], pa.binary(16))
    users = pa.table([ids, [bios[i] for i in ids], hashes], schema=BIOS)
    folder = segment_folder(name)
    for table, content in (("events", events), ("revised", changed), ("users", users)):
        write_segment_table(workspace, name, table, content, buckets(content["user_id"], view.n_buckets))
    write_segment_table(workspace, name, "items", ITEMS.empty_table(), np.zeros(0, np.int64))
    counts = dict.fromkeys((*_COUNTS, "n_new_bios", "n_new_items"), 0) | {"first_event_us": None, "last_event_us": None}
    ids_of = {"corpus_id": corpus_id, "parent_corpus_id": view.corpus_id}
    workspace.write_manifest({**counts, **ids_of}, folder)
    texts = [*events["text_hash"].to_pylist(), *changed["text_hash"].to_pylist(), *before.to_pylist(), *hashes]
    known = {t.as_py() if isinstance(t, pa.Scalar) else t for t in texts} - {None}
    write_vectors(workspace, name, corpus_id, pa.array(sorted(known), pa.binary(16)), n_shards, n_distinct)


def write_vectors(
    workspace: Workspace, segment: str, corpus_id: str, hashes: pa.Array, n_shards: int, n_distinct: int
) -> None:
    """The embeddings of a segment."""
    folder, shards = segment_fingerprint("f0", segment), text_shards(hashes, n_shards)
    for shard in range(n_shards):
        mine = hashes.filter(pa.array(shards == shard))
        write_shard(
            workspace,
            folder,
            shard,
            n_buckets=1,
            needed_by=np.zeros(len(mine), np.int64),
            hashes=mine,
            rows=np.arange(len(mine)),
            vectors=vectors_of(mine, n_distinct=n_distinct),
            metadata={},
        )
    manifest = {"corpus_id": corpus_id, "n_shards": n_shards, "vector_sum": [0.0] * 8}
    workspace.write_manifest(manifest, "embeddings", folder)
