"""Kill servers and updates with SIGKILL at random moments while a client posts; then count every acknowledged event.

A server is the routes of live events with log and encoder in one process (`benchmarks.live_server`); an update is
`python -m jobs.update`, which takes the log into the corpus, and whatever it started. The client posts the next batch
when the one before was answered 202, and the same one again until then, some of them twice, some late. In the end each
acknowledged event must be in the corpus or in the log exactly once, and in its user's profile exactly once.

    python -m benchmarks.soak --kills 200 --seed 0

One JSON line; exit code 1 where an event was lost or counted twice.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa

from benchmarks.live_server import wait_until_up
from benchmarks.machine import machine
from benchmarks.valkey_server import free_port
from dynprof.encoders import load_encoder
from dynprof.lineage import present_corpus
from dynprof.live.absorbed import absorbed_number
from dynprof.live.log import EventLog
from dynprof.live.open_log import open_log
from dynprof.live.rows import events_between
from dynprof.live.store import LiveStore
from dynprof.segments import read_events
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world

__all__ = ["Client", "audit", "soak"]

ENCODER = "hashing:32"
N_USERS = 50
_ROOT = Path(__file__).parents[1]
_FLAGS = ["--encoder", ENCODER, "--buckets", "2", "--decays", "exponential", "--no-evaluate", "--log-level", "ERROR"]
_UPDATE_LIMIT_S = 300.0
_WORDS = ["goal", "derby", "bread", "butter", "orbit", "comet", "salt", "dough", "rocket", "keeper", "onion", "nebula"]


class Client(threading.Thread):
    """Posts events until told to stop, each batch until it is acknowledged.

    Attributes:
        acknowledged: User of every event that was answered 202, by event id.
    """

    def __init__(self, url: str, seed: int) -> None:
        super().__init__(name="soak-client", daemon=True)
        self.acknowledged: dict[str, str] = {}
        self._url, self._random, self._over = url, random.Random(seed), threading.Event()

    def run(self) -> None:
        """Called by `start`."""
        number = 0
        while not self._over.is_set():
            batch = [self._event(number + i) for i in range(self._random.randint(1, 20))]
            number += len(batch)
            again = self._random.sample(sorted(self.acknowledged), min(3, len(self.acknowledged)))
            self._post([*batch, *(self._event(int(event_id[1:])) for event_id in again)])
            time.sleep(self._random.random() / 20)

    def stop(self) -> None:
        """Return when the batch under way is acknowledged."""
        self._over.set()
        self.join()

    def _post(self, batch: list[dict[str, Any]]) -> None:
        while True:
            with suppress(httpx.HTTPError):
                answer = httpx.post(f"{self._url}/v1/events", json=batch, timeout=10)
                if answer.status_code == 202:
                    rejected = [o for o in answer.json()["outcomes"] if o["status"] == "rejected"]
                    if rejected:
                        raise RuntimeError(f"a good event was rejected: {rejected[0]}")
                    self.acknowledged |= {event["event_id"]: event["user_id"] for event in batch}
                    return
            time.sleep(0.02)

    def _event(self, number: int) -> dict[str, Any]:
        """The same one for the same number: late ones among them."""
        dice = random.Random(number)
        text = " ".join(dice.choices(_WORDS, k=3))
        at = 1_700_000_000 + number - dice.choice([0, 0, 0, 86_400, 8_640_000])
        return {"event_id": f"s{number}", "user_id": f"s-user-{dice.randrange(N_USERS)}", "timestamp": at, "text": text}


class Victims:
    """The server and, now and then, an update: started, killed, started again."""

    def __init__(self, workspace: Path) -> None:
        self._workspace, self._port = workspace, free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._server = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        flags = ["--log", str(self._workspace / "live"), "--encoder", ENCODER, "--port", str(self._port)]
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.live_server", *flags], cwd=_ROOT)
        wait_until_up(self.url, process)
        return process

    def kill_server(self) -> None:
        """And start it again."""
        self._server.kill()
        self._server.wait()
        self._server = self._start()

    def update(self, *, kill_after_s: float | None) -> None:
        """Start an update; kill it, and the Ray that it started, after some seconds."""
        command = [sys.executable, "-m", "jobs.update", "--workspace", str(self._workspace), "--log-level", "ERROR"]
        process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            code = process.wait(_UPDATE_LIMIT_S if kill_after_s is None else kill_after_s)
            if code:
                raise RuntimeError(f"jobs.update ended with {code}")
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if kill_after_s is None:
                raise

    def stop(self) -> None:
        """End the server."""
        self._server.terminate()
        self._server.wait(30)


def soak(folder: Path, *, kills: int, update_every: int, seed: int) -> dict[str, Any]:
    """Run it.

    Args:
        folder: To work in.
        kills: How many.
        update_every: Every so many kills are of an update; 0 for none.
        seed: Of the moments.
    """
    workspace = folder / "ws"
    write_world(WorldSpec(n_users=20, n_events=300, seed=1), Workspace(folder / "world"))
    command = [sys.executable, "-m", "jobs.pipeline", "--events", str(folder / "world" / "events-00000.parquet")]
    subprocess.run([*command, "--workspace", str(workspace), *_FLAGS], cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)
    chance, victims = random.Random(seed), Victims(workspace)
    client = Client(victims.url, seed)
    client.start()
    try:
        for number in range(1, kills + 1):
            if update_every and number % update_every == 0:
                victims.update(kill_after_s=chance.uniform(0.5, 20))
            else:
                time.sleep(chance.uniform(0, 0.5))
                victims.kill_server()
            if number % 10 == 0:
                print(f"kills={number} acknowledged={len(client.acknowledged)}", file=sys.stderr, flush=True)
        client.stop()
    finally:
        victims.stop()
    if update_every:
        victims.update(kill_after_s=None)
    with_log = open_log(workspace / "live")
    found = audit(Workspace(workspace), with_log, client.acknowledged)
    with_log.close()
    return {"kills": kills, **found}


def audit(workspace: Workspace, log: EventLog, acknowledged: dict[str, str]) -> dict[str, Any]:
    """How often acknowledged events are there, in files and log and in profiles."""
    store = SnapshotStore(workspace)
    view, fingerprint = present_corpus(workspace), store.spec.fingerprint
    ids = [
        event_id
        for bucket in range(view.n_buckets)
        for event_id in read_events(workspace, bucket, ["event_id"], segments=view.segments)["event_id"].to_pylist()
    ]
    since = events_between(log, absorbed_number(view.manifest, log), log.last_number())
    counts = Counter([*ids, *(event.event_id for event in since)])
    waiting = log.without_vector(fingerprint, len(acknowledged) + 1)
    if waiting:  # what the last server had no time for
        texts = prepare_texts(pa.array([text for _, text in waiting]))
        vectors = load_encoder(ENCODER).encode(texts).astype(np.float32)
        log.put_vectors(fingerprint, [text_hash for text_hash, _ in waiting], vectors)
    served = LiveStore(store, log)
    served.overlay.catch_up()
    of_user = Counter(acknowledged.values())
    in_profile = {user: served.profile(user, store.spec.decays[0]).n_events for user in of_user}
    return {
        "acknowledged": len(acknowledged),
        "lost": sum(counts[event_id] == 0 for event_id in acknowledged),
        "twice": sum(counts[event_id] > 1 for event_id in acknowledged),
        "users": len(of_user),
        "wrong_profiles": sum(in_profile[user] != n for user, n in of_user.items()),
        "segments": len(view.segments),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Parse flags, soak, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--update-every", type=int, default=10, help="every so many kills are of an update")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), kills=args.kills, update_every=args.update_every, seed=args.seed)
    ok = not (found["lost"] or found["twice"] or found["wrong_profiles"])
    print(json.dumps({**found, "ok": ok, "seconds": round(time.monotonic() - started, 1), "machine": machine()}))
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
