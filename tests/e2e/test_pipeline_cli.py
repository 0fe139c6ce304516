"""The commands of the README in processes of their own: summary, errors, the kill switch, object storage."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dynprof.snapshot import SNAPSHOTS
from dynprof.vectors import matrix_of
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world

ROOT = Path(__file__).parents[2]
LIMIT_S = 240


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(WorldSpec(n_users=50, n_events=2_500, seed=11), Workspace(folder))
    return folder


def command(world: Path, workspace: str, *more: str) -> list[str]:
    side = ["--users", f"{world}/users*", "--items", f"{world}/items*", "--buckets", "4"]
    job = [sys.executable, "-m", "jobs.pipeline", "--events", f"{world}/events*", *side]
    return [*job, "--workspace", workspace, "--no-evaluate", *more]


def finish(job: list[str], **env: str) -> dict[str, Any]:
    """Run to the end; the last line of stdout, which must be the only one."""
    done = subprocess.run(
        job, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (line,) = done.stdout.splitlines()
    return json.loads(line)


def profiles_of(workspace: Workspace, snapshot: str) -> pa.Table:
    files = workspace.files(SNAPSHOTS, snapshot, "profiles")
    assert len(files) == 4
    table = pa.concat_tables([workspace.read_parquet(SNAPSHOTS, snapshot, "profiles", f) for f in files])
    return table.sort_by([("user_id", "ascending"), ("kind", "ascending")]).combine_chunks()


def test_the_real_encoder_makes_profiles_and_a_killed_run_goes_on_to_the_same(world: Path, tmp_path: Path) -> None:
    flags = ["--encoder", "minilm", "--shard-texts", "150"]
    undisturbed = finish(command(world, str(tmp_path / "whole"), *flags))
    assert undisturbed["encoded_now"] == undisturbed["distinct_texts"]
    assert undisturbed["done_before"] is False

    killed = Workspace(tmp_path / "killed")
    job = command(world, killed.uri, *flags)
    shards = ("embeddings", undisturbed["fingerprint"])
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(job, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        wait_for(lambda: len(killed.files(*shards)) >= 2, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not killed.folders(SNAPSHOTS)
    resumed = finish(job)
    assert 0 < resumed["encoded_now"] < resumed["distinct_texts"]
    assert resumed["snapshot"] == undisturbed["snapshot"]
    a, b = (profiles_of(w, resumed["snapshot"]) for w in (Workspace(tmp_path / "whole"), killed))
    assert a.drop_columns(["profile"]).equals(b.drop_columns(["profile"]))
    np.testing.assert_array_equal(matrix_of(a["profile"]), matrix_of(b["profile"]))

    again = finish(job)
    assert again["done_before"] is True
    assert again["encoded_now"] == 0


def wait_for(happened: Any, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + LIMIT_S
    while not happened():
        assert process.poll() is None, "the job ended before it could be killed"
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--half-life", "30"], "ConfigError: half_life: expected a number with a unit"),
        (["--encoder", "nobody/nothing"], "ModelNotFoundError: "),
        (["--columns", "user_id=writer"], "MissingColumnError: "),
    ],
)
def test_an_error_is_one_line_with_exit_code_two_and_nothing_on_stdout(
    world: Path, tmp_path: Path, flags: list[str], said: str
) -> None:
    job = command(world, str(tmp_path / "ws"), *flags, "--log-level", "ERROR")
    done = subprocess.run(job, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = [text for text in done.stderr.splitlines() if text.startswith("dynprof: ")]
    assert said in line
    assert "Traceback" not in done.stderr


@pytest.fixture
def object_store(tmp_path: Path) -> Iterator[dict[str, str]]:
    """moto's S3 server on the loopback, with a bucket; the environment that leads to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    moto = Path(sys.executable).with_name("moto_server")
    with (tmp_path / "moto.log").open("w") as log:
        server = subprocess.Popen([moto, "-H", "127.0.0.1", "-p", str(port)], stdout=log, stderr=log)
    env = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        wait_for(lambda: _listens(port), server)
        subprocess.run(
            [sys.executable, "-c", "import boto3; boto3.client('s3').create_bucket(Bucket='dynprof')"],
            env={**os.environ, **env},
            check=True,
            timeout=60,
        )
        yield env
    finally:
        server.terminate()
        server.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_events_and_workspace_may_lie_in_object_storage(
    world: Path, tmp_path: Path, object_store: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in object_store.items():
        monkeypatch.setenv(name, value)
    remote = Workspace("s3://dynprof/world")
    for name in Workspace(world).files(suffix=".parquet"):
        with remote.create(name) as sink:
            sink.write((world / name).read_bytes())
    there = ["--events", "s3://dynprof/world/events*", "--users", "s3://dynprof/world/users*"]
    there += ["--items", "s3://dynprof/world/items*", "--workspace", "s3://dynprof/ws"]
    rest = ["--buckets", "4", "--encoder", "hashing:32", "--no-evaluate"]
    job = [sys.executable, "-m", "jobs.pipeline", *there, *rest]
    summary = finish(job)
    local = finish(command(world, str(tmp_path / "local"), "--encoder", "hashing:32"))
    stored = profiles_of(Workspace("s3://dynprof/ws"), summary["snapshot"])
    expected = profiles_of(Workspace(tmp_path / "local"), local["snapshot"])
    assert stored["user_id"].equals(expected["user_id"])
    np.testing.assert_allclose(
        matrix_of(stored["profile"]).astype(float), matrix_of(expected["profile"]).astype(float), atol=1e-3
    )
    assert finish(job)["done_before"] is True
