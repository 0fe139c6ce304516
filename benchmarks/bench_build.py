"""Building profiles: dynprof's build against `groupby().map_groups`, and against two floors of reading and writing.

The limit is the traffic: the vectors must be read once, profiles and states written once. `floor_bytes` does that with
the same files and as many tasks, and writes plain bytes; `floor_formats` writes tables of the build's size in the
build's formats (Parquet for profiles, Arrow for states), with what it read as their content and nothing computed.

    python benchmarks/bench_build.py --events 2000000 --users 200000 --dim 384 --rounds 5
    python benchmarks/bench_build.py --heavy        # one user with half of all events, beside the same without

Prints one JSON line; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.build import BuiltBucket
from dynprof.corpus import CORPUS, settle_users
from dynprof.embedded import CorpusVectors
from dynprof.embeddings import EMBEDDINGS, read_bucket, write_shard
from dynprof.event_list import EventList
from dynprof.keys import bucket_name, buckets, text_hashes, text_shards
from dynprof.schema import BIOS, EVENTS, TIMESTAMP, profiles_schema
from dynprof.snapshot import SNAPSHOTS, parse_decays
from dynprof.state import ProfileStates
from dynprof.state_io import states_to_batch
from dynprof.vectors import matrix_of, vector_array
from dynprof.workspace import Workspace
from jobs.build import BuildOptions, build, build_one_bucket, snapshot_spec, write_bucket
from jobs.command import hold_ray, ray_session
from jobs.stages import collect, parts_of

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


def run_build(workspace: Workspace) -> dict[str, Any]:
    """The candidate."""
    return build(workspace, BuildOptions(fingerprint=FINGERPRINT, prior_weight=0.0))


def run_floor(workspace: Workspace, task: Callable[..., Any], **arguments: Any) -> None:
    """One task a bucket, as the build has."""
    kwargs = {"uri": workspace.uri, **arguments}
    collect(parts_of(range(N_BUCKETS)).map_batches(task, batch_size=1, batch_format="numpy", fn_kwargs=kwargs))


def _read(workspace: Workspace, bucket: int) -> tuple[pa.Table, npt.NDArray[np.float16]]:
    """A bucket's events and vectors; copied, so that mapped pages are really read."""
    columns = ["user_id", "timestamp", "event_type", "text_hash", "weight"]
    events = workspace.read_parquet(CORPUS, "events", bucket_name(bucket), columns=columns)
    chunks = read_bucket(workspace, FINGERPRINT, bucket, N_SHARDS)
    return events, np.concatenate([chunk.vectors for chunk in chunks])


def floor_bytes(batch: dict[str, Any], *, uri: str, bytes_out: int) -> dict[str, Any]:
    """Write as many bytes as the build does."""
    bucket, workspace = int(batch["part"][0]), Workspace(uri)
    events, vectors = _read(workspace, bucket)
    block = vectors.tobytes()
    with workspace.create("floor", bucket_name(bucket, "bin")) as sink:
        for written in range(0, bytes_out, len(block)):
            sink.write(block[: bytes_out - written])
    return {"bucket": [bucket], "n_bytes": [events.nbytes + len(block)]}


def floor_formats(batch: dict[str, Any], *, uri: str) -> dict[str, Any]:
    """Write tables of the build's shape, through the build's own writers."""
    bucket, workspace = int(batch["part"][0]), Workspace(uri)
    events, vectors = _read(workspace, bucket)
    ids = pa.compute.unique(events["user_id"])
    n_users, dim, decays = len(ids), vectors.shape[1], parse_decays("all", "30d")
    n = n_users * len(decays)
    numbers = pa.array(np.zeros(n))
    columns = [
        ids.take(pa.array(np.repeat(np.arange(n_users), len(decays)))),
        pa.array([d.kind for d in decays] * n_users),
        numbers,
        vector_array(np.resize(vectors, (n, dim))),
        numbers,
        numbers,
        pa.array(np.zeros(n, np.int64)),
        pa.nulls(n, TIMESTAMP),
    ]
    users = np.sort(np.arange(len(vectors)) % n_users)
    at_us, weights = np.zeros(len(vectors), np.int64), np.ones(len(vectors))
    states = replace(ProfileStates.empty(n_users, dim), events=EventList(users, at_us, weights, vectors))
    none = np.zeros((n_users, dim), np.float16)
    batch_of_states = states_to_batch(states, ids, none, np.zeros(n_users, np.bool_))
    built = BuiltBucket(pa.Table.from_arrays(columns, schema=profiles_schema(dim)), batch_of_states)
    write_bucket(workspace, "floor", bucket, dim, iter([built]), {})
    return {"bucket": [bucket]}


def run_map_groups(workspace: Workspace, dim: int) -> None:
    """The idiom: the events with their vectors as a dataset, grouped by user, all decays and the state in numpy."""
    decays = parse_decays("all", "30d")
    dataset = parts_of(range(N_BUCKETS)).map_batches(
        _joined, batch_size=1, batch_format="numpy", fn_kwargs={"uri": workspace.uri, "dim": dim}
    )
    corpus = workspace.require_manifest(CORPUS, made_by="ingest")
    grouped = dataset.groupby("user_id", num_partitions=N_BUCKETS).map_groups(
        _one_user, batch_format="numpy", fn_kwargs={"decays": decays, "as_of_us": corpus["last_event_us"] + 1}
    )
    grouped.write_parquet(workspace.path("map_groups"))


def _joined(batch: dict[str, Any], *, uri: str, dim: int) -> pa.Table:
    bucket, workspace = int(batch["part"][0]), Workspace(uri)
    events = workspace.read_parquet(
        CORPUS, "events", bucket_name(bucket), columns=["user_id", "timestamp", "weight", "text_hash"]
    )
    shards = [
        workspace.open_ipc(EMBEDDINGS, FINGERPRINT, f"shard-{s:05d}.arrow").get_batch(bucket) for s in range(N_SHARDS)
    ]
    vectors = pa.Table.from_batches(shards)
    rows = pa.compute.index_in(events["text_hash"].combine_chunks(), value_set=vectors["text_hash"].combine_chunks())
    matrix = matrix_of(vectors["vector"])[np.asarray(rows)]
    flat = pa.FixedSizeListArray.from_arrays(pa.array(matrix.reshape(-1)), dim)
    at_us = events["timestamp"].cast(pa.int64())
    return pa.table({"user_id": events["user_id"], "at_us": at_us, "weight": events["weight"], "vector": flat})


def _one_user(group: dict[str, Any], *, decays: Any, as_of_us: int) -> dict[str, Any]:
    vectors = np.stack(group["vector"]).astype(np.float32)
    age_s = (as_of_us - group["at_us"]) / 1e6
    out: dict[str, Any] = {"user_id": group["user_id"][:1]}
    for decay in decays:
        w = group["weight"] * decay.weights(age_s)
        out[decay.kind] = ((w @ vectors) / np.abs(w).sum())[None].astype(np.float16)
        out[f"{decay.kind}_mass"] = [np.abs(w).sum()]
        out[f"{decay.kind}_n_effective"] = [np.abs(w).sum() ** 2 / (w**2).sum()]
    out["state_at_us"], out["state_vectors"] = [group["at_us"]], [vectors.astype(np.float16).reshape(-1)]
    return out


def peak_of_build(uri: str, bucket: int, arguments: dict[str, Any]) -> dict[str, float]:
    """Build one bucket in a fresh worker: peak anonymous memory, which mapped files are not part of, in MiB."""
    before = _anonymous_peak_mib()
    build_one_bucket({"part": [bucket]}, workspace_uri=uri, **arguments)
    return {"before_mib": before, "peak_mib": _anonymous_peak_mib()}


def _anonymous_peak_mib() -> float:
    import resource

    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if line.count(":") == 1
    )
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak_kb - int(status["RssFile"].split()[0]) - int(status["RssShmem"].split()[0])) / 1024


def bench_speed(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Rounds of build, floor and map_groups in turn."""
    workspace = Workspace(folder / "world")
    make_world(workspace, args.events, args.users, args.dim, heavy=False)
    outputs = [(SNAPSHOTS,), ("floor",), ("map_groups",)]

    def tidy() -> None:
        for output in outputs:
            workspace.remove(*output)

    with hold_ray(), ray_session():
        run_build(workspace)  # warms workers and page cache; says how much is written
        bytes_out = workspace.size_bytes(SNAPSHOTS)
        runs: dict[str, Callable[[], Any]] = {
            "build": lambda: run_build(workspace),
            "floor_bytes": lambda: run_floor(workspace, floor_bytes, bytes_out=bytes_out // N_BUCKETS),
            "floor_formats": lambda: run_floor(workspace, floor_formats),
        }
        seconds = in_turn(runs, args.rounds, before_each=tidy)
        slow = {"map_groups": lambda: run_map_groups(workspace, args.dim), "build": runs["build"]}
        against = in_turn(slow, args.map_groups_rounds, before_each=tidy) if args.map_groups_rounds else {}
    over = {
        floor: [b / f for b, f in zip(seconds["build"], seconds[floor], strict=True)]
        for floor in ("floor_bytes", "floor_formats")
    }
    speedups = [g / b for g, b in zip(against.get("map_groups", []), against.get("build", []), strict=True)]
    return {
        "bytes_in": workspace.size_bytes(CORPUS, "events") + workspace.size_bytes(EMBEDDINGS),
        "bytes_out": bytes_out,
        "seconds": seconds,
        "against_map_groups": against,
        "events_per_s": round(args.events / statistics.median(seconds["build"])),
        "build_over_floor_median": {floor: round(statistics.median(ratios), 2) for floor, ratios in over.items()},
        "speedup_over_map_groups_median": round(statistics.median(speedups), 1) if speedups else None,
    }


def bench_heavy(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Peak memory of the worker that builds the heaviest user's bucket, against a world without such a user."""
    peaks = {}
    for name, heavy in (("even", False), ("half_of_all_events_one_user", True)):
        workspace = Workspace(folder / name)
        make_world(workspace, args.events, args.users, args.dim, heavy=heavy)
        bucket = int(buckets(pa.array(["u0000000"]), N_BUCKETS)[0])
        corpus = workspace.require_manifest(CORPUS, made_by="ingest")
        embeddings = workspace.require_manifest(EMBEDDINGS, FINGERPRINT, made_by="encode")
        spec = snapshot_spec(BuildOptions(), corpus, embeddings)
        vectors = CorpusVectors(workspace, FINGERPRINT, embeddings)
        arguments = {"snapshot": "heavy", "spec": spec.to_json(), "vectors": vectors, "population": [0.0] * args.dim}
        with ray_session():
            peaks[name] = ray.get(ray.remote(peak_of_build).remote(workspace.uri, bucket, arguments))
    return {
        "peaks": peaks,
        "ratio": round(peaks["half_of_all_events_one_user"]["peak_mib"] / peaks["even"]["peak_mib"], 2),
    }


def main() -> None:
    """Parse flags, measure, print one JSON line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", type=int, default=2_000_000)
    made.add_argument("--users", type=int, default=200_000)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--map-groups-rounds", type=int, default=5)
    made.add_argument("--heavy", action="store_true")
    made.add_argument("--folder", help="where to make the world; default: a temporary folder, removed afterwards")
    args = made.parse_args()
    logging.basicConfig(level=logging.WARNING)
    folder = Path(tempfile.mkdtemp(dir=args.folder))
    try:
        measured = bench_heavy(args, folder) if args.heavy else bench_speed(args, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    shape = {"events": args.events, "users": args.users, "dim": args.dim}
    print(json.dumps({"benchmark": "build", **shape, **measured, "machine": machine()}))


if __name__ == "__main__":
    main()
