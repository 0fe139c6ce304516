"""The same job, submitted to a running cluster: `ray job submit -- python -m jobs.pipeline`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynprof.snapshot import SNAPSHOTS
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world

ROOT = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))
LIMIT_S = 240


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def cluster() -> Iterator[dict[str, str]]:
    """A head node of its own, with a dashboard on the loopback; the environment that leads to it.

    The agent that takes jobs has a port of its own too: the default one is another Ray's when tests run side by side,
    and an agent without its port answers "No available agent" for ever.
    """
    session = tempfile.mkdtemp(prefix="rj", dir="/tmp")  # Ray's sockets need short paths
    port, dashboard = free_port(), free_port()
    flags = ["--head", "--node-ip-address=127.0.0.1", f"--port={port}", f"--dashboard-port={dashboard}", "--num-cpus=2"]
    flags += ["--dashboard-host=127.0.0.1", "--object-store-memory=500000000", f"--temp-dir={session}", "--block"]
    flags += [f"--dashboard-agent-listen-port={free_port()}"]
    env = {**{k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}, "RAY_AUTH_MODE": "disabled"}
    with Path(session, "head.log").open("w") as log:
        head = subprocess.Popen([RAY, "start", *flags], stdout=log, stderr=log, env=env)
    try:
        yield {**env, "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}"}
    finally:
        head.terminate()  # --block ends what it started
        head.wait(60)
        shutil.rmtree(session, ignore_errors=True)


def test_a_submitted_job_leaves_the_same_snapshot_as_one_machine(cluster: dict[str, str], tmp_path: Path) -> None:
    write_world(WorldSpec(n_users=30, n_events=1_000, seed=2), Workspace(tmp_path / "world"))
    flags = ["--events", f"{tmp_path}/world/events*", "--items", f"{tmp_path}/world/items*", "--buckets", "4"]
    job = [sys.executable, "-m", "jobs.pipeline", *flags, "--encoder", "hashing:32", "--no-evaluate", "--workspace"]
    code = tmp_path / "code"
    for package in ("dynprof", "jobs"):  # what `--working-dir .` carries from a clone
        shutil.copytree(ROOT / package, code / package, ignore=shutil.ignore_patterns("__pycache__"))
    submit = [RAY, "job", "submit", "--runtime-env", str(ROOT / "runtime_env.yaml"), "--working-dir", str(code)]
    submit += ["--", *job, str(tmp_path / "submitted")]
    for attempt in range(30):  # the dashboard takes a while to answer
        done = subprocess.run(
            submit, env=cluster, cwd=tmp_path, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        said = done.stderr + done.stdout
        if done.returncode == 0 or not ("onnect" in said or "No available agent" in said):
            break
        assert attempt < 29, said[-2000:]
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    submitted = next(json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"job"'))
    here = subprocess.run(
        [*job, str(tmp_path / "here")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    local = json.loads(here.stdout)
    assert submitted["snapshot"] == local["snapshot"]
    for name in Workspace(tmp_path / "here").files(SNAPSHOTS, local["snapshot"], "profiles"):
        a, b = (
            Workspace(tmp_path / folder).read_parquet(SNAPSHOTS, local["snapshot"], "profiles", name)
            for folder in ("here", "submitted")
        )
        assert a.equals(b)
