"""A small workspace, written by the library itself, of users with awkward ids and histories; and the truth of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from embedding_shards import write_shards

from dynprof.bucket_vectors import BucketVectors
from dynprof.build import build_runs
from dynprof.corpus import CORPUS, merge_bios, mixed_events, mixed_items, resolve_items, settle_users
from dynprof.decay import Decay
from dynprof.embeddings import EMBEDDINGS
from dynprof.encoders import load_encoder
from dynprof.keys import bucket_name, buckets, text_hashes
from dynprof.profile import Profiles, exact_profiles
from dynprof.schema import BIOS, EVENTS, RAW_EVENTS, RAW_ITEMS, profiles_schema, states_schema
from dynprof.snapshot import SNAPSHOTS, SnapshotSpec, parse_decays
from dynprof.text import prepare_texts
from dynprof.user_runs import runs_of_users
from dynprof.workspace import Workspace

ODD_IDS = [
    "a",
    "a/b",
    "a/profile",
    "profile",
    "100%",
    "a%2Fb",
    "Ünï 😀",
    "<b>",
    'q"uote',
    "x y",
    "a+b",
    "a?b#c",
    "né\nw",
]
HEAVY, BIO_ONLY, SILENT, WORDLESS = "heavy", "bio-only", "silent", "wordless"
BIOS_OF = {BIO_ONLY: "goals and penalties", "a": "bread and butter", SILENT: None}

TOPICS = {
    "football": "goal penalty striker keeper league derby offside corner",
    "cooking": "bread butter oven dough flour recipe salt onion",
    "space": "rocket orbit lander comet probe launch nebula crater",
}
DAY_US = 86_400 * 1_000_000
START_US = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
AS_OF_US = START_US + 150 * DAY_US
N_BUCKETS, N_SHARDS, USERS_PER_PASS = 4, 2, 3
ENCODER = "hashing:64"
HALF_LIFE = "30d"


@dataclass(frozen=True)
class World:
    """The workspace and what is in it.

    Attributes:
        workspace: Finished: corpus, embeddings, one snapshot.
        snapshot: Its name.
        spec: What its profiles mean.
        events: Of EVENTS, all buckets.
        user_ids: Everybody in the snapshot.
        vectors: (n, dim) float32, as stored, of each event; 0 without a text.
        population: (dim,) prior of users without a bio.
        bios: Vectors of the bios, by user.
    """

    workspace: Workspace
    snapshot: str
    spec: SnapshotSpec
    events: pa.Table
    user_ids: list[str]
    vectors: npt.NDArray[np.float32]
    population: npt.NDArray[np.float32]
    bios: dict[str, npt.NDArray[np.float32]]

    def exact(self, user_id: str, decay: Decay, as_of_us: int) -> Profiles:
        """The profile by weighing every event of the log: what the store must agree with."""
        mine = np.asarray(pc.and_(pc.equal(self.events["user_id"], user_id), pc.is_valid(self.events["text_hash"])))
        n, prior = int(mine.sum()), self.bios.get(user_id, self.population)
        return exact_profiles(
            np.zeros(n, np.int64),
            np.arange(n),
            self.event_us[mine],
            np.asarray(self.events["weight"], np.float64)[mine],
            self.vectors[mine],
            decay,
            n_users=1,
            as_of_us=as_of_us,
            prior=prior[None],
            prior_weight=self.spec.prior_weight,
        )

    @property
    def event_us(self) -> npt.NDArray[np.int64]:
        """(n,) time of each event."""
        return np.asarray(self.events["timestamp"].cast(pa.int64()))


def make_world(root: Path, rows: Iterable[dict[str, Any]] | None = None) -> World:
    """Write a finished workspace below `root`, of `raw_events` or of other rows."""
    workspace = Workspace(root)
    events, bios = write_corpus(workspace, raw_events() if rows is None else rows)
    encoder = load_encoder(ENCODER)
    population = write_embeddings(workspace, events, bios)
    spec = SnapshotSpec(encoder.fingerprint, encoder.dim, AS_OF_US, parse_decays("all", HALF_LIFE))
    snapshot, user_ids = write_snapshot(workspace, spec, population)
    bio_vectors = {u: half(encoder.encode([b]))[0] for u, b in BIOS_OF.items() if b}
    return World(
        workspace, snapshot, spec, events, user_ids, half(encoder.encode(events["text"])), population, bio_vectors
    )


def half(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Rounded as on disk."""
    return vectors.astype(np.float16).astype(np.float32)


def raw_events() -> Iterator[dict[str, Any]]:
    """Users of one topic each; some reposts of one item, some texts that repeat under other ids, some after as_of."""
    rng = np.random.default_rng(7)
    topics = list(TOPICS)
    for number, user_id in enumerate([*ODD_IDS, *(f"user-{i}" for i in range(8))]):
        for i in range(int(rng.integers(3, 12))):
            text = " ".join(rng.choice(TOPICS[topics[number % 3]].split(), 3))
            at_us = START_US + int(rng.integers(0, 180 * DAY_US))
            yield event(user_id, f"{user_id}-{i}", text, at_us, weight=float(rng.choice([1.0, 2.0, -0.5])))
        shared = "everyone: the derby"
        yield event(user_id, f"{user_id}-shared", shared, START_US + number * DAY_US, item_id="shared")
    for i in range(60):
        yield event(HEAVY, f"heavy-{i}", f"orbit {i % 20}", START_US + 2 * i * DAY_US)
    yield event(WORDLESS, "wordless-0", "https://t.co/abc", START_US)


def event(
    user_id: str, event_id: str, text: str, at_us: int, *, weight: float = 1.0, item_id: str | None = None
) -> dict[str, Any]:
    """A row of RAW_EVENTS."""
    kind = "post" if item_id is None else "retweet"
    row = {"event_id": event_id, "user_id": user_id, "timestamp": at_us, "event_type": kind, "item_id": item_id}
    return {**row, "text": text, "weight": weight, "language": "en"}


def write_corpus(workspace: Workspace, rows: Iterable[dict[str, Any]]) -> tuple[pa.Table, pa.Table]:
    """corpus/: events and bios by user bucket, items by item bucket; returns events and bios."""
    cold = {"item_id": "cold", "text": "nobody ever posted this", "created_at": START_US}
    raw = pa.Table.from_pylist(list(rows), schema=RAW_EVENTS)
    mixed = [mixed_events(raw, N_BUCKETS), mixed_items(pa.Table.from_pylist([cold], schema=RAW_ITEMS), N_BUCKETS)]
    items, events = resolve_items(pa.concat_tables(mixed))
    bios = [{"user_id": u, "bio": b, "read_order": i} for i, (u, b) in enumerate(BIOS_OF.items())]
    told = merge_bios(
        pa.Table.from_pylist(bios, schema=pa.schema([*BIOS][:2]).append(pa.field("read_order", pa.int64())))
    )
    for bucket in range(N_BUCKETS):
        mine = settle_users(in_bucket(events, "user_id", bucket))
        workspace.write_parquet(mine, CORPUS, "events", bucket_name(bucket))
        workspace.write_parquet(in_bucket(told, "user_id", bucket), CORPUS, "users", bucket_name(bucket))
        workspace.write_parquet(in_bucket(items, "item_id", bucket), CORPUS, "items", bucket_name(bucket))
    n_with_text = len(events) - events["text_hash"].null_count
    counts = {
        "n_events": len(events),
        "n_events_with_text": n_with_text,
        "n_items": len(items),
        "n_quarantined": 0,
        "n_item_buckets": N_BUCKETS,
    }
    workspace.write_manifest({"corpus_id": "c0ffee", "n_buckets": N_BUCKETS, **counts}, CORPUS)
    return settle_users(events.select(EVENTS.names)), told


def write_embeddings(workspace: Workspace, events: pa.Table, bios: pa.Table) -> npt.NDArray[np.float32]:
    """embeddings/: every text of an event or a bio; returns the mean vector."""
    encoder = load_encoder(ENCODER)
    texts = pa.concat_tables([events.select(["user_id", "text"]), bios.rename_columns({"bio": "text"}).select([0, 1])])
    texts = texts.append_column("text_hash", text_hashes(prepare_texts(texts["text"])))
    write_shards(workspace, encoder, texts, N_BUCKETS, N_SHARDS)
    distinct = texts.filter(pc.is_valid(texts["text_hash"])).group_by("text_hash").aggregate([("text", "min")])
    mean = encoder.encode(distinct["text_min"]).mean(0)
    manifest = {"fingerprint": encoder.fingerprint, "encoder": ENCODER, "dim": encoder.dim, "corpus_id": "c0ffee"}
    described = {**manifest, "n_shards": N_SHARDS, "created_at": "2024-07-01", "mean_vector": mean.tolist()}
    workspace.write_manifest(described, EMBEDDINGS, encoder.fingerprint)
    return mean


def write_snapshot(
    workspace: Workspace, spec: SnapshotSpec, population: npt.NDArray[np.float32], *, finished: bool = True
) -> tuple[str, list[str]]:
    """profiles/<snapshot>/ in passes of few users, as the job writes it; returns its name and all users."""
    name, user_ids, n_events = spec.name("c0ffee"), [], 0
    for bucket in range(N_BUCKETS):
        events = workspace.read_parquet(CORPUS, "events", bucket_name(bucket))
        users = workspace.read_parquet(CORPUS, "users", bucket_name(bucket))
        vectors = BucketVectors(workspace, spec.fingerprint, bucket, N_SHARDS)
        runs = runs_of_users([events[i : i + 50] for i in range(0, len(events), 50)], users, events.schema)
        built = list(build_runs(runs, vectors, spec, population=population, users_at_once=USERS_PER_PASS))
        profiles = pa.concat_tables([profiles_schema(spec.dim).empty_table(), *(b.profiles for b in built)])
        workspace.write_parquet(profiles, SNAPSHOTS, name, "profiles", bucket_name(bucket))
        parts = (SNAPSHOTS, name, "states", bucket_name(bucket, "arrow"))
        workspace.write_ipc([b.states for b in built], states_schema(spec.dim), *parts)
        user_ids += [user_id for b in built for user_id in b.states["user_id"].to_pylist()]
        n_events += sum(sum(b.states["n_events"].to_pylist()) for b in built)
    counts = {"n_buckets": N_BUCKETS, "n_users": len(user_ids), "n_events": n_events}
    described = {**spec.to_json(), **counts, "corpus_id": "c0ffee", "encoder": ENCODER, "created_at": "2024-07-01"}
    if finished:
        workspace.write_manifest({**described, "population_mean": population.tolist()}, SNAPSHOTS, name)
    return name, user_ids


def in_bucket(table: pa.Table, key: str, bucket: int) -> pa.Table:
    """Rows whose key is in a bucket."""
    return table.filter(pa.array(buckets(table[key], N_BUCKETS) == bucket))
