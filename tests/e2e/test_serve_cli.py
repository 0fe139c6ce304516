"""`serve run serve.app:build workspace=DIR` as a person would run it, asked over real HTTP."""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from serving_world import AS_OF_US, ODD_IDS, World, make_world

from dynprof.decay import Decay
from dynprof.store import SnapshotStore
from e2e.serve_process import ServeProcess, processes_of, serve_run

READY_LIMIT_S = 90
FAILURE_LIMIT_S = 60

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="finds the processes that Ray starts in /proc")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("cli"))


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[ServeProcess]:
    with serve_run("serve.app:build", f"workspace={world.workspace.uri}") as running:
        running.wait_ready(READY_LIMIT_S)
        yield running
    assert processes_of(running.mark) == []


@pytest.fixture(scope="module")
def client(server: ServeProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as opened:
        yield opened


def test_health_and_docs_answer(client: httpx.Client, world: World) -> None:
    assert client.get("/health/live").json() == {"status": "live"}
    assert client.get("/health/ready").json()["snapshot"] == world.snapshot
    assert client.get("/docs").status_code == 200
    page = client.get("/")
    assert "<title>dynprof</title>" in page.text and "script-src 'self'" in page.headers["content-security-policy"]
    assert client.get("/page/main.js").headers["content-encoding"] == "gzip"
    assert "/v1/users/{user_id}/profile" in client.get("/openapi.json").json()["paths"]


def test_a_profile_is_that_of_the_library(client: httpx.Client, world: World) -> None:
    asked = {"kind": "gaussian", "half_life": "12d", "vector": "true"}
    answer = client.get("/v1/users/heavy/profile", params=asked).json()
    read = SnapshotStore(world.workspace).profile("heavy", Decay("gaussian", "12d"), AS_OF_US)
    np.testing.assert_allclose(np.frombuffer(base64.b64decode(answer["vector"]), "<f4"), read.vector, atol=1e-6)
    assert answer["mass"] == pytest.approx(read.mass)


@pytest.mark.parametrize("user_id", ODD_IDS)
def test_ids_with_any_characters_arrive_unchanged(client: httpx.Client, user_id: str) -> None:
    response = client.get(f"/v1/users/{quote(user_id, safe='')}/profile")
    assert response.status_code == 200
    assert response.json()["user_id"] == user_id


def test_neighbours_and_recommendations_are_served(client: httpx.Client) -> None:
    assert len(client.get("/v1/users/a/neighbors?k=3&half_life=3d").json()["neighbors"]) == 3
    assert len(client.get("/v1/users/a/recommendations?k=4").json()["items"]) == 4


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/v1/users/nobody/profile", 404, "user_id"),
        ("/v1/users/a/profile?half_life=30", 422, "half_life"),
        ("/v1/users/a/recommendations?metrik=basic", 422, "metrik"),
        ("/v1/users/heavy/profile?as_of=2024-02-01", 422, "as_of"),
        ("/nowhere", 404, None),
    ],
)
def test_errors_keep_their_body_behind_the_proxy(
    client: httpx.Client, path: str, status: int, parameter: str | None
) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.json()["error"]["parameter"] == parameter


def test_only_the_loopback_address_is_listened_on(server: ServeProcess) -> None:
    port = int(server.url.rpartition(":")[2])
    rows = Path("/proc/net/tcp").read_text().splitlines() + Path("/proc/net/tcp6").read_text().splitlines()
    listening = {m[1] for row in rows if (m := re.match(rf"\s*\d+: ([0-9A-F]+):{port:04X} [0-9A-F]+:0000 0A", row))}
    assert listening == {"0100007F"}  # 127.0.0.1, bytes reversed


@pytest.mark.parametrize("unfinished", [False, True])
def test_a_workspace_that_cannot_be_served_ends_the_command_with_the_reason(tmp_path: Path, unfinished: bool) -> None:
    workspace = tmp_path / "workspace"
    if unfinished:
        (workspace / "profiles" / "20240101T000000Z-0").mkdir(parents=True)
    expected = "expected a finished snapshot, found none" if unfinished else "found nothing at"
    with serve_run("serve.app:build", f"workspace={workspace}") as running:
        assert running.process.wait(FAILURE_LIMIT_S) != 0
        assert expected in running.log.read_text()
        assert processes_of(running.mark) == []
