"""The server under load, each route against one that does nothing, in the same run and mode; and its start.

The physical limit of a route is the rate of `/health/live`, which answers a constant through the same proxy, router and
replica. In every round the routes are loaded in turn: as fast as eight connections can (by wrk where it is installed,
else by a Python client, which `client` in the output says and which then is part of the limit), and at a steady rate
that does not wait for answers, timed from when a request was due.

    python -m benchmarks.bench_serve --folder /somewhere                         # 40,000 users, 100,000 items x 384
    python -m benchmarks.bench_serve --folder /elsewhere --users 1000000 --replicas 2 --start-only   # start and memory

The workspace is made once, by `served_world`, `jobs.build` and `jobs.index`, and kept in the folder. Prints one line of
JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.http_load import Load, fastest, steady
from benchmarks.machine import machine
from benchmarks.served import Served, serving, summary
from benchmarks.served_world import make_served_world, user_name
from dynprof.corpus import CORPUS
from dynprof.snapshot import SNAPSHOTS
from dynprof.workspace import Workspace

ROUTES = {
    "nothing": "/health/live",
    "profile": "/v1/users/{user}/profile",
    "recommendations": "/v1/users/{user}/recommendations",
    "recommendations_cosine": "/v1/users/{user}/recommendations?metric=cosine",
    "neighbors": "/v1/users/{user}/neighbors",
}
_USERS_ASKED = 500


def main() -> None:
    """Prepare, serve, load, print the line."""
    flags = _flags()
    workspace = _prepared(flags)
    with serving(workspace, replicas=flags.replicas, fast=flags.fast, limit_s=flags.limit) as served:
        started = {"ready_s": served.ready_s, "memory": summary(served.replicas())}
        _say(f"ready {started}")
        loads = {} if flags.start_only else _loads(served, flags)
        after = summary(served.replicas())
    about = {name: getattr(flags, name) for name in ("users", "items", "dim", "replicas", "fast", "rounds", "seconds")}
    line = {"benchmark": "serve", **about, "start": started, "memory_after": after, "routes": loads}
    print(json.dumps({**line, "machine": machine()}))


def _prepared(flags: argparse.Namespace) -> str:
    """The workspace, made where it is not there."""
    folder = str(Path(flags.folder) / f"ws-{flags.users}-{flags.items}-{flags.dim}")
    workspace = Workspace(folder)
    if workspace.read_manifest(CORPUS) is None:
        make_served_world(workspace, flags.users, flags.items, flags.dim)
    built = workspace.exists(SNAPSHOTS)  # the build would find that all is done, but start Ray first
    jobs = [["jobs.index"]] if built else [["jobs.build", "--decays", "exponential"], ["jobs.index"]]
    for module, *more in jobs:
        command = [sys.executable, "-m", module, "--workspace", folder, *more]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        _say(said.splitlines()[-1])
    return folder


def _loads(served: Served, flags: argparse.Namespace) -> dict[str, Any]:
    """What each route bears, and its share of the rate of the route that does nothing, round by round."""
    chosen = np.random.default_rng(3).choice(flags.users, min(_USERS_ASKED, flags.users), replace=False).tolist()
    urls = {n: [served.url + r.format(user=user_name(u)) for u in chosen] for n, r in ROUTES.items()}
    for route in urls.values():
        fastest(route, 2.0)  # caches, compiled patterns, the first read of a page
    fast: dict[str, list[Load]] = {name: [] for name in ROUTES}
    slow: dict[str, list[Load]] = {name: [] for name in ROUTES}
    for number in range(flags.rounds):
        for name, route in urls.items():
            fast[name].append(fastest(route, flags.seconds))
            slow[name].append(steady(route, flags.seconds, flags.rate))
            _say(f"round={number} {name} {fast[name][-1]} {slow[name][-1]}")
    return {name: _result(fast[name], slow[name], fast["nothing"], flags.rate) for name in ROUTES}


def _result(fast: list[Load], slow: list[Load], nothing: list[Load], rate: float) -> dict[str, Any]:
    shares = [a.rate / b.rate for a, b in zip(fast, nothing, strict=True)]
    return {
        "rate": round(statistics.median(f.rate for f in fast), 1),
        "share_of_nothing": [round(f(shares), 3) for f in (statistics.median, min, max)],
        "p50_ms_at_rate": round(statistics.median(s.p50_ms for s in slow), 2),
        "p99_ms_at_rate": round(statistics.median(s.p99_ms for s in slow), 2),
        "offered": rate,
        "failed": sum(load.n_failed for load in (*fast, *slow)),
        "client": fast[0].client,
        "rounds": [[asdict(f), asdict(s)] for f, s in zip(fast, slow, strict=True)],
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _flags() -> argparse.Namespace:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--folder", required=True, help="where the workspace is made and kept")
    made.add_argument("--users", type=int, default=40_000, help="three events each; an item needs one")
    made.add_argument("--items", type=int, default=100_000)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--replicas", type=int, default=1)
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seconds", type=float, default=10.0, help="of each load")
    made.add_argument("--rate", type=float, default=100.0, help="requests a second of the steady load")
    made.add_argument("--limit", type=float, default=300.0, help="seconds until it must be ready")
    made.add_argument("--no-fast", dest="fast", action="store_false", help="without Ray's mode for throughput")
    made.add_argument("--start-only", action="store_true", help="start and memory, no load")
    return made.parse_args()


if __name__ == "__main__":
    main()
