"""Small corpora with known answers for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.decay import Decay
from dynprof.embeddings import write_shard
from dynprof.evaluation import Contest, EventLog, EventNames, Ranks, Window, choose_tests, eligible_events, index_events
from dynprof.evaluation.ranking import rank_block
from dynprof.keys import buckets
from dynprof.schema import BIOS, EVENTS
from dynprof.workspace import Workspace

DAY_US = 86_400_000_000
Row = tuple[str, str, int, str | None]  # event id, user, time, text


def hash_of(text: str | None) -> bytes | None:
    return None if text is None else text.encode().ljust(16, b"_")[:16]


def events_table(rows: Sequence[Row], weights: Sequence[float] | None = None, kind: str = "post") -> pa.Table:
    """Rows of corpus/events; times are microseconds."""
    n = len(rows)
    ids, users, times, texts = zip(*rows, strict=True) if n else ((), (), (), ())
    return pa.table(
        {
            "event_id": pa.array(ids, pa.string()),
            "user_id": pa.array(users, pa.string()),
            "timestamp": pa.array(times, pa.int64()).cast(EVENTS.field("timestamp").type),
            "event_type": pa.array([kind] * n, pa.string()),
            "item_id": pa.array(ids, pa.string()),
            "text": pa.array(texts, pa.string()),
            "text_hash": pa.array([hash_of(t) for t in texts], pa.binary(16)),
            "weight": pa.array([1.0] * n if weights is None else weights, pa.float32()),
            "language": pa.nulls(n, pa.string()),
        },
        schema=EVENTS,
    )


def vectors_of(text_hashes: pa.Array, dim: int = 8) -> npt.NDArray[np.float16]:
    """A unit vector for every text that depends on its hash only."""
    seeds = [int.from_bytes(h, "little") for h in text_hashes.to_pylist()]
    raw = np.array([np.random.default_rng(s).standard_normal(dim) for s in seeds]).reshape(-1, dim)
    return (raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)).astype(np.float16)


@dataclass(frozen=True)
class Asked:
    """A contest with the names behind its numbers."""

    contest: Contest
    names: EventNames
    log: EventLog

    def ranks(self) -> Ranks:
        return rank_block(self.contest, 0, len(self.contest.tests))

    def by_event(self) -> dict[tuple[str, int, bytes], list[tuple[int, int]]]:
        """(above, tied) of every method, by user, time and text of the test event."""
        tests, ranks = self.contest.tests, self.ranks()
        found = {}
        for i in range(len(tests)):
            user = self.names.user_ids[int(tests.users[i])].as_py()
            text = self.names.text_hashes[int(tests.targets[i])].as_py()
            pairs = list(zip(ranks.above[i].tolist(), ranks.tied[i].tolist(), strict=True))
            found[user, int(tests.event_us[i]), text] = pairs
        return found


def ask(
    events: pa.Table,
    window: Window,
    decays: Sequence[Decay],
    *,
    include_seen: bool = False,
    max_events: int = 0,
    prior_weight: float = 0.0,
) -> Asked:
    """The whole way from a table to a contest, without bios."""
    log, names = index_events(events)
    eligible = eligible_events(log, window, include_seen=include_seen)
    tests = choose_tests(log, names.event_ids, eligible, max_events=max_events, include_seen=include_seen)
    vectors = vectors_of(names.text_hashes)
    priors = np.full((1, vectors.shape[1]), 0.1, np.float32)
    rows = np.zeros(len(tests), np.int32)
    return Asked(Contest(log, vectors, tests, priors, rows, prior_weight, tuple(decays)), names, log)


def write_workspace(uri: str, events: pa.Table, bios: dict[str, str], *, n_buckets: int = 2, dim: int = 8) -> Workspace:
    """A finished corpus and embeddings as the jobs would leave them, with `vectors_of` as the encoder."""
    workspace = Workspace(uri)
    ids = pa.array(sorted(bios), pa.string())
    texts = pa.array([bios[i] for i in sorted(bios)], pa.string())
    hashes = pa.array([hash_of(bios[i]) for i in sorted(bios)], pa.binary(16))
    users = pa.table({"user_id": ids, "bio": texts, "text_hash": hashes}, schema=BIOS)
    for table, name in ((events, "events"), (users, "users")):
        bucket = buckets(table["user_id"], n_buckets)
        for b in range(n_buckets):
            workspace.write_parquet(table.filter(pa.array(bucket == b)), "corpus", name, f"bucket-{b:05d}.parquet")
    workspace.write_manifest({"corpus_id": "c0", "n_buckets": n_buckets}, "corpus")
    distinct = pc.unique(pa.concat_arrays([*events["text_hash"].chunks, hashes]).drop_null())
    write_shard(
        workspace,
        "f0",
        0,
        n_buckets=1,
        needed_by=np.zeros(len(distinct), np.int64),
        hashes=distinct,
        rows=np.arange(len(distinct)),
        vectors=vectors_of(distinct, dim),
        metadata={},
    )
    manifest = {"encoder": "plain", "dim": dim, "n_shards": 1, "created_at": "2026-01-01", "corpus_id": "c0"}
    workspace.write_manifest(manifest, "embeddings", "f0")
    return workspace


def random_rows(seed: int, n: int = 120, n_users: int = 6, n_texts: int = 30) -> list[Row]:
    """Events with many equal times and many repeated texts."""
    generator = np.random.default_rng(seed)
    users = generator.integers(0, n_users, n)
    texts = generator.integers(0, n_texts, n)
    times = generator.integers(0, 40, n) * (DAY_US // 8)
    return [(f"e{i}", f"u{users[i]}", int(times[i]), f"t{texts[i]}") for i in range(n)]
