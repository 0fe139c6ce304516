"""A workspace to serve: many users with a few events each on a catalogue of items, made of random vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.topical_vectors import topical_vectors
from dynprof.corpus import CORPUS, settle_users
from dynprof.embeddings import EMBEDDINGS, write_shard
from dynprof.encoders import load_encoder
from dynprof.keys import bucket_name, buckets, text_hashes, text_shards
from dynprof.schema import BIOS, EVENTS, ITEMS
from dynprof.workspace import Workspace

__all__ = ["make_served_world", "user_name"]

N_BUCKETS, N_SHARDS = 16, 16
START_US, YEAR_US = 1_700_000_000_000_000, 365 * 86_400 * 1_000_000


def user_name(number: int) -> str:
    """Id of a user."""
    return f"u{number:07d}"


def make_served_world(workspace: Workspace, n_users: int, n_items: int, dim: int, *, events_a_user: int = 3) -> None:
    """A corpus with embeddings as the jobs leave them: items appear evenly over a year, users like some of them.

    Raises:
        ValueError: Fewer events than items.
    """
    if n_users * events_a_user < n_items:
        raise ValueError(f"expected an event for each of {n_items} items, found {n_users} users of {events_a_user}.")
    rng = np.random.default_rng(0)
    items = pa.array(np.char.mod("item number %d", np.arange(n_items)))
    hashes, created_us = text_hashes(items), START_US + np.arange(n_items) * (YEAR_US // n_items)
    n_events = n_users * events_a_user
    users, about = np.repeat(np.arange(n_users), events_a_user), rng.integers(0, n_items, n_events)
    about[:n_items] = np.arange(n_items)  # every item by somebody, or it has no vector
    at_us = created_us[about] + rng.integers(0, 7 * 86_400 * 1_000_000, n_events)
    user_ids = pa.array(np.char.mod("u%07d", users))
    bucket = buckets(user_ids, N_BUCKETS)
    events = {
        "event_id": pa.array(np.char.mod("e%d", np.arange(n_events))),
        "user_id": user_ids,
        "timestamp": _times(at_us),
        "event_type": pa.array(["like"]).take(pa.array(np.zeros(n_events, np.int64))),
        "item_id": pa.array(np.char.mod("i%d", about)),
        "text_hash": hashes.take(pa.array(about)),
        "weight": pa.array(np.ones(n_events, np.float32)),
    }
    table = _table(events, EVENTS, n_events)
    for b in range(N_BUCKETS):
        workspace.write_parquet(settle_users(table.filter(pa.array(bucket == b))), CORPUS, "events", bucket_name(b))
        workspace.write_parquet(BIOS.empty_table(), CORPUS, "users", bucket_name(b))
    _write_items(workspace, items, hashes, created_us)
    encoder = f"hashing:{dim}"  # of live events; the vectors here are not its own, which no route can tell
    fingerprint = load_encoder(encoder).fingerprint
    needed = np.unique(about * N_BUCKETS + bucket)
    _write_vectors(workspace, fingerprint, hashes, topical_vectors(n_items, dim), needed)
    corpus = {"corpus_id": "benchmark", "n_buckets": N_BUCKETS, "last_event_us": int(at_us.max())}
    workspace.write_manifest({**corpus, "n_events_with_text": n_events}, CORPUS)
    embeddings = {"corpus_id": "benchmark", "dim": dim, "fingerprint": fingerprint, "encoder": encoder}
    more = {"n_shards": N_SHARDS, "mean_vector": [0.0] * dim, "created_at": "2026"}
    workspace.write_manifest({**embeddings, **more}, EMBEDDINGS, fingerprint)


def _times(at_us: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(at_us).cast(EVENTS.field("timestamp").type)


def _table(columns: dict[str, Any], schema: pa.Schema, n: int) -> pa.Table:
    return pa.Table.from_arrays([columns.get(f.name, pa.nulls(n, f.type)) for f in schema], schema=schema)


def _write_items(workspace: Workspace, texts: pa.Array, hashes: pa.Array, created_us: npt.NDArray[np.int64]) -> None:
    n = len(texts)
    ids = pa.array(np.char.mod("i%d", np.arange(n)))
    columns = {"item_id": ids, "text": texts, "text_hash": hashes, "created_at": _times(created_us)}
    table = _table({**columns, "n_events": pa.array(np.ones(n, np.int64))}, ITEMS, n)
    bucket = buckets(ids, N_BUCKETS)
    for b in range(N_BUCKETS):
        mine = table.filter(pa.array(bucket == b)).sort_by("item_id")
        workspace.write_parquet(mine, CORPUS, "items", bucket_name(b))


def _write_vectors(
    workspace: Workspace,
    fingerprint: str,
    hashes: pa.Array,
    vectors: npt.NDArray[np.float16],
    pairs: npt.NDArray[np.int64],
) -> None:
    """Shards; `pairs` are item x N_BUCKETS + user bucket that needs it."""
    items, needed_by = np.divmod(pairs, N_BUCKETS)
    shards = text_shards(hashes, N_SHARDS)
    for s in range(N_SHARDS):
        mine = np.flatnonzero(shards[items] == s)
        write_shard(
            workspace,
            fingerprint,
            s,
            n_buckets=N_BUCKETS,
            needed_by=needed_by[mine],
            hashes=hashes.take(pa.array(items[mine])),
            rows=items[mine],
            vectors=vectors,
            metadata={},
        )
