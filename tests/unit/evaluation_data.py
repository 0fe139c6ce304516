"""Small corpora with known answers for the tests of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embedded import open_vectors
from dynprof.embeddings import write_shard
from dynprof.evaluation import (
    EventLog,
    EventNames,
    Judged,
    Placed,
    Ranks,
    TestEvents,
    Window,
    choose_tests,
    cut_rounds,
    eligible_events,
    index_events,
    judge_candidates,
    pose_tests,
    rank_baselines,
    settle_ranks,
)
from dynprof.evaluation.bucket_tests import pose_bucket
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.loading import Plan, Question
from dynprof.evaluation.seen import SeenItems
from dynprof.evaluation.shard_counts import gather_shards, judge_shards, split_texts, sum_shard
from dynprof.evaluation.tiles import Candidates
from dynprof.evaluation.weighing import Weighing
from dynprof.keys import buckets, text_shards
from dynprof.lineage import present_corpus
from dynprof.schema import BIOS, EVENTS
from dynprof.vector_chunk import VectorChunk
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


def in_order(events: pa.Table) -> pa.Table:
    """As ingest writes a bucket."""
    return events.sort_by([(name, "ascending") for name in ("user_id", "timestamp", "event_id")])


def index(events: pa.Table, **options: dict[str, float]) -> tuple[EventLog, EventNames]:
    """The log of a corpus of one bucket."""
    return index_events([in_order(events)], **options)


def ids_in_log(events: pa.Table) -> pa.StringArray:
    """Event ids in the order of the log of `index`."""
    return in_order(events.filter(pc.is_valid(events["text_hash"])))["event_id"].combine_chunks()


def vectors_of(text_hashes: pa.Array, dim: int = 8, n_distinct: int = 1 << 128) -> npt.NDArray[np.float16]:
    """A unit vector for every text that depends on its hash only; at most `n_distinct` of them."""
    seeds = [int.from_bytes(h, "little") % n_distinct for h in text_hashes.to_pylist()]
    raw = np.array([np.random.default_rng(s).standard_normal(dim) for s in seeds]).reshape(-1, dim)
    return (raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)).astype(np.float16)


def of_matrix(vectors: npt.NDArray[np.float16]) -> ItemVectors:
    """Vectors by number, in memory."""
    return ItemVectors(VectorChunk(pa.nulls(len(vectors), pa.binary(16)), [vectors]), np.arange(len(vectors)))


@dataclass(frozen=True)
class Asked:
    """Tests with all that their ranks depend on: vectors (n_items, dim), priors (len(tests), dim)."""

    log: EventLog
    names: EventNames
    tests: TestEvents
    vectors: npt.NDArray[np.float16]
    priors: npt.NDArray[np.float32]
    prior_weight: float
    decays: tuple[Weighing, ...]
    clocks: tuple[float | None, ...] = (None,)

    def placed(
        self, rows: slice = slice(None), parts: Sequence[npt.NDArray[np.int64]] | None = None, list_size: int = 0
    ) -> Placed:
        """Of the profiles, judged over parts of the items (rising numbers in each; by default one part)."""
        tests, of, first_us = self.tests.take(rows), of_matrix(self.vectors), self.log.first_us
        prior = {"prior": self.priors[rows], "prior_weight": self.prior_weight}
        times = {"clocks": self.clocks, "target_us": first_us[tests.targets]}
        queries = pose_tests(self.log, of, tests, self.decays, **prior, **times).queries
        seen = SeenItems.of(self.log, tests)
        found = Judged.nothing((len(tests), queries.n_columns), list_size)
        for items in [np.arange(len(self.vectors))] if parts is None else parts:
            candidates = Candidates(items, ItemVectors(of.chunk, items), first_us[items])
            found += judge_candidates(queries, tests.catalogue, candidates, seen=seen, list_size=list_size)
        return settle_ranks(self.log, tests, queries.silent, self.clocks, found)

    def ranks(self, rows: slice = slice(None), parts: Sequence[npt.NDArray[np.int64]] | None = None) -> Ranks:
        """Ranks of some tests, profiles and counts."""
        return beside(self.placed(rows, parts).ranks, rank_baselines(self.log, self.tests.take(rows)))

    def by_event(self) -> dict[tuple[str, int, bytes], list[tuple[int, int]]]:
        """(above, tied) of every method, by user, time and text of the test event."""
        tests, ranks = self.tests, self.ranks()
        found = {}
        for i in range(len(tests)):
            user = self.names.user_ids[int(tests.users[i])].as_py()
            text = self.names.text_hashes[int(tests.targets[i])].as_py()
            pairs = list(zip(ranks.above[i].tolist(), ranks.tied[i].tolist(), strict=True))
            found[user, int(tests.event_us[i]), text] = pairs
        return found


def beside(ours: Ranks, theirs: Ranks) -> Ranks:
    """Columns of both."""
    return Ranks(np.hstack([ours.above, theirs.above]), np.hstack([ours.tied, theirs.tied]))


def ask(
    events: pa.Table,
    window: Window,
    decays: Sequence[Weighing],
    *,
    include_seen: bool = False,
    prior_weight: float = 0.0,
) -> Asked:
    """The whole way from a table to ranks, without bios."""
    log, names = index(events)
    tests = choose_tests(log, eligible_events(log, window, include_seen=include_seen), include_seen=include_seen)
    vectors = vectors_of(names.text_hashes)
    priors = np.full((len(tests), vectors.shape[1]), 0.1, np.float32)
    return Asked(log, names, tests, vectors, priors, prior_weight, tuple(decays))


def place_workspace(workspace: Workspace, question: Question, plan: Plan, list_size: int = 0) -> Placed:
    """What `jobs.evaluate_ranking` does with Ray, shard after shard and bucket after bucket, last ones first."""
    corpus = open_vectors(workspace, question.fingerprint, present_corpus(workspace))
    texts = gather_shards(split_texts(corpus, plan.names.text_hashes, plan.log.first_us))[::-1]
    total = sum(sum_shard(workspace, shard, plan.n_early) for part in texts for shard in part)
    mean = np.asarray(total / max(plan.n_early, 1), np.float32)
    starts = plan.names.bucket_starts
    rounds = []
    for rows in cut_rounds(len(plan.tests), len(question.decays), corpus.manifest["dim"]):
        tests, buckets = plan.tests.take(rows), []
        order = []
        for bucket in range(len(starts) - 1)[::-1]:
            mine = np.flatnonzero((tests.positions >= starts[bucket]) & (tests.positions < starts[bucket + 1]))
            part = tests.take(mine)
            target_us = plan.log.first_us[part.targets]
            queries = pose_bucket(corpus, question, bucket, part, int(starts[bucket]), mean, target_us).queries
            seen = SeenItems.of(plan.log, part)
            zero = Judged.nothing((len(part), queries.n_columns), list_size)
            given = {"seen": seen, "list_size": list_size}
            found = sum((judge_shards(workspace, t, queries, part.catalogue, **given) for t in texts), zero)
            buckets.append(settle_ranks(plan.log, part, queries.silent, question.clocks, found))
            order.append(mine)
        rounds.append(Placed.below(buckets).rows(np.argsort(np.concatenate(order))))
    return Placed.below(rounds)


def rank_workspace(workspace: Workspace, question: Question, plan: Plan) -> Ranks:
    """Ranks of `place_workspace`, and of the counts."""
    return beside(place_workspace(workspace, question, plan).ranks, rank_baselines(plan.log, plan.tests))


def write_workspace(
    uri: str,
    events: pa.Table,
    bios: dict[str, str],
    *,
    n_buckets: int = 2,
    n_shards: int = 1,
    dim: int = 8,
    n_distinct: int = 1 << 128,
) -> Workspace:
    """A finished corpus and embeddings as the jobs would leave them, with `vectors_of` as the encoder."""
    workspace = Workspace(uri)
    ids = pa.array(sorted(bios), pa.string())
    texts = pa.array([bios[i] for i in sorted(bios)], pa.string())
    hashes = pa.array([hash_of(bios[i]) for i in sorted(bios)], pa.binary(16))
    users = pa.table({"user_id": ids, "bio": texts, "text_hash": hashes}, schema=BIOS)
    needs = []
    for table, name in ((in_order(events), "events"), (users, "users")):
        bucket = buckets(table["user_id"], n_buckets)
        for b in range(n_buckets):
            workspace.write_parquet(table.filter(pa.array(bucket == b)), "corpus", name, f"bucket-{b:05d}.parquet")
        needs.append(pa.table({"hash": table["text_hash"], "bucket": bucket}))
    workspace.write_manifest({"corpus_id": "c0", "n_buckets": n_buckets}, "corpus")
    pairs = pa.concat_tables(needs).drop_null().group_by(["hash", "bucket"]).aggregate([])
    shards = text_shards(pairs["hash"], n_shards)
    for shard in range(n_shards):
        mine = pairs.filter(pa.array(shards == shard)).combine_chunks()
        needed = mine["hash"].combine_chunks() if len(mine) else pa.array([], pa.binary(16))
        write_shard(
            workspace,
            "f0",
            shard,
            n_buckets=n_buckets,
            needed_by=mine["bucket"].to_numpy(),
            hashes=needed,
            rows=np.arange(len(needed)),
            vectors=vectors_of(needed, dim, n_distinct),
            metadata={},
        )
    manifest = {"encoder": "plain", "dim": dim, "n_shards": n_shards, "created_at": "2026-01-01", "corpus_id": "c0"}
    workspace.write_manifest(manifest, "embeddings", "f0")
    return workspace


def random_rows(seed: int, n: int = 120, n_users: int = 6, n_texts: int = 30) -> list[Row]:
    """Events with many equal times and many repeated texts."""
    generator = np.random.default_rng(seed)
    users = generator.integers(0, n_users, n)
    texts = generator.integers(0, n_texts, n)
    times = generator.integers(0, 40, n) * (DAY_US // 8)
    return [(f"e{i}", f"u{users[i]}", int(times[i]), f"t{texts[i]}") for i in range(n)]
