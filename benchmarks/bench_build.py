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
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from benchmarks.embedded_world import FINGERPRINT, N_BUCKETS, N_SHARDS, make_world
from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.bucket_vectors import BucketVectors
from dynprof.build import BuiltBucket
from dynprof.corpus import CORPUS
from dynprof.embedded import CorpusVectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.event_list import EventList
from dynprof.keys import bucket_name, buckets
from dynprof.schema import TIMESTAMP, profiles_schema
from dynprof.snapshot import SNAPSHOTS, parse_decays
from dynprof.state import ProfileStates
from dynprof.state_io import states_to_batch
from dynprof.vector_chunk import VectorChunk
from dynprof.vectors import matrix_of, vector_array
from dynprof.workspace import Workspace
from jobs.build import BuildOptions, build, snapshot_spec
from jobs.build_tasks import build_one_bucket, write_bucket
from jobs.command import hold_ray, ray_session
from jobs.stages import collect, parts_of


def run_build(workspace: Workspace) -> dict[str, Any]:
    """The candidate."""
    return build(workspace, BuildOptions(fingerprint=FINGERPRINT, prior_weight=0.0))


def run_floor(workspace: Workspace, task: Callable[..., Any], **arguments: Any) -> None:
    """One task a bucket, as the build has."""
    kwargs = {"uri": workspace.uri, **arguments}
    collect(parts_of(range(N_BUCKETS)).map_batches(task, batch_size=1, batch_format="numpy", fn_kwargs=kwargs))


def _read(workspace: Workspace, bucket: int) -> tuple[pa.Table, VectorChunk]:
    """A bucket's events, and its vectors as they lie in mapped files."""
    columns = ["user_id", "timestamp", "event_type", "text_hash", "weight"]
    events = workspace.read_parquet(CORPUS, "events", bucket_name(bucket), columns=columns)
    ((_, vectors),) = BucketVectors(workspace, FINGERPRINT, bucket, N_SHARDS).chunks()
    return events, vectors


def floor_bytes(batch: dict[str, Any], *, uri: str, bytes_out: int) -> dict[str, Any]:
    """Write as many bytes as the build does: the vectors themselves, straight from the mapped files, over and over."""
    bucket, workspace = int(batch["part"][0]), Workspace(uri)
    events, vectors = _read(workspace, bucket)
    left = bytes_out
    with workspace.create("floor", bucket_name(bucket, "bin")) as sink:
        for piece in cycle(vectors.pieces):
            sink.write(piece.data.cast("B")[:left])
            left -= piece.nbytes
            if left <= 0:
                break
    return {"bucket": [bucket], "n_bytes": [events.nbytes]}


def floor_formats(batch: dict[str, Any], *, uri: str) -> dict[str, Any]:
    """Write tables of the build's shape, through the build's own writers, as many users at a time."""
    bucket, workspace = int(batch["part"][0]), Workspace(uri)
    events, vectors = _read(workspace, bucket)
    dim, ids = vectors.pieces[0].shape[1], pa.compute.unique(events["user_id"])
    edges = np.linspace(0, len(vectors), len(ids) + 1).astype(np.int64)  # every user an equal part of the events
    passes = (
        _written(ids[first : first + 1_024], edges[first : first + 1_025], vectors, dim)
        for first in range(0, len(ids), 1_024)
    )
    write_bucket(workspace, "floor", bucket, dim, passes)
    return {"bucket": [bucket]}


def _written(ids: pa.Array, edges: npt.NDArray[np.int64], vectors: VectorChunk, dim: int) -> BuiltBucket:
    """What a build of some users would write, of vectors as they were read."""
    decays, n_users = parse_decays("all", "30d"), len(ids)
    n = n_users * len(decays)
    mine = vectors.take(np.arange(edges[0], edges[-1]))
    numbers = pa.array(np.zeros(n))
    columns = [
        ids.take(pa.array(np.repeat(np.arange(n_users), len(decays)))),
        pa.array([d.kind for d in decays] * n_users),
        numbers,
        vector_array(np.resize(mine, (n, dim))),
        numbers,
        numbers,
        pa.array(np.zeros(n, np.int64)),
        pa.nulls(n, TIMESTAMP),
    ]
    users = np.repeat(np.arange(n_users), np.diff(edges))
    listed = EventList(users, np.zeros(len(mine), np.int64), np.ones(len(mine)), mine)
    states = replace(ProfileStates.empty(n_users, dim), events=listed)
    batch = states_to_batch(states, ids, np.zeros((n_users, dim), np.float16), np.zeros(n_users, np.bool_))
    return BuiltBucket(pa.Table.from_arrays(columns, schema=profiles_schema(dim)), batch)


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
    """Build one bucket in a fresh worker: peak anonymous memory, looked at every 5 ms, in MiB.

    Pages of mapped files count apart: the system takes them back when it needs them.
    """
    peaks = {"before_mib": _resident_mib("RssAnon"), "peak_mib": 0.0, "peak_mapped_mib": 0.0}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.005):
            peaks["peak_mib"] = max(peaks["peak_mib"], _resident_mib("RssAnon"))
            peaks["peak_mapped_mib"] = max(peaks["peak_mapped_mib"], _resident_mib("RssFile"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    build_one_bucket({"part": [bucket]}, workspace_uri=uri, **arguments)
    over.set()
    watcher.join()
    return {name: round(mib) for name, mib in peaks.items()}


def _resident_mib(key: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{key}:")[2].split()[0]) / 1024


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
