"""A corpus, its vectors and a snapshot from rows, written by the library without Ray; and exact profiles as a judge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from embedding_shards import write_shards

from dynprof.build import build_runs
from dynprof.corpus import CORPUS, merge_bios, mixed_events, mixed_items, resolve_items, settle_users
from dynprof.decay import Decay
from dynprof.embedded import open_vectors
from dynprof.embeddings import EMBEDDINGS, load_vectors
from dynprof.encoders import load_encoder
from dynprof.increment import Known, settle_increment
from dynprof.keys import bucket_name, buckets
from dynprof.lineage import present_corpus, segment_folder
from dynprof.live.log import LiveEvent
from dynprof.profile import Profiles, exact_profiles
from dynprof.schema import BIOS, EVENTS, ITEMS, RAW_EVENTS, RAW_ITEMS, profiles_schema, states_schema
from dynprof.segments import find_rows, read_bios, read_events, write_segment_table
from dynprof.snapshot import SNAPSHOTS, SnapshotSpec, parse_decays
from dynprof.user_runs import runs_of_users
from dynprof.workspace import Workspace

Row = dict[str, Any]

ENCODER = load_encoder("hashing:32")
N_BUCKETS, N_SHARDS = 2, 2
DAY_US = 86_400_000_000
START_US = 1_700_000_000_000_000
TYPE_WEIGHTS = {"post": 1.0, "like": 0.5}
_COUNTS = ("n_rows_read", "n_ignored", "n_quarantined", "n_duplicates")
_BIO_ROWS = pa.schema([*BIOS][:2]).append(pa.field("read_order", pa.int64()))


def row(event_id: str, user_id: str, at_us: int, text: str | None, item_id: str | None = None, **more: Any) -> Row:
    """Of RAW_EVENTS."""
    kind = "post" if item_id is None else "like"
    given = {"event_id": event_id, "user_id": user_id, "timestamp": at_us, "event_type": kind, "item_id": item_id}
    return {**given, "text": text, "weight": 1.0, "language": None, **more}


def live(row: Row) -> LiveEvent:
    """A row as an event of a log."""
    return LiveEvent(
        row["event_id"],
        row["user_id"],
        row["timestamp"],
        row["event_type"],
        row["item_id"] or row["event_id"],
        row["text"],
        row["weight"],
        row["language"],
    )


def write_base(
    workspace: Workspace,
    rows: Sequence[Row],
    *,
    items: Sequence[Row] = (),
    bios: dict[str, str | None] | None = None,
    gone: Collection[str] = (),
) -> None:
    """corpus/ as ingest writes it; `gone` are events taken out afterwards, and with them items that nobody touches."""
    mixed = [mixed_events(pa.Table.from_pylist(list(rows), schema=RAW_EVENTS), N_BUCKETS)]
    mixed.append(mixed_items(pa.Table.from_pylist(list(items), schema=RAW_ITEMS), N_BUCKETS))
    resolved, events = resolve_items(pa.concat_tables(mixed))
    events = settle_users(events)
    events = events.filter(pc.invert(pc.is_in(events["event_id"], value_set=pa.array(list(gone), pa.string()))))
    told = [{"user_id": u, "bio": b, "read_order": i} for i, (u, b) in enumerate((bios or {}).items())]
    users = merge_bios(pa.Table.from_pylist(told, schema=_BIO_ROWS))
    for name, table, key in (
        ("events", events, "user_id"),
        ("users", users, "user_id"),
        ("items", resolved, "item_id"),
    ):
        of = buckets(table[key], N_BUCKETS)
        for b in range(N_BUCKETS):
            workspace.write_parquet(table.filter(pa.array(of == b)), CORPUS, name, bucket_name(b))
    counts = {"n_bios": len(users), "n_items": len(resolved), "n_users": 0, **_counts(events)}
    described = {**dict.fromkeys(_COUNTS, 0), **counts, "corpus_id": "base", "n_buckets": N_BUCKETS}
    workspace.write_manifest(described, CORPUS)


def add_rows(workspace: Workspace, rows: Sequence[Row]) -> None:
    """A segment, as an update settles it."""
    view = present_corpus(workspace)
    mixed = mixed_events(pa.Table.from_pylist(list(rows), schema=RAW_EVENTS), N_BUCKETS)

    def find(table: str, values: pa.Array, columns: list[str]) -> pa.Table:
        found = [find_rows(workspace, table, b, values, columns, segments=view.segments) for b in range(N_BUCKETS)]
        return pa.concat_tables(found)

    events = find("events", pc.unique(mixed["event_id"]), ["event_id", "user_id", "item_id"])
    known = Known(events, find("items", pc.unique(mixed["item_id"]), ITEMS.names), BIOS.empty_table())

    def events_about(items: pa.Array) -> pa.Table:
        old = all_events(workspace)
        return old.filter(pc.is_in(old["item_id"], value_set=items))

    new = settle_increment(mixed, _BIO_ROWS.empty_table(), known, events_about)
    name = f"{len(view.segments):05d}-test"
    for table, key in (("events", "user_id"), ("revised", "user_id"), ("users", "user_id"), ("items", "item_id")):
        content = getattr(new, table)
        write_segment_table(workspace, name, table, content, buckets(content[key], N_BUCKETS))
    counts = {"n_new_bios": 0, "n_new_items": new.n_new_items, **dict.fromkeys(_COUNTS, 0), **_counts(new.events)}
    ids = {"parent_corpus_id": view.corpus_id, "corpus_id": new.corpus_id(view.corpus_id)}
    workspace.write_manifest({**counts, **ids}, segment_folder(name))


def all_events(workspace: Workspace) -> pa.Table:
    """Of EVENTS, all buckets and segments."""
    segments = present_corpus(workspace).segments
    return pa.concat_tables([read_events(workspace, b, EVENTS.names, segments=segments) for b in range(N_BUCKETS)])


def embed_and_build(workspace: Workspace) -> str:
    """Vectors of all texts that the corpus needs, and a snapshot of all its events; its name."""
    view, events = present_corpus(workspace), all_events(workspace)
    bios = pa.concat_tables([read_bios(workspace, b, BIOS.names, segments=view.segments) for b in range(N_BUCKETS)])
    _write_vectors(workspace, view.corpus_id, events, bios)
    return build_snapshot(workspace)


def build_snapshot(workspace: Workspace) -> str:
    """A snapshot of all events, from the vectors that are there; its name."""
    view, events = present_corpus(workspace), all_events(workspace)
    last_us = pc.max(events["timestamp"].cast(pa.int64())).as_py()
    as_of_us = 0 if last_us is None else last_us + 1
    decays = parse_decays("exponential", "30d")
    spec = SnapshotSpec(ENCODER.fingerprint, ENCODER.dim, as_of_us, decays, TYPE_WEIGHTS)
    vectors, name, n_users = open_vectors(workspace, spec.fingerprint, view), spec.name(view.corpus_id), 0
    mean = np.asarray(vectors.manifest["mean_vector"], np.float32)
    for bucket in range(N_BUCKETS):
        mine = read_events(workspace, bucket, EVENTS.names, segments=view.segments)
        told = read_bios(workspace, bucket, BIOS.names, segments=view.segments)
        runs = runs_of_users([mine] if len(mine) else [], told, EVENTS)
        built = list(build_runs(runs, vectors.of_bucket(bucket), spec, population=mean, users_at_once=50))
        profiles = pa.concat_tables([profiles_schema(spec.dim).empty_table(), *(b.profiles for b in built)])
        workspace.write_parquet(profiles, SNAPSHOTS, name, "profiles", bucket_name(bucket))
        parts = (SNAPSHOTS, name, "states", bucket_name(bucket, "arrow"))
        workspace.write_ipc([b.states for b in built], states_schema(spec.dim), *parts)
        n_users += sum(len(b.states) for b in built)
    counts = {"n_buckets": N_BUCKETS, "n_users": n_users, "n_events": view.manifest["n_events_with_text"]}
    described = {**spec.to_json(), **counts, "corpus_id": view.corpus_id, "created_at": "2024-07-01"}
    workspace.write_manifest({**described, "population_mean": mean.tolist()}, SNAPSHOTS, name)
    return name


def exact(
    workspace: Workspace,
    events: pa.Table,
    user_id: str,
    decay: Decay,
    as_of_us: int,
    population: npt.NDArray[np.float32],
) -> Profiles:
    """A profile by weighing every one of `all_events`."""
    mine = events.filter(pc.and_(pc.equal(events["user_id"], user_id), pc.is_valid(events["text_hash"])))
    types = np.array([TYPE_WEIGHTS.get(name, 1.0) for name in mine["event_type"].to_pylist()])
    bucket = int(buckets(pa.array([user_id]), N_BUCKETS)[0])
    bios = read_bios(workspace, bucket, BIOS.names, segments=present_corpus(workspace).segments)
    bio = bios.filter(pc.and_(pc.equal(bios["user_id"], user_id), pc.is_valid(bios["text_hash"])))
    prior = load_vectors(workspace, ENCODER.fingerprint, bio["text_hash"])[0] if len(bio) else population
    return exact_profiles(
        np.zeros(len(mine), np.int64),
        np.arange(len(mine)),
        np.asarray(mine["timestamp"].cast(pa.int64())),
        np.asarray(mine["weight"], np.float64) * types,
        load_vectors(workspace, ENCODER.fingerprint, mine["text_hash"]).astype(np.float32),
        decay,
        n_users=1,
        as_of_us=as_of_us,
        prior=np.asarray(prior, np.float32)[None],
        prior_weight=0.1,
    )


def _write_vectors(workspace: Workspace, corpus_id: str, events: pa.Table, bios: pa.Table) -> None:
    both = [events.select(["user_id", "text", "text_hash"]), bios.rename_columns(["user_id", "text", "text_hash"])]
    write_shards(workspace, ENCODER, pa.concat_tables(both), N_BUCKETS, N_SHARDS)
    texts = events["text"].filter(pc.is_valid(events["text_hash"]))
    mean = ENCODER.encode(texts).mean(0) if len(texts) else np.zeros(ENCODER.dim, np.float32)
    manifest = {"fingerprint": ENCODER.fingerprint, "encoder": "hashing:32", "dim": ENCODER.dim, "n_shards": N_SHARDS}
    described = {**manifest, "corpus_id": corpus_id, "created_at": "2024-07-01", "mean_vector": mean.tolist()}
    workspace.write_manifest(described, EMBEDDINGS, ENCODER.fingerprint)


def _counts(events: pa.Table) -> dict[str, Any]:
    times: Iterable[int] = events["timestamp"].cast(pa.int64()).to_pylist()
    n_with_text = len(events) - events["text_hash"].null_count
    span = {"first_event_us": min(times, default=None), "last_event_us": max(times, default=None)}
    return {"n_events": len(events), "n_events_with_text": n_with_text, **span}
