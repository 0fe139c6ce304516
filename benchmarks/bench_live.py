"""Durable live events: how many a second, in batches, by library call and over HTTP; and from the 202 to the vector.

The physical limit of a durable batch is one wait for the disk: `disk` writes a batch's bytes to a file and waits for
them (fdatasync), one after the other. Callers that share a wait can pass it: `threads` of them append at a time. Over
HTTP the client has as many connections, on the same cores, and the server's encoder works meanwhile. Events are new
posts of twelve words, of 10,000 users, made before the clock starts.

    python benchmarks/bench_live.py                        # both stores, batches of 100 and 500, five rounds
    python benchmarks/bench_live.py --stores sqlite --rounds 1 --events 2000 --posts 20

Valkey is a server of this machine, started for it with what makes it durable. Prints one JSON line; progress goes to
stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson

from benchmarks.live_server import live_server
from benchmarks.machine import machine
from benchmarks.rounds import in_turn
from benchmarks.valkey_server import ValkeyServer, server_binary
from dynprof.encoders import load_encoder
from dynprof.live.intake import take_in
from dynprof.live.log import EventLog
from dynprof.live.open_log import open_log

N_USERS, N_WORDS, WORDS_A_POST = 10_000, 5_000, 12
NUMBERS = count()
"""No event is posted twice, in whichever round."""

Records = list[dict[str, Any]]


def make_batches(n_events: int, size: int) -> list[Records]:
    """New events, as JSON would bring them."""
    rng = np.random.default_rng(next(NUMBERS))
    words = rng.integers(0, N_WORDS, (n_events, WORDS_A_POST))
    users = rng.integers(0, N_USERS, n_events)
    now = time.time()
    events = [
        {
            "event_id": f"bench-{next(NUMBERS)}",
            "user_id": f"user-{user}",
            "timestamp": now,
            "text": " ".join(f"word{word}" for word in row),
        }
        for user, row in zip(users.tolist(), words.tolist(), strict=True)
    ]
    return [events[i : i + size] for i in range(0, n_events, size)]


def write_to_disk(path: Path, batches: Sequence[Records]) -> None:
    """The limit: the same bytes, durable a batch at a time."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    for batch in batches:
        os.write(file, orjson.dumps(batch))
        os.fdatasync(file)
    os.close(file)


def append_all(log: EventLog, batches: Sequence[Records], threads: int) -> None:
    """By library call, checks included: what the route does, without HTTP."""
    with ThreadPoolExecutor(threads) as pool:
        for outcomes in pool.map(lambda batch: take_in(log, batch, now=time.time()), batches):
            require_accepted(outcome.status for outcome in outcomes)


def post_all(client: httpx.Client, batches: Sequence[Records], threads: int) -> None:
    """Over HTTP."""
    with ThreadPoolExecutor(threads) as pool:
        for response in pool.map(lambda batch: client.post("/v1/events", content=orjson.dumps(batch)), batches):
            require_accepted(o["status"] for o in response.raise_for_status().json()["outcomes"])


def require_accepted(statuses: Iterator[str]) -> None:
    """A number for events that were not taken would be none."""
    if found := set(statuses) - {"accepted"}:
        raise RuntimeError(f"expected only accepted events, found {found}")


def time_to_vector(client: httpx.Client, log: EventLog, fingerprint: str, posts: int) -> list[float]:
    """Seconds from the 202 of one event to its vector in the log, as another process sees it, post after post."""
    seconds = []
    for (event,) in make_batches(posts, 1):
        before = log.last_number()
        client.post("/v1/events", json=event).raise_for_status()
        start = time.perf_counter()
        (text_hash,) = [c.text_hash for c in log.read(before, 10) if c.kind == "event" and c.text_hash]
        while text_hash not in log.vectors(fingerprint, [text_hash]):
            time.sleep(0.001)
        seconds.append(time.perf_counter() - start)
    return seconds


def wait_until_encoded(log: EventLog, fingerprint: str) -> None:
    """Encoding takes the cores that the next measurement needs."""
    while log.without_vector(fingerprint, 1):
        time.sleep(0.1)


def measure(args: argparse.Namespace, folder: Path, stores: dict[str, str], urls: dict[str, str]) -> dict[str, Any]:
    """Events a second of every candidate, one batch size after the other; and the times to a vector."""
    fingerprint = load_encoder(args.encoder).fingerprint
    logs = {name: open_log(uri) for name, uri in stores.items()}
    clients = {name: httpx.Client(base_url=url, timeout=120) for name, url in urls.items()}

    ready: list[Records] = []

    def prepare(size: int) -> None:
        ready[:] = make_batches(args.events, size)
        for log in logs.values():
            wait_until_encoded(log, fingerprint)

    results: dict[str, Any] = {}
    for size in args.batches:
        runs: dict[str, Callable[[], None]] = {"disk": partial(write_to_disk, folder / "plain", ready)}
        for name in stores:
            runs[name] = partial(append_all, logs[name], ready, args.threads)
            runs[f"{name}_http"] = partial(post_all, clients[name], ready, args.threads)
        seconds = in_turn(runs, args.rounds + 1, before_each=partial(prepare, size))  # the first is for imports
        rates = {name: [round(args.events / s) for s in found[1:]] for name, found in seconds.items()}
        results[f"events_per_s_batches_of_{size}"] = {name: summary(found) for name, found in rates.items()}
    for name in stores:
        prepare(1)
        found = time_to_vector(clients[name], logs[name], fingerprint, args.posts)
        quantiles = np.quantile(found, [0.5, 0.99]).round(4).tolist()
        results[f"{name}_s_from_202_to_vector"] = dict(zip(("median", "p99"), quantiles, strict=True))
    for name in stores:
        logs[name].close()
        clients[name].close()
    return results


def summary(found: Sequence[float]) -> dict[str, Any]:
    """Median and spread."""
    return {"median": round(statistics.median(found)), "rounds": list(found)}


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stores", default="sqlite,valkey", help="of sqlite, valkey")
    parser.add_argument("--events", type=int, default=20_000, help="a candidate and round")
    parser.add_argument("--batches", type=lambda text: [int(n) for n in text.split(",")], default=[100, 500])
    parser.add_argument("--threads", type=int, default=4, help="callers, or connections, at a time")
    parser.add_argument("--posts", type=int, default=500, help="single posts whose time to a vector is taken")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--encoder", default="hashing:384")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-live-") as name, ExitStack() as running:
        folder, stores = Path(name), {}
        if "sqlite" in args.stores:
            stores["sqlite"] = str(folder / "live")
        if "valkey" in args.stores and server_binary() is None:
            print("no valkey-server or redis-server here: left out", file=sys.stderr)
        elif "valkey" in args.stores:
            (folder / "valkey").mkdir()
            stores["valkey"] = running.enter_context(ValkeyServer(folder / "valkey")).uri
        urls = {name: running.enter_context(live_server(uri, args.encoder)) for name, uri in stores.items()}
        results = measure(args, folder, stores, urls)
    print(json.dumps({"benchmark": "live", "flags": vars(args), **results, "machine": machine()}))


if __name__ == "__main__":
    main()
