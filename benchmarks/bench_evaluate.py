"""The evaluation of a large corpus: what its driver holds, and how close the counting of candidates is to its limit.

The limit of counting is the float32 matrix product of profiles and vectors, measured in tiles of the same shape in the
same round; one thread, as a Ray task has. The driver's part is run on generated buckets of numbers and hashes, in the
corpus's own form: texts and vectors play no part in it.

    OMP_NUM_THREADS=1 python -m benchmarks.bench_evaluate --events 20000000 --rounds 5

Prints one JSON line; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.evaluation import (
    AUTO,
    EventLog,
    choose_tests,
    count_candidates,
    draw_keys,
    eligible_events,
    index_events,
    judge_candidates,
    last_window,
    rank_baselines,
    sample_size,
)
from dynprof.evaluation.contestant import LIST_SIZE
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.retrieval import ask
from dynprof.evaluation.tiles import Candidates
from dynprof.keys import text_shards
from dynprof.vector_chunk import VectorChunk

_YEAR_US = 365 * 86_400_000_000
_EVENTS_A_BUCKET = 156_250
_TEXTS_A_SHARD = 8_192
_TILE = (512, 512)
_BYTES_A_TEXT = 16 + 4 + 8  # hash, number, first time: what the tasks of the shards are sent


def buckets(n_events: int, n_users: int, repeated: float) -> Iterator[pa.Table]:
    """Buckets of users of very unequal size; a share of the events repeats one of the texts of the others."""
    generator = np.random.default_rng(0)
    n_buckets = max(1, n_events // _EVENTS_A_BUCKET)
    for bucket in range(n_buckets):
        n = n_events // n_buckets
        share = generator.zipf(1.5, max(1, n_users // n_buckets)).clip(max=2_000)
        users = np.sort(generator.choice(len(share), n, p=share / share.sum()))
        times = generator.integers(0, _YEAR_US, n)
        times = times[np.lexsort((times, users))]
        own = bucket * n + np.arange(n)
        text = np.where(generator.random(n) < repeated, generator.integers(0, n_buckets * n, n), own)
        words = np.column_stack([_mixed(text), _mixed(text + (1 << 40))])
        ids = pa.array([f"user-{bucket}-{u:06d}" for u in range(len(share))])
        yield pa.table(
            {
                "user_id": ids.take(pa.array(users)),
                "timestamp": pa.array(times).cast(pa.timestamp("us", "UTC")),
                "event_type": pa.DictionaryArray.from_arrays(generator.integers(0, 3, n), ["post", "like", "retweet"]),
                "text_hash": pa.Array.from_buffers(pa.binary(16), n, [None, pa.py_buffer(words)]),
                "weight": np.ones(n, np.float32),
            }
        )


def _mixed(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """A hash of each number. Source: splitmix64."""
    z = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def run_driver(n_events: int, n_users: int) -> dict[str, Any]:
    """All that the driver does with the log; peak memory after each step."""
    steps: dict[str, dict[str, float]] = {}
    last = time.perf_counter()

    def note(name: str) -> None:
        nonlocal last
        now, peak = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        steps[name] = {"seconds": round(now - last, 2), "peak_mib": round(peak / 1024)}
        print(f"{name} {steps[name]}", file=sys.stderr, flush=True)
        last = now

    note("imports")
    log, names = index_events(buckets(n_events, n_users, 0.3))
    note("index, making the buckets included")
    tests = _choose(log)
    note("choose tests")
    rank_baselines(log, tests)
    note("baselines")
    n_shards = 1 << int(np.ceil(np.log2(max(1.0, log.n_items / _TEXTS_A_SHARD))))
    shards = text_shards(names.text_hashes, n_shards)
    note("texts by shard")
    return {
        "events": len(log),
        "texts": log.n_items,
        "tests": len(tests),
        "for_object_store_mib": round(len(shards) * _BYTES_A_TEXT / 2**20),
        "steps": steps,
    }


def _choose(log: EventLog) -> Any:
    eligible = eligible_events(log, last_window(log, 0.2))
    keys = draw_keys(pa.array([f"event-{i}" for i in eligible.tolist()]), 0)
    return choose_tests(log, eligible, keys, max_events=sample_size(AUTO, log.n_items))


def run_counting(n_tests: int, n_decays: int, dim: int, n_items: int, rounds: int) -> dict[str, Any]:
    """Counting against the bare product in tiles of its shape."""
    generator = np.random.default_rng(0)
    vectors = generator.standard_normal((n_items, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    half = vectors.astype(np.float16)
    mixes = generator.standard_normal((n_tests, n_decays, dim)).astype(np.float32)
    queries = ask(mixes, half[generator.integers(0, n_items, n_tests)])
    catalogue = np.full(n_tests, n_items)
    of = ItemVectors(VectorChunk(pa.nulls(n_items, pa.binary(16)), [half]), np.arange(n_items))
    flat = queries.profiles.reshape(-1, dim)
    out = np.empty(_TILE, np.float32)

    def product() -> None:
        for start in range(0, n_items, _TILE[1]):
            columns = vectors[start : start + _TILE[1]].T
            for low in range(0, len(flat), _TILE[0]):
                rows = flat[low : low + _TILE[0]]
                np.matmul(rows, columns, out=out[: len(rows), : columns.shape[1]])

    def count() -> None:
        count_candidates(queries, catalogue, np.arange(n_items), of)

    def lists() -> None:
        judge_candidates(queries, catalogue, Candidates.timeless(np.arange(n_items), of), list_size=LIST_SIZE)

    seconds = in_turn({"product": product, "count": count, "count and lists": lists}, rounds)
    n_scores = len(flat) * n_items
    ratios = [p / c for p, c in zip(seconds["product"], seconds["count"], strict=True)]
    return {
        "tests": n_tests,
        "decays": n_decays,
        "dim": dim,
        "items": n_items,
        "ns_a_score": {name: round(statistics.median(s) / n_scores * 1e9, 2) for name, s in seconds.items()},
        "gflops_of_product": round(2 * n_scores * dim / statistics.median(seconds["product"]) / 1e9),
        "share_of_product": round(statistics.median(ratios), 3),
        "spread": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def main() -> None:
    """Parse flags, measure, print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", type=int, default=20_000_000, help="of the driver's part")
    made.add_argument("--tests", type=int, default=600)
    made.add_argument("--decays", type=int, default=7)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--items", type=int, default=32_768, help="of the counting")
    made.add_argument("--rounds", type=int, default=5)
    args = made.parse_args()
    found = {
        "benchmark": "evaluate",
        "driver": run_driver(args.events, args.events // 50),
        "counting": run_counting(args.tests, args.decays, args.dim, args.items, args.rounds),
        "threads": os.environ.get("OMP_NUM_THREADS"),
        "machine": machine(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
