"""The whole pipeline on generated worlds of growing size: seconds a stage, peak memory, bytes written and spilled.

Every stage runs as its own command, as a user would run it, so that its peaks are its own. The exponent says how time
grows: the slope of log(seconds) over log(events) between the smallest and the largest world.

    python -m benchmarks.bench_scale --events 1000000,5000000,20000000 --encoder static --folder /data/scale

Prints one JSON line; progress goes to stderr. The worlds and workspaces stay in --folder until the next run.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.process_watch import run_watched
from dynprof.workspace import Workspace

EVENTS_PER_USER = 50
EVALUATIONS: dict[str, list[str] | None] = {"quick": ["--quick", "--half-life", "30d"], "whole": [], "none": None}
"""As the pipeline does it: one window, counts beside seven profiles; with all that `jobs.evaluate` has; not at all."""


def run_stage(name: str, arguments: list[str]) -> dict[str, Any]:
    """One job, with its seconds, its summary and its peaks."""
    command = [sys.executable, "-m", f"jobs.{name}", "--log-level", "WARNING", *arguments]
    start = time.perf_counter()
    said, usage = run_watched(command)
    seconds = round(time.perf_counter() - start, 1)
    summary = json.loads(said.strip().splitlines()[-1])
    print(f"stage={name} seconds={seconds} {usage.to_json()}", file=sys.stderr, flush=True)
    return {"seconds": seconds, "peak_mib": usage.to_json(), "summary": summary}


def run_world(folder: Path, n_events: int, encoder: str, evaluation: str) -> dict[str, Any]:
    """Generate, ingest, encode, build and evaluate one world; `evaluation` is one of `EVALUATIONS`."""
    print(f"events={n_events}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    world, workspace = str(folder / "world"), str(folder / "workspace")
    n_users = str(max(10, n_events // EVENTS_PER_USER))
    size = ["--users", n_users, "--events", str(n_events)]
    stages = {"generate": run_stage("generate", ["--out", world, *size])}
    given = ["--events", f"{world}/events*", "--users", f"{world}/users*", "--items", f"{world}/items*"]
    stages["ingest"] = run_stage("ingest", [*given, "--workspace", workspace])
    stages["encode"] = run_stage("encode", ["--workspace", workspace, "--encoder", encoder])
    stages["build"] = run_stage("build", ["--workspace", workspace])
    if (flags := EVALUATIONS[evaluation]) is not None:
        stages["evaluate"] = run_stage("evaluate", ["--workspace", workspace, *flags])
    sizes = {name: Workspace(workspace).size_bytes(name) for name in Workspace(workspace).folders()}
    return {"events": n_events, "users": int(n_users), "stages": stages, "bytes": sizes}


def exponents(worlds: list[dict[str, Any]]) -> dict[str, float]:
    """Of time over events, between the smallest world and the largest: 1 is linear."""
    first, last = worlds[0], worlds[-1]
    growth = math.log(last["events"] / first["events"])
    seconds = {n: [w["stages"][n]["seconds"] for w in (first, last)] for n in first["stages"]}
    seconds["all"] = [sum(pair) for pair in zip(*seconds.values(), strict=True)]
    return {name: round(math.log(b / a) / growth, 3) for name, (a, b) in seconds.items()}


def main() -> None:
    """Parse flags, measure, print one JSON line."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--events", default="1000000,5000000,20000000")
    made.add_argument("--encoder", default="static")
    made.add_argument("--folder", type=Path, required=True, help="needs about 3 KB an event")
    made.add_argument("--evaluation", choices=EVALUATIONS, default="quick")
    args = made.parse_args()
    worlds = []
    for n_events in sorted(int(n) for n in args.events.split(",")):
        worlds.append(run_world(args.folder, n_events, args.encoder, args.evaluation))
        print(json.dumps(worlds[-1]), file=sys.stderr, flush=True)
    measured = {"worlds": worlds, "exponent": exponents(worlds) if len(worlds) > 1 else None}
    print(json.dumps({"benchmark": "scale", "encoder": args.encoder, **measured, "machine": machine()}))


if __name__ == "__main__":
    main()
