"""A posted event is in every answer within a second, once, and what is erased is in none."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from live_world import DAY_US, START_US, embed_and_build, row, write_base

from dynprof.live.log import EventLog
from dynprof.live.open_log import open_log
from dynprof.workspace import Workspace
from serve.api import make_api
from serve.engine import Engine
from serve.follower import Follower
from serve.live_service import live_service
from serve.metrics import Metrics

NOW_US = START_US + 40 * DAY_US
WITHIN_S = 1.0
ROWS = [
    *(row(f"a{i}", "ann", START_US + i * DAY_US, f"goal keeper number {i}") for i in range(30)),  # kept as sums
    row("b0", "ben", START_US + DAY_US, "bread and butter"),
    row("b1", "ben", START_US + 2 * DAY_US, "salt and dough"),
    row("c0", "cy", START_US + 3 * DAY_US, "goal keeper at the derby"),
]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "ws")
    write_base(made, ROWS, bios={"ben": "a baker"})
    embed_and_build(made)
    return made


@pytest.fixture
def log(workspace: Workspace) -> Iterator[EventLog]:
    opened = open_log(workspace.path("live"))
    yield opened
    opened.close()


@pytest.fixture
def serving(workspace: Workspace, log: EventLog) -> Iterator[Callable[[], TestClient]]:
    """Replicas over one workspace and one log."""
    running: list[Follower] = []

    def start() -> TestClient:
        def load(name: str) -> Engine:
            return Engine.open(workspace, name, neighbor_cache_bytes=0, log=log)

        running.append(Follower(load("latest"), load, workspace, Metrics()))
        return TestClient(make_api(running[-1], live_service(log, running[-1])))

    yield start
    for follower in running:
        if follower.engine is not None:
            follower.engine.close()


def event(event_id: str, user_id: str, text: str | None, days: float = 0.0, **more: Any) -> dict[str, Any]:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=NOW_US + int(days * DAY_US))
    return {"event_id": event_id, "user_id": user_id, "timestamp": at.isoformat(), "text": text, **more}


def post(client: TestClient, *events: dict[str, Any]) -> list[str]:
    response = client.post("/v1/events", json=list(events))
    assert response.status_code == 202, response.text
    return [outcome["status"] for outcome in response.json()["outcomes"]]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20 * WITHIN_S  # the promise is for a machine that is not full of tests
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def n_events(client: TestClient, user_id: str) -> int:
    response = client.get(f"/v1/users/{user_id}/profile")
    return int(response.json()["n_events"]) if response.status_code == 200 else -1


def test_a_post_is_in_every_replica_s_answers_once(serving: Callable[[], TestClient]) -> None:
    one, other = serving(), serving()
    posted = [
        event("n0", "ann", "orbit of a comet", event_type="post"),
        event("n1", "new", "nebula", -5, event_type="post"),
    ]
    assert post(one, *posted) == ["accepted", "accepted"]
    assert post(other, *posted) == ["duplicate", "duplicate"]
    assert post(one, {**event("a3", "ann", "goal keeper number 3"), "event_type": "post"}) == ["duplicate"]  # corpus
    for client in (one, other):
        until(lambda client=client: (n_events(client, "ann"), n_events(client, "new")) == (31, 1))  # type: ignore[misc]
        found = client.get("/v1/users/ben/recommendations?k=50&exclude_seen=false").json()["items"]
        assert {"n0", "n1"} <= {item["item_id"] for item in found}
        explained = client.get("/v1/users/ann/recommendations?k=3&explain=true&exclude_seen=false").json()["items"]
        assert any(part["event_id"] == "n0" for item in explained for part in item["explanation"]["events"])


def test_served_is_what_a_build_over_everything_gives(serving: Callable[[], TestClient], tmp_path: Path) -> None:
    client = serving()
    new = [("n0", "ann", "an orbit", 0.0), ("n1", "ben", "rye bread", -20.0), ("n2", "ann", "a late goal", -39.5)]
    assert set(post(client, *(event(i, u, t, days, event_type="post") for i, u, t, days in new))) == {"accepted"}
    until(lambda: (n_events(client, "ann"), n_events(client, "ben")) == (32, 3))
    rebuilt = Workspace(tmp_path / "rebuilt")
    everything = [*ROWS, *(row(i, u, NOW_US + int(days * DAY_US), t) for i, u, t, days in new)]
    write_base(rebuilt, everything, bios={"ben": "a baker"})
    embed_and_build(rebuilt)
    judge = TestClient(make_api(Engine.open(rebuilt, neighbor_cache_bytes=0)))
    for user_id in ("ann", "ben", "cy"):
        for half_life in ("1d", "300d"):
            path = f"/v1/users/{user_id}/profile?half_life={half_life}&vector=true"
            served, right = (asked.get(path).json() for asked in (client, judge))
            assert [served[k] for k in ("as_of", "n_events", "first_event_at", "last_event_at")] == [
                right[k] for k in ("as_of", "n_events", "first_event_at", "last_event_at")
            ]
            assert served["mass"] == pytest.approx(right["mass"], rel=1e-6)
            a, b = _vector(served["vector"]), _vector(right["vector"])
            assert a @ b >= 0.999999 * np.linalg.norm(a) * np.linalg.norm(b)
            assert np.linalg.norm(a - b) <= served["error_bound"] + right["error_bound"] + 1e-5


def _vector(encoded: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.frombuffer(base64.b64decode(encoded), "<f4")


def test_the_erased_are_in_no_answer_at_once(serving: Callable[[], TestClient]) -> None:
    client = serving()
    post(client, event("n0", "cy", "a comet", event_type="post"))
    until(lambda: n_events(client, "cy") == 2)
    export = client.get("/v1/users/cy/export").json()
    assert [e["event_id"] for e in export["live_events"]] == ["n0"]
    assert [e["event_id"] for e in export["snapshot"]["events"]] == ["c0"]
    neighbors = client.get("/v1/users/ann/neighbors?half_life=300d").json()["neighbors"]
    assert "cy" in {n["user_id"] for n in neighbors}
    assert client.delete("/v1/users/cy").json()["n_events_removed"] == 1
    assert n_events(client, "cy") == -1
    assert client.get("/v1/users/cy/export").status_code == 404
    assert client.get("/v1/users/cy/neighbors").status_code == 404
    neighbors = client.get("/v1/users/ann/neighbors?half_life=300d").json()["neighbors"]
    assert "cy" not in {n["user_id"] for n in neighbors}
    found = client.get("/v1/users/ann/recommendations?k=100&exclude_seen=false").json()["items"]
    assert not {"n0", "c0"} & {item["item_id"] for item in found}
    assert "cy" not in {item["author_id"] for item in found}
    refused = client.post("/v1/events", json=event("n9", "cy", "again", event_type="post"))
    assert refused.status_code == 422


def test_an_erased_event_leaves_the_sums_too(serving: Callable[[], TestClient]) -> None:
    client = serving()
    before = client.get("/v1/users/ann/profile?vector=true").json()
    post(client, event("n0", "ann", "a comet", -30, event_type="post"))
    until(lambda: n_events(client, "ann") == 31)
    assert client.delete("/v1/events/n0").json()["removed"]
    assert n_events(client, "ann") == 30
    after = client.get("/v1/users/ann/profile?vector=true&as_of=" + before["as_of"].replace("+", "%2B")).json()
    np.testing.assert_allclose(_vector(after["vector"]), _vector(before["vector"]), atol=1e-5)
    assert client.delete("/v1/events/a7").json()["removed"] in (True, False)  # the log never had it
    assert n_events(client, "ann") == 29  # but the corpus did


def test_a_replica_that_starts_later_knows_what_the_log_has(serving: Callable[[], TestClient]) -> None:
    one = serving()
    post(one, event("n0", "ben", "a comet", event_type="post"))
    until(lambda: n_events(one, "ben") == 3)
    later = serving()
    assert n_events(later, "ben") == 3
    ids = {i["item_id"] for i in later.get("/v1/users/ann/recommendations?k=100").json()["items"]}
    assert "n0" in ids
