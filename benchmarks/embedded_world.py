"""A corpus with embeddings as the jobs leave them, made of random vectors: what benchmarks build profiles from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from dynprof.corpus import CORPUS, settle_users
from dynprof.embeddings import EMBEDDINGS, write_shard
from dynprof.keys import bucket_name, buckets, text_hashes, text_shards
from dynprof.schema import BIOS, EVENTS
from dynprof.workspace import Workspace

__all__ = ["FINGERPRINT", "N_BUCKETS", "N_SHARDS", "make_world"]

FINGERPRINT = "benchmark"
N_BUCKETS, N_SHARDS = 16, 64
START_US, YEAR_US = 1_500_000_000_000_000, 365 * 86_400 * 1_000_000


def make_world(workspace: Workspace, n_events: int, n_users: int, dim: int, *, heavy: bool) -> None:
    """A corpus with embeddings as the jobs leave them; every event has its own text. `heavy`: one user has half."""
    rng = np.random.default_rng(0)
    users = rng.integers(0, n_users, n_events)
    if heavy:
        users[: n_events // 2] = 0
    ids = pa.array(np.char.mod("u%07d", users))
    hashes = text_hashes(pa.array(np.char.mod("t%d", np.arange(n_events))))
    at_us = START_US + rng.integers(0, YEAR_US, n_events)
    columns: dict[str, Any] = {
        "event_id": pa.array(np.char.mod("e%d", np.arange(n_events))),
        "user_id": ids,
        "timestamp": pa.array(at_us).cast(EVENTS.field("timestamp").type),
        "event_type": pa.array(["post"] * n_events),
        "text_hash": hashes,
        "weight": pa.array(np.ones(n_events, np.float32)),
    }
    arrays = [columns.get(f.name, pa.nulls(n_events, f.type)) for f in EVENTS]
    events = pa.Table.from_arrays(arrays, schema=EVENTS)
    bucket = buckets(ids, N_BUCKETS)
    for b in range(N_BUCKETS):
        workspace.write_parquet(settle_users(events.filter(pa.array(bucket == b))), CORPUS, "events", bucket_name(b))
        workspace.write_parquet(BIOS.empty_table(), CORPUS, "users", bucket_name(b))
    shards = text_shards(hashes, N_SHARDS)
    for s in range(N_SHARDS):
        mine = np.flatnonzero(shards == s)
        vectors = rng.standard_normal((len(mine), dim), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        write_shard(
            workspace,
            FINGERPRINT,
            s,
            n_buckets=N_BUCKETS,
            needed_by=bucket[mine],
            hashes=hashes.take(pa.array(mine)),
            rows=np.arange(len(mine)),
            vectors=vectors,
            metadata={},
        )
    corpus = {"corpus_id": "benchmark", "n_buckets": N_BUCKETS, "last_event_us": int(at_us.max())}
    workspace.write_manifest(corpus, CORPUS)
    embeddings = {"corpus_id": "benchmark", "dim": dim, "fingerprint": FINGERPRINT, "encoder": "none"}
    more = {"n_shards": N_SHARDS, "mean_vector": [0.0] * dim, "created_at": "2026"}
    workspace.write_manifest({**embeddings, **more}, EMBEDDINGS, FINGERPRINT)
