"""Kill workers, encoding actors, nodes and drivers of running pipelines, and compare what comes out.

Every run is disturbed six times: once while it ingests, four times while it encodes, once while it builds. It must end
with the tables of an undisturbed run, bit by bit, and no text of a finished shard may be encoded again. What is encoded
is read from the shards themselves: a file that is written anew is another inode, and says how many texts were encoded
for it.

    python -m benchmarks.faults --kills 50 --seed 0
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.machine import machine
from benchmarks.raylets import Raylets, kill, wait_until
from dynprof.corpus import CORPUS
from dynprof.embeddings import EMBEDDINGS
from dynprof.snapshot import SNAPSHOTS
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world

__all__ = ["KINDS", "Disturbed", "Kill", "ShardWatch", "disturb", "flags", "tables_of"]

KINDS = ("worker", "actor", "node", "driver")
_ROOT = Path(__file__).parents[1]
_LIMIT_S = 180.0
_N_BUCKETS = 8
_FILES = {"ingest": "corpus/quarantine/*", "encode": "embeddings/*/shard-*", "build": "profiles/*/states/bucket-*"}


@dataclass(frozen=True)
class Kill:
    """One blow.

    Attributes:
        kind: Of `KINDS`.
        stage: In which it falls.
        n_files: How many files the stage has finished when it falls.
    """

    kind: str
    stage: str
    n_files: int


@dataclass
class Disturbed:
    """What a disturbed run came to.

    Attributes:
        snapshot: Its name.
        kills: Blows that fell while work was under way, and those that came too late.
        drivers: Starts of the command.
        n_encoded: Texts encoded into shards that were finished, over all versions of all shards.
        tables: As in `tables_of`.
    """

    snapshot: str = ""
    kills: Counter[str] = field(default_factory=Counter)
    drivers: int = 1
    n_encoded: int = 0
    tables: dict[str, pa.Table] = field(default_factory=dict)


class ShardWatch:
    """Counts the texts encoded for every version of every shard that appears."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.seen = workspace, dict[tuple[str, int], int]()
        self._ended = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look every few milliseconds until the block ends; a version stands for much longer."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()
            self._look()

    def _watch(self) -> None:
        while not self._ended.wait(0.003):
            self._look()

    def _look(self) -> None:
        for path in Path(self.workspace.uri).glob(_FILES["encode"]):
            key = (path.name, path.stat().st_ino)
            if key not in self.seen:
                counts = self.workspace.ipc_metadata(*path.relative_to(self.workspace.uri).parts)
                self.seen[key] = int(counts["n_encoded"])


def disturb(cluster: Raylets, world: Path, workspace: Workspace, kills: Sequence[Kill], seed: int = 0) -> Disturbed:
    """Run the pipeline on the cluster and kill as told; a driver is started again, a node replaced.

    Raises:
        RuntimeError: A run that was not killed ended with an error.
    """
    outcome, draw, watch = Disturbed(), random.Random(seed), ShardWatch(workspace)
    with watch.watching():
        driver = _start(cluster, world, workspace)
        for blow in kills:
            struck = _strike(cluster, workspace, driver, blow, draw)
            outcome.kills[blow.kind if struck else "too late"] += 1
            if struck and blow.kind == "driver":
                driver.communicate()
                driver = _start(cluster, world, workspace)
                outcome.drivers += 1
        said, error = driver.communicate(timeout=_LIMIT_S)
    if driver.returncode:
        raise RuntimeError(
            f"{kills}: expected the run to end well, found exit code {driver.returncode}: {error[-2_000:]}"
        )
    outcome.snapshot = json.loads(said.splitlines()[-1])["snapshot"]  # above it Ray tells of what it lost
    outcome.n_encoded = sum(watch.seen.values())
    outcome.tables = tables_of(workspace, outcome.snapshot)
    return outcome


def flags(world: Path, workspace: Workspace) -> list[str]:
    """What the disturbed command is given: many small shards, all buckets of the world."""
    inputs = [flag for t in ("events", "users", "items") for flag in (f"--{t}", f"{world}/{t}*")]
    meaning = ["--encoder", "hashing:64", "--shard-texts", "32", "--buckets", str(_N_BUCKETS), "--no-evaluate"]
    return [*inputs, "--workspace", workspace.uri, *meaning, "--log-level", "ERROR"]


def _start(cluster: Raylets, world: Path, workspace: Workspace) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.pipeline", *flags(world, workspace)],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT), "RAY_ADDRESS": cluster.address},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _strike(
    cluster: Raylets, workspace: Workspace, driver: subprocess.Popen[str], blow: Kill, draw: random.Random
) -> bool:
    """Wait for the moment, then kill; False where the run or the stage ended before."""

    def ready() -> bool:
        return driver.poll() is not None or _finished(workspace, blow.stage) >= blow.n_files

    wait_until(ready, _LIMIT_S, f"{blow}")
    end = time.monotonic() + _LIMIT_S
    while driver.poll() is None and time.monotonic() < end:
        if blow.stage == "encode" and list(Path(workspace.uri).glob("embeddings/*/manifest.json")):
            return False
        if blow.kind == "driver":
            kill(driver.pid)
            return True
        if blow.kind == "node":
            cluster.kill_node(draw.choice(cluster.nodes))
            cluster.add({})
            return True
        encoding = cluster.workers("ShardEncoder")
        victims = encoding if blow.kind == "actor" else [pid for pid in cluster.workers() if pid not in encoding]
        if victims:
            kill(draw.choice(victims))
            return True
    return False


def _finished(workspace: Workspace, stage: str) -> int:
    return sum(1 for _ in Path(workspace.uri).glob(_FILES[stage]))


def tables_of(workspace: Workspace, snapshot: str) -> dict[str, pa.Table]:
    """Every table of a finished run by its path: corpus, embeddings, profiles, states."""
    folders: list[tuple[str, ...]] = [(CORPUS, table) for table in ("events", "users", "items")]
    folders += [(EMBEDDINGS, fingerprint) for fingerprint in workspace.folders(EMBEDDINGS)]
    folders += [(SNAPSHOTS, snapshot, table) for table in ("profiles", "states")]
    found = {}
    for folder in folders:
        for name in workspace.files(*folder):
            if name.endswith(".parquet"):
                found["/".join((*folder, name))] = workspace.read_parquet(*folder, name)
            elif name.endswith(".arrow"):
                found["/".join((*folder, name))] = workspace.open_ipc(*folder, name).read_all()
    return found


def _plan(draw: random.Random) -> list[Kill]:
    """Once while it ingests, four times while it encodes, once while it builds."""
    moments = [("ingest", 1), *(("encode", n) for n in sorted(draw.sample(range(1, 48), 4))), ("build", 1)]
    return [Kill(draw.choice([k for k in KINDS if k != "actor" or s == "encode"]), s, n) for s, n in moments]


def _loop(n_kills: int, limit_s: float, seed: int, folder: Path) -> dict[str, Any]:
    draw, totals, started = random.Random(seed), Counter[str](), time.perf_counter()
    kinds: Counter[str] = Counter()
    world = folder / "world"
    write_world(WorldSpec(n_users=40, n_events=1_500, seed=5), Workspace(world))
    with Raylets([{}] * 3) as cluster:
        expected = disturb(cluster, world, Workspace(folder / "undisturbed"), [])
        while sum(kinds[kind] for kind in KINDS) < n_kills and time.perf_counter() - started < limit_s:
            workspace = Workspace(folder / f"run-{totals['runs']}")
            found = disturb(cluster, world, workspace, _plan(draw), draw.randrange(1 << 30))
            kinds += found.kills
            same = found.tables.keys() == expected.tables.keys() and all(
                table.equals(expected.tables[path]) for path, table in found.tables.items()
            )
            totals += Counter(runs=1, drivers=found.drivers, mismatches=int(not same))
            totals["texts_encoded_twice"] += found.n_encoded - expected.n_encoded
            seconds = round(time.perf_counter() - started)
            print(
                f"run={totals['runs']} at={seconds}s kills={dict(found.kills)} same={same}", file=sys.stderr, flush=True
            )
            workspace.remove()
    return {
        "benchmark": "faults",
        "kills": dict(kinds),
        **{name: totals[name] for name in ("runs", "drivers", "mismatches", "texts_encoded_twice")},
        "texts": expected.n_encoded,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Parse flags, loop, print one JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="how many must have fallen")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="after which no further run begins")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        result = _loop(args.kills, args.seconds, args.seed, Path(folder))
    print(json.dumps({**result, "seed": args.seed, "machine": machine()}))


if __name__ == "__main__":
    main()
