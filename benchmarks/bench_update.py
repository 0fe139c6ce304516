"""An update with a small share of new events against what it replaces: the build, and the whole job, of everything.

The physical limit of an update is what it must read (ids of the corpus, hashes of its texts) and write (rows, vectors
and states of the new events); a build must read all vectors and write everybody's profiles. Posts of twelve words, a
quarter of the texts repeated, a fifth of the events likes of earlier posts, users of equal or skewed activity; the
hashing encoder. The jobs themselves run, on one Ray that is started before; `start` is what its start takes.

    python benchmarks/bench_update.py --events 2000000 --users 200000 --folder /somewhere   # prepares, then measures

Preparing goes on where it stopped; it is the whole job once, with everything and without the new events. Prints one
JSON line; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import ray

from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from dynprof.corpus import CORPUS
from dynprof.embedded import latest_fingerprint
from dynprof.embeddings import EMBEDDINGS
from dynprof.lineage import SEGMENTS
from dynprof.snapshot import SNAPSHOTS
from dynprof.workspace import Workspace
from jobs import build, encode, ingest, update
from jobs.command import Stopwatch, hold_ray, ray_session

START_US, YEAR_US = 1_500_000_000_000_000, 365 * 86_400 * 1_000_000
N_WORDS, WORDS_A_POST = 5_000, 12
REPEATED, LIKES = 0.25, 0.2


def write_events(folder: Path, n_events: int, n_users: int, new_share: float, skew: float) -> None:
    """old.parquet and new.parquet: the last `new_share` of the events in time. `skew` 0: users are equally active."""
    if (folder / "new.parquet").exists():
        return
    rng = np.random.default_rng(0)
    share = np.arange(1, n_users + 1) ** -skew
    users = rng.choice(n_users, n_events, p=share / share.sum())
    words = pa.array(np.char.mod("word%d", np.arange(N_WORDS)))
    columns = [words.take(pa.array(rng.integers(0, N_WORDS, n_events))) for _ in range(WORDS_A_POST)]
    texts = pc.binary_join_element_wise(*columns, " ")
    earlier = (rng.random(n_events) * np.arange(n_events)).astype(np.int64)
    repeated, likes = rng.random(n_events) < REPEATED, rng.random(n_events) < LIKES
    texts = texts.take(pa.array(np.where(repeated, earlier, np.arange(n_events))))
    ids = pa.array(np.char.mod("e%09d", np.arange(n_events)))
    no_text, table = pa.scalar(None, pa.string()), {}
    table["event_id"], table["user_id"] = ids, pa.array(np.char.mod("u%08d", users))
    table["timestamp"] = pa.array(np.sort(START_US + rng.integers(0, YEAR_US, n_events))).cast(
        pa.timestamp("us", "UTC")
    )
    table["event_type"] = pc.if_else(pa.array(likes), "like", "post")
    table["item_id"] = pc.if_else(pa.array(likes), ids.take(pa.array(earlier)), no_text)
    table["text"] = pc.if_else(pa.array(likes), no_text, texts)
    events, cut = pa.table(table), round(n_events * (1 - new_share))
    pq.write_table(events.slice(0, cut), folder / "old.parquet", row_group_size=250_000)
    pq.write_table(events.slice(cut), folder / "new.parquet", row_group_size=250_000)


def prepare(folder: Path, name: str, files: list[str], dim: int) -> dict[str, float]:
    """The whole job on some files; seconds of each stage, as they were when it ran."""
    workspace, path = Workspace(folder / name), folder / f"{name}.json"
    seconds: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
    reading = ingest.IngestOptions(tuple(str(folder / file) for file in files), n_buckets=16)
    stages: dict[str, Callable[[], Any]] = {
        "ingest": lambda: ingest.ingest(workspace, reading),
        "encode": lambda: encode.encode(workspace, encode.EncodeOptions(f"hashing:{dim}")),
        "build": lambda: build.build(workspace, build.BuildOptions()),
    }
    for stage, function in stages.items():
        if stage not in seconds:
            start = time.perf_counter()
            function()
            seconds[stage] = round(time.perf_counter() - start, 3)
            path.write_text(json.dumps(seconds))
    return seconds


def forget_update(workspace: Workspace) -> None:
    """The workspace as it was before."""
    workspace.remove(CORPUS, SEGMENTS)
    for name in workspace.folders(SNAPSHOTS):
        if "-u" in name:
            workspace.remove(SNAPSHOTS, name)
    workspace.remove(EMBEDDINGS, latest_fingerprint(workspace), SEGMENTS)


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Build and update in turn."""
    whole, part = Workspace(folder / "whole"), Workspace(folder / "part")
    options = update.UpdateOptions(ingest.IngestOptions((str(folder / "new.parquet"),)))
    stages: list[dict[str, float]] = []
    done: dict[str, Any] = {}

    def run_update() -> None:
        watch = Stopwatch()
        done.update(update.update(part, options, watch))
        stages.append(watch.seconds)

    def tidy() -> None:
        whole.remove(SNAPSHOTS)
        forget_update(part)

    runs = {"build": lambda: build.build(whole, build.BuildOptions()), "update": run_update}
    in_turn(runs, 1, before_each=tidy)  # workers and page cache
    stages.clear()
    seconds = in_turn(runs, rounds, before_each=tidy)
    segments = [(CORPUS, SEGMENTS), (EMBEDDINGS, latest_fingerprint(part), SEGMENTS), (SNAPSHOTS, done["snapshot"])]
    return {
        "seconds": seconds,
        "stages_median": {name: median([s[name] for s in stages]) for name in stages[0]},
        "touched_users": done["n_touched_users"],
        "users": done["n_users"],
        "bytes_written": sum(part.size_bytes(*parts) for parts in segments),
        "share_of_build_median": median([u / b for u, b in zip(seconds["update"], seconds["build"], strict=True)]),
    }


def median(values: list[float] | npt.NDArray[np.float64]) -> float:
    """Rounded."""
    return round(float(statistics.median(values)), 4)


def main() -> None:
    """Parse flags, prepare, measure, print one JSON line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", type=int, default=2_000_000)
    made.add_argument("--users", type=int, default=200_000)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--new-share", type=float, default=0.02)
    made.add_argument("--skew", type=float, default=0.0, help="of activity: share of user r ~ r^-skew")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--prepare-only", choices=["whole", "part"])
    made.add_argument("--folder", type=Path, required=True)
    args = made.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    write_events(args.folder, args.events, args.users, args.new_share, args.skew)
    start = time.perf_counter()
    with hold_ray(), ray_session():
        ray.get(ray.remote(median).remote([1.0]))
        started = round(time.perf_counter() - start, 3)
        whole = prepare(args.folder, "whole", ["old.parquet", "new.parquet"], args.dim)
        if args.prepare_only == "whole":
            return
        prepare(args.folder, "part", ["old.parquet"], args.dim)
        if args.prepare_only == "part":
            return
        measured = measure(args.folder, args.rounds)
    job = whole["ingest"] + whole["encode"] + statistics.median(measured["seconds"]["build"])
    update_s, build_s = (statistics.median(measured["seconds"][name]) for name in ("update", "build"))
    shares = {
        "share_of_whole_job": round(update_s / job, 4),
        "share_of_build_with_start_of_ray": round((update_s + started) / (build_s + started), 4),
    }
    shape = {name: getattr(args, name) for name in ("events", "users", "dim", "new_share", "skew")}
    whole_s = {"whole_once": whole, "start": started}
    print(json.dumps({"benchmark": "update", **shape, **measured, **shares, **whole_s, "machine": machine()}))


if __name__ == "__main__":
    main()
