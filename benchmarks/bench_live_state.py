"""State updates without encoding: from events and their vectors in the log to profiles of all whom they touch.

A replica that follows the log reads the changes, then their vectors (`updated`: from then on every answer counts them),
and merges a user's new events with the state of the snapshot when that user is read (`read` has that too, for everybody
touched, and the profile). The physical limit is reading each vector once; what is measured is Python and SQLite. Events
are new posts, from 10,000 of the users of the workspace of `bench_serve`, which is made if it is not there. One thread,
processor time.

    python -m benchmarks.bench_live_state --folder /somewhere            # five rounds of 20,000 events

Prints one line of JSON: events a second of one core.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")  # before numpy reads them

import numpy as np

from benchmarks.bench_serve import prepared
from benchmarks.machine import machine
from benchmarks.served_world import user_name
from dynprof.decay import Decay
from dynprof.live.intake import take_in
from dynprof.live.open_log import open_log
from dynprof.live.store import LiveStore
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace

N_TOUCHED = 10_000
BATCH = 500
DECAY = Decay("exponential", "7d")


def one_round(workspace: Workspace, n_events: int, seed: int) -> tuple[float, float]:
    """Processor seconds from the log to what answers count, and to the profiles of everybody touched."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        log, store = open_log(folder), SnapshotStore(workspace)
        live, fingerprint = LiveStore(store, log), store.spec.fingerprint
        now = time.time()
        users = [user_name(i) for i in rng.integers(0, N_TOUCHED, n_events).tolist()]
        events = [
            {"event_id": f"live-{i}", "user_id": user, "timestamp": now, "text": f"post {seed} {i}"}
            for i, user in enumerate(users)
        ]
        for i in range(0, n_events, BATCH):
            take_in(log, events[i : i + BATCH], now=now)
            hashes = [text_hash for text_hash, _ in log.without_vector(fingerprint, BATCH)]
            vectors = rng.normal(size=(len(hashes), store.spec.dim)).astype(np.float32)
            log.put_vectors(fingerprint, hashes, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
        as_of_us = round(now * 1e6) + 1_000_000
        started = time.process_time()
        live.overlay.catch_up()
        updated = time.process_time() - started
        n_read = sum(live.profile(user_id, DECAY, as_of_us).n_events for user_id in sorted(set(users)))
        read = time.process_time() - started
        before = sum(store.profile(user_id, DECAY, as_of_us).n_events for user_id in sorted(set(users)))
        log.close()
    if n_read != before + n_events:
        raise RuntimeError(f"expected {before + n_events} events in the profiles, found {n_read}")
    return updated, read


def main() -> None:
    """Measure, print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--folder", required=True, help="where the workspace is made and kept")
    made.add_argument("--users", type=int, default=40_000)
    made.add_argument("--items", type=int, default=100_000)
    made.add_argument("--dim", type=int, default=384)
    made.add_argument("--events", type=int, default=20_000, help="of a round")
    made.add_argument("--rounds", type=int, default=5)
    flags = made.parse_args()
    workspace = Workspace(prepared(flags))
    rates: dict[str, list[int]] = {"updated": [], "read": []}
    for seed in range(flags.rounds):
        for found, seconds in zip(rates.values(), one_round(workspace, flags.events, seed), strict=True):
            found.append(round(flags.events / seconds))
        print(f"round={seed} {rates}", file=sys.stderr)
    about = {name: getattr(flags, name) for name in ("users", "items", "dim", "events")}
    line = {
        "benchmark": "live_state",
        **about,
        "events_per_s_a_core": {name: statistics.median(found) for name, found in rates.items()},
        "rounds": rates,
    }
    print(json.dumps({**line, "machine": machine()}))


if __name__ == "__main__":
    main()
