"""A small pipeline to run anywhere, and what it left in a workspace compared with what another run left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa

from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world

ROOT = Path(__file__).parents[1]
N_BUCKETS = 4
FLAGS = ["--encoder", "hashing:64", "--shard-texts", "64", "--buckets", str(N_BUCKETS), "--log-level", "ERROR"]
LIMIT_S = 240


def make_world(folder: str | Path) -> Workspace:
    """1,000 events of 40 users: some 15 shards of texts."""
    world = Workspace(folder)
    write_world(WorldSpec(n_users=40, n_events=1_000, seed=5), world)
    return world


def flags(world: str, workspace: str, options: str = "") -> list[str]:
    """What `jobs.pipeline` takes. `options` are those of the world's URI."""
    files = [f"{world}/{table}*{options}" for table in ("events", "users", "items")]
    return ["--events", files[0], "--users", files[1], "--items", files[2], "--workspace", workspace, *FLAGS]


def start(given: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[str]:
    """The pipeline in a process of its own; what it says goes to `log`, its summary to its standard output."""
    job = [sys.executable, "-m", "jobs.pipeline", *given]
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with log.open("w") as said:
        return subprocess.Popen(job, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=said, text=True)


def summary_of(process: subprocess.Popen[str], log: Path) -> dict[str, Any]:
    """Wait for the end, which must be a good one; the summary."""
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, log.read_text()[-3_000:]
    summary: dict[str, Any] = json.loads(said.splitlines()[-1])
    return summary


def assert_same(found: dict[str, pa.Table], expected: dict[str, pa.Table]) -> None:
    """Every table is there and equal, vectors bit by bit."""
    assert found.keys() == expected.keys()
    assert len(expected) >= 5 * N_BUCKETS
    for path, table in expected.items():
        assert found[path].equals(table), path
