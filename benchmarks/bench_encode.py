"""Encoding in the pipeline against the same encoder in a bare loop, on the same texts.

The bare loop has one encoder with a thread a core, the pipeline an actor a core. How far the bare loop is from the
matrix product: `bench_encoders`.

    python -m benchmarks.bench_encode --events posts.parquet --texts 50000 --rounds 5

Without --events a generated world is used. Prints one JSON line; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.corpus import CORPUS
from dynprof.embeddings import EMBEDDINGS
from dynprof.encoders import load_encoder
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world
from jobs.command import hold_ray, ray_session
from jobs.encode import EncodeOptions, encode
from jobs.ingest import IngestOptions, ingest


def make_corpus(folder: Path, events: str | None, n_texts: int) -> tuple[Workspace, list[str]]:
    """A corpus of about `n_texts` events, and its distinct texts."""
    if events is None:
        write_world(WorldSpec(n_users=max(10, n_texts // 50), n_events=n_texts), Workspace(folder / "world"))
        events = str(folder / "world" / "events*")
    else:
        rows = pq.read_table(events)
        step = max(1, len(rows) // n_texts)
        pq.write_table(rows.take(pa.array(range(0, len(rows), step))), folder / "events.parquet")
        events = str(folder / "events.parquet")
    workspace = Workspace(folder / "workspace")
    ingest(workspace, IngestOptions((events,)))
    tables = [
        workspace.read_parquet(CORPUS, "events", name, columns=["text_hash", "text"])
        for name in workspace.files(CORPUS, "events")
    ]
    texts = pa.concat_tables(tables).filter(pc.field("text_hash").is_valid())
    hashes = texts["text_hash"].combine_chunks()
    first = pc.index_in(pc.unique(hashes), value_set=hashes)
    return workspace, texts["text"].combine_chunks().take(first).to_pylist()


def run_pipeline(workspace: Workspace, shard_texts: int, actors: int) -> float:
    """Encode all; texts a second once all actors run, so without their start.

    Counted are the shards after each actor's first, over the time from the first ones' end to the last ones' (their
    means, since actors do not end together).
    """
    manifest = encode(workspace, EncodeOptions("minilm", shard_texts=shard_texts, actors=actors))
    folder = (EMBEDDINGS, manifest["fingerprint"])
    files = [Path(workspace.path(*folder, name)) for name in workspace.files(*folder, suffix=".arrow")]
    done = sorted((f.stat().st_mtime, workspace.ipc_metadata(*folder, f.name)["n_encoded"]) for f in files)
    done = [(at, n) for at, n in done if n]
    if len(done) <= 2 * actors:
        raise SystemExit(f"bench_encode: expected more than {2 * actors} shards, found {len(done)}: more --texts.")
    first, last = (statistics.mean(at for at, _ in some) for some in (done[:actors], done[-actors:]))
    return float(sum(n for _, n in done[actors:]) / (last - first))


def main() -> None:
    """Parse flags, measure, print one JSON line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", help="Parquet with user_id, timestamp, text")
    made.add_argument("--texts", type=int, default=50_000)
    made.add_argument("--shard-texts", type=int, default=EncodeOptions().shard_texts)
    made.add_argument("--rounds", type=int, default=5)
    args = made.parse_args()
    logging.basicConfig(level=logging.WARNING)
    threads = os.cpu_count() or 1
    with tempfile.TemporaryDirectory() as folder, hold_ray(), ray_session():
        workspace, texts = make_corpus(Path(folder), args.events, args.texts)
        encoder = load_encoder("minilm", threads=threads)
        steady: list[float] = []

        def pipeline() -> None:
            steady.append(run_pipeline(workspace, args.shard_texts, threads))

        seconds = in_turn(
            {
                "bare": lambda: encoder.encode(texts),
                "pipeline": pipeline,
            },
            args.rounds,
            before_each=lambda: workspace.remove(EMBEDDINGS),
        )
    print(json.dumps({"benchmark": "encode", **report(seconds, texts, steady), "machine": machine()}))


def report(seconds: dict[str, list[float]], texts: list[str], steady: list[float]) -> dict[str, Any]:
    """Rates, and the ratio round by round."""
    bare = statistics.median(seconds["bare"])
    whole = [b / p for b, p in zip(seconds["bare"], seconds["pipeline"], strict=True)]
    running = [rate * b / len(texts) for rate, b in zip(steady, seconds["bare"], strict=True)]
    return {
        "texts": len(texts),
        "seconds": seconds,
        "bare_texts_per_s": round(len(texts) / bare),
        "pipeline_texts_per_s": round(statistics.median(steady)),
        "pipeline_over_bare_median": round(statistics.median(running), 3),
        "pipeline_over_bare_with_start_median": round(statistics.median(whole), 3),
    }


if __name__ == "__main__":
    main()
