"""Another snapshot while questions are asked: nobody is refused, and no answer mixes two."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from serving_world import DAY_US, World, make_world, write_snapshot

from dynprof.errors import WorkspaceError
from dynprof.snapshot import SNAPSHOTS
from dynprof.workspace import Workspace
from serve.api import follower_of, make_api
from serve.engine import Engine
from serve.follower import WISH, Follower, wished
from serve.metrics import Metrics

from .asking import error_of

N_ASKING, N_SWAPS = 4, 6
ASKED = ["/v1/users/a/profile?vector=true", "/v1/users/heavy/recommendations?k=3&explain=true", "/v1/users/a/timeline"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("reload"))


@pytest.fixture(scope="module")
def older(world: World) -> str:
    """Another snapshot of the same corpus, as of ten days before."""
    spec = replace(world.spec, as_of_us=world.spec.as_of_us - 10 * DAY_US, prior_weight=0.7)
    return write_snapshot(world.workspace, spec, world.population)[0]


@pytest.fixture
def engine(world: World) -> Engine:
    world.workspace.remove(*WISH)
    return Engine.open(world.workspace, world.snapshot, neighbor_cache_bytes=0)


def follow(engine: Engine, *, since_us: int = 0) -> Follower:
    """A replica that has begun with an engine."""
    workspace = engine.store.workspace
    return Follower(
        engine,
        lambda name: Engine.open(workspace, name, neighbor_cache_bytes=0),
        workspace,
        Metrics(),
        since_us=since_us,
    )


def alone(engine: Engine) -> dict[str, Any]:
    client = TestClient(make_api(engine))
    return {path: client.get(path).json() for path in ASKED}


def test_no_request_fails_and_every_answer_is_wholly_of_one_snapshot(engine: Engine, world: World, older: str) -> None:
    other = Engine.open(world.workspace, older, neighbor_cache_bytes=0)
    right = {world.snapshot: alone(engine), older: alone(other)}
    client, done, answers = TestClient(make_api(engine)), threading.Event(), []

    def keep_asking(path: str) -> None:
        while not done.is_set():
            response = client.get(path)
            answers.append((path, response.status_code, response.text))

    asking = [threading.Thread(target=keep_asking, args=(ASKED[i % len(ASKED)],)) for i in range(N_ASKING)]
    for thread in asking:
        thread.start()
    for swap in range(N_SWAPS):
        name = (older, world.snapshot)[swap % 2]
        response = client.post("/v1/snapshot/reload", json={"snapshot": name})
        assert (response.status_code, response.json()["status"]) == (200, "serving")
        before = len(answers)
        while len(answers) < before + N_ASKING:
            time.sleep(0.01)
    done.set()
    for thread in asking:
        thread.join(30)
    assert {status for _, status, _ in answers} == {200}
    assert {json.loads(text)["snapshot"] for _, _, text in answers} == {world.snapshot, older}
    for path, _, text in answers:
        answer = json.loads(text)
        assert answer == right[answer["snapshot"]][path]


def test_every_replica_comes_to_what_one_was_asked_for(engine: Engine, world: World, older: str) -> None:
    asked, another = follow(engine), follow(engine)
    assert asked.want(older) == older
    assert asked.wait(older, 30)
    assert another.engine is engine
    another.check()
    assert another.engine is not None and another.engine.store.name == older
    kept = another.engine
    another.check()
    assert another.engine is kept  # a wish is followed once
    asked.want(world.snapshot)
    another.check()
    assert another.engine.store.name == world.snapshot


def test_a_replica_looks_by_itself(engine: Engine, older: str) -> None:
    asked, another = follow(engine), follow(engine)
    another.follow(0.05)
    asked.want(older)
    assert another.wait(older, 30)


def test_what_was_wanted_before_a_deployment_is_overruled_by_it(engine: Engine, world: World, older: str) -> None:
    asked = follow(engine)
    asked.want(older)
    assert asked.wait(older, 30)
    wish = wished(world.workspace, since_us=0)
    assert wish is not None and wish[0] == older
    assert wished(world.workspace, since_us=wish[1] + 1) is None
    later = follow(engine, since_us=wish[1] + 1)
    later.check()
    assert later.engine is engine


def test_latest_is_the_snapshot_with_the_latest_time(engine: Engine, world: World, older: str) -> None:
    client = TestClient(make_api(engine))
    assert client.post("/v1/snapshot/reload", json={"snapshot": older}).json()["snapshot"] == older
    assert client.post("/v1/snapshot/reload", json={}).json()["snapshot"] == world.snapshot


def test_a_snapshot_that_is_not_there_is_404_and_nothing_changes(engine: Engine, world: World) -> None:
    client = TestClient(make_api(engine))
    response = client.post("/v1/snapshot/reload", json={"snapshot": "nonesuch"})
    assert (response.status_code, error_of(response)["code"]) == (404, "unknown_snapshot")
    assert wished(world.workspace, since_us=0) is None
    assert client.get("/v1/snapshot").json()["wanted"] == world.snapshot


def test_a_snapshot_that_cannot_be_loaded_is_409_and_the_old_one_goes_on(engine: Engine, world: World) -> None:
    spec = replace(world.spec, as_of_us=world.spec.as_of_us - 20 * DAY_US)
    broken, _ = write_snapshot(world.workspace, spec, world.population)
    world.workspace.remove(SNAPSHOTS, broken, "states")
    client = TestClient(make_api(engine))
    response = client.post("/v1/snapshot/reload", json={"snapshot": broken})
    assert (response.status_code, error_of(response)["code"]) == (409, "reload_failed")
    told = client.get("/v1/snapshot").json()
    assert (told["snapshot"], told["wanted"]) == (world.snapshot, broken)
    assert "expected states of" in told["reload_error"]
    assert client.get("/v1/users/a/profile").json()["snapshot"] == world.snapshot
    assert 'dynprof_reloads_total{replica="",result="failed"} 1.0' in client.get("/metrics").text
    world.workspace.remove(SNAPSHOTS, broken)


def test_who_does_not_wait_is_told_that_it_loads(engine: Engine, older: str) -> None:
    gate = threading.Event()

    def slow(name: str) -> Engine:
        assert gate.wait(30)
        return Engine.open(engine.store.workspace, name, neighbor_cache_bytes=0)

    follower = Follower(engine, slow, engine.store.workspace, Metrics())
    client = TestClient(make_api(follower))
    response = client.post("/v1/snapshot/reload", json={"snapshot": older, "wait_s": 0})
    assert (response.status_code, response.json()["status"]) == (202, "loading")
    assert response.json() == {"status": "loading", "snapshot": engine.store.name, "wanted": older}
    assert client.get("/v1/users/a/profile").json()["snapshot"] == engine.store.name
    gate.set()
    assert follower.wait(older, 30)


def test_of_two_wishes_the_later_is_served(engine: Engine, world: World, older: str) -> None:
    gate = threading.Event()

    def slow(name: str) -> Engine:
        assert gate.wait(30)
        return Engine.open(engine.store.workspace, name, neighbor_cache_bytes=0)

    follower = Follower(engine, slow, engine.store.workspace, Metrics())
    follower.want(older)
    follower.want(world.snapshot)
    gate.set()
    assert follower.wait(world.snapshot, 30)
    follower.check()
    assert follower.engine is not None and follower.engine.store.name == world.snapshot


def test_a_store_that_does_not_answer_is_asked_again(
    engine: Engine, older: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = follow(engine)
    follow(engine).want(older)
    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "read_manifest", _no_answer)
        with pytest.raises(WorkspaceError):
            follower.check()
    follower.check()
    assert follower.engine is not None and follower.engine.store.name == older


def _no_answer(*_: object) -> None:
    raise WorkspaceError("the store does not answer")


def test_an_application_without_a_snapshot_can_load_none() -> None:
    client = TestClient(make_api(follower_of(None, Metrics())))
    assert client.post("/v1/snapshot/reload", json={}).status_code == 503
