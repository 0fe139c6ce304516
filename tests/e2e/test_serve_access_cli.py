"""Public addresses, tokens and reloads as a person meets them: real processes, two replicas, real HTTP."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from serving_world import DAY_US, World, make_world, write_snapshot

from dynprof.snapshot import SNAPSHOTS
from e2e.serve_process import ServeProcess, free_port, processes_of, serve_run

READY_LIMIT_S = 120
FAILURE_LIMIT_S = 60
SWAP_LIMIT_S = 60
TOKEN = "a-token-for-reading-and-ruling"  # noqa: S105
TOKENS = {"DYNPROF_TOKENS": f"tester read,admin {TOKEN}"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes that Ray starts in /proc")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("access"))


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[ServeProcess]:
    arguments = (f"workspace={world.workspace.uri}", "num_replicas=2", "num_cpus=0.5", "reload_poll_s=0.2")
    with serve_run("serve.app:build", *arguments, variables=TOKENS) as running:
        running.wait_ready(READY_LIMIT_S)
        yield running
    assert processes_of(running.mark) == []


@pytest.fixture(scope="module")
def client(server: ServeProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30, headers={"authorization": f"Bearer {TOKEN}"}) as opened:
        yield opened


def test_a_public_address_without_tokens_ends_the_command_with_the_reason(world: World) -> None:
    public = {"RAY_SERVE_DEFAULT_HTTP_HOST": "0.0.0.0"}  # noqa: S104
    with serve_run("serve.app:build", f"workspace={world.workspace.uri}", variables=public) as running:
        assert running.process.wait(FAILURE_LIMIT_S) != 0
        assert "expected a loopback address, since no tokens are configured, found 0.0.0.0" in running.log.read_text()
        assert processes_of(running.mark) == []


def test_a_config_file_that_binds_a_public_address_without_tokens_serves_nothing(world: World, tmp_path: Path) -> None:
    port, config = free_port(), tmp_path / "public.yaml"
    config.write_text(f"""
http_options: {{host: 0.0.0.0, port: {port}}}
applications:
  - {{name: dynprof, route_prefix: /, import_path: serve.app:build, args: {{workspace: {world.workspace.uri}}}}}
""")
    with serve_run(str(config)) as running:
        deadline = time.monotonic() + READY_LIMIT_S
        while "since no tokens are configured" not in running.log.read_text() and time.monotonic() < deadline:
            time.sleep(0.2)
        assert "since no tokens are configured, found 0.0.0.0" in running.log.read_text()
        assert httpx.get(f"http://127.0.0.1:{port}/v1/users/a/profile", timeout=30).status_code in (404, 503)


def test_without_the_token_only_health_answers(server: ServeProcess, client: httpx.Client) -> None:
    assert httpx.get(f"{server.url}/health/ready").status_code == 200
    assert httpx.get(f"{server.url}/v1/users/a/profile").status_code == 401
    assert client.get("/v1/users/a/profile").status_code == 200
    assert client.get("/v1/users/a/profile?vector=true").status_code == 403


def replicas(client: httpx.Client) -> dict[str, str]:
    """The snapshot that each replica served when it was last met, in a dozen scrapes."""
    met = {}
    for _ in range(12):
        lines = [x for x in client.get("/metrics").text.splitlines() if x.startswith("dynprof_snapshot{")]
        for line in lines:
            _, replica, _, snapshot, _ = line.split('"')
            met[replica] = snapshot
    return met


def test_every_replica_swaps_the_snapshot_and_no_request_fails(client: httpx.Client, world: World) -> None:
    spec = replace(world.spec, as_of_us=world.spec.as_of_us + DAY_US)
    newer, _ = write_snapshot(world.workspace, spec, world.population)
    done, statuses, met = threading.Event(), [], set()

    def keep_asking() -> None:
        while not done.is_set():
            response = client.get("/v1/users/heavy/recommendations?k=3")
            statuses.append(response.status_code)
            met.add(response.json().get("snapshot"))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    try:
        response = client.post("/v1/snapshot/reload", json={"snapshot": "latest"})
        assert (response.status_code, response.json()["snapshot"]) == (200, newer)
        deadline = time.monotonic() + SWAP_LIMIT_S
        while len(served := replicas(client)) < 2 or set(served.values()) != {newer}:
            assert time.monotonic() < deadline, f"after {SWAP_LIMIT_S} s the replicas serve {served}"
    finally:
        done.set()
        asking.join(60)
    assert set(statuses) == {200} and met <= {world.snapshot, newer} and newer in met
    world.workspace.remove(SNAPSHOTS, newer)
