"""Live events over HTTP: what is promised is in the log, what is refused says why, what is erased is gone."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from dynprof.errors import LiveLogError
from dynprof.live.log import LiveEvent
from dynprof.live.sqlite_log import SqliteLog
from serve.access import parse_tokens
from serve.api import make_api
from serve.live import LiveLimits, LiveService

NOW = 1_790_000_000.0
LIMITS = LiveLimits(body_bytes=20_000, events=50, waiting_events=60)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "events.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def make_client(log: SqliteLog) -> Callable[..., TestClient]:
    def make(**options: Any) -> TestClient:
        live = LiveService(log, **{"limits": LIMITS, "clock": lambda: NOW, **options})
        return TestClient(make_api(None, live=live), raise_server_exceptions=False)

    return make


@pytest.fixture
def client(make_client: Callable[..., TestClient]) -> TestClient:
    return make_client()


def event(number: int, **changes: Any) -> dict[str, Any]:
    return {"event_id": f"e{number}", "user_id": "ann", "timestamp": 1_700_000_000, "text": f"text {number}", **changes}


def ids_of(log: SqliteLog) -> list[str]:
    return [c.event.event_id for c in log.read(0, 10_000) if c.event is not None]


def error_of(response: Any) -> tuple[int, str, str | None]:
    body = response.json()
    assert list(body) == ["error"] and sorted(body["error"]) == ["code", "message", "parameter"]
    return response.status_code, body["error"]["code"], body["error"]["parameter"]


@pytest.mark.parametrize("wrap", [lambda e: e[0], lambda e: e, lambda e: {"events": e}], ids=["one", "list", "events"])
def test_one_event_a_list_or_a_list_under_events_is_accepted(
    client: TestClient, log: SqliteLog, wrap: Callable[[list[Any]], Any]
) -> None:
    response = client.post("/v1/events", json=wrap([event(1)]))
    assert response.status_code == 202
    accepted = {"event_id": "e1", "status": "accepted", "code": None, "reason": None}
    assert response.json() == {"n_accepted": 1, "n_duplicate": 0, "n_rejected": 0, "outcomes": [accepted]}
    assert ids_of(log) == ["e1"]


def test_each_event_of_a_batch_has_its_outcome_in_order(client: TestClient, log: SqliteLog) -> None:
    client.post("/v1/events", json=event(3))
    batch = [event(1), event(2, timestamp=NOW + 400), event(1), 7, event(3), event(4, weight="heavy"), event(5)]
    answer = client.post("/v1/events", json=batch).json()
    found = [(o["event_id"], o["status"], o["code"]) for o in answer["outcomes"]]
    assert found == [
        ("e1", "accepted", None),
        ("e2", "rejected", "timestamp_in_future"),
        ("e1", "duplicate", None),
        (None, "rejected", "not_an_object"),
        ("e3", "duplicate", None),
        ("e4", "rejected", "weight_not_finite"),
        ("e5", "accepted", None),
    ]
    assert (answer["n_accepted"], answer["n_duplicate"], answer["n_rejected"]) == (2, 2, 3)
    assert ids_of(log) == ["e3", "e1", "e5"]


def test_what_was_answered_202_is_in_the_file_whatever_happens_then(client: TestClient, log: SqliteLog) -> None:
    client.post("/v1/events", json=[event(n) for n in range(20)])
    other = SqliteLog(log._file.path)  # another process; nothing was closed in this one
    assert len(ids_of(other)) == 20
    other.close()


def test_nan_and_bytes_that_are_no_text_cost_one_event_not_the_batch(client: TestClient, log: SqliteLog) -> None:
    bodies = [
        json.dumps([event(1, weight=float("nan")), event(2)]).encode(),
        b"["
        + json.dumps(event(3, text="XX")).encode().replace(b"XX", b"\xff\xfe")
        + b","
        + json.dumps(event(4)).encode()
        + b"]",
        json.dumps([event(5, text="half \ud83d"), event(6)]).encode(),
    ]
    codes = [[o["code"] for o in client.post("/v1/events", content=body).json()["outcomes"]] for body in bodies]
    assert codes == [["weight_not_finite", None], ["text_not_unicode", None], ["text_not_unicode", None]]
    assert ids_of(log) == ["e2", "e4", "e6"]


def test_one_event_posted_alone_that_is_rejected_is_422_with_its_reason(client: TestClient, log: SqliteLog) -> None:
    response = client.post("/v1/events", json=event(1, timestamp="soon"))
    assert error_of(response) == (422, "timestamp_unreadable", "body")
    assert "found 'soon'" in response.json()["error"]["message"]
    assert ids_of(log) == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b'"text"', b"7", b"null", b"[" * 100_000, b"\x80\x04\x95", b"[1" + b"0" * 5000 + b"]"],
)
def test_what_is_no_batch_of_events_is_422_or_413(client: TestClient, body: bytes) -> None:
    response = client.post("/v1/events", content=body)
    assert error_of(response) in [(422, "invalid_body", "body"), (413, "body_too_large", "body")]


def test_an_empty_batch_is_a_batch(client: TestClient) -> None:
    response = client.post("/v1/events", json=[])
    assert (response.status_code, response.json()["outcomes"]) == (202, [])


def test_a_body_or_a_batch_that_is_too_large_is_413_and_nothing_of_it_is_taken(
    client: TestClient, log: SqliteLog
) -> None:
    assert error_of(client.post("/v1/events", json=[event(n) for n in range(51)])) == (413, "too_many_events", "events")
    assert error_of(client.post("/v1/events", json=event(1, text="x" * 20_000))) == (413, "body_too_large", "body")
    chunks = (part for part in [b"[" + b" " * 15_000, b" " * 15_000 + b"]"])  # no length in its header
    assert error_of(client.post("/v1/events", content=chunks)) == (413, "body_too_large", "body")
    assert ids_of(log) == []


def test_too_many_events_that_wait_are_429_with_a_time_to_come_back(
    make_client: Callable[..., TestClient],
) -> None:
    held, release = threading.Event(), threading.Event()

    def hold(_: Any) -> set[int]:
        held.set()
        assert release.wait(30)
        return set()

    client = make_client(known=hold)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v1/events", json=[event(n) for n in range(50)])
        assert held.wait(30)
        response = client.post("/v1/events", json=[event(n) for n in range(50, 70)])
        assert error_of(response) == (429, "too_many_waiting", None) and response.headers["retry-after"] == "1"
        release.set()
        assert first.result().status_code == 202
    assert client.post("/v1/events", json=[event(n) for n in range(50, 70)]).json()["n_accepted"] == 20


def test_an_event_that_the_corpus_has_is_a_duplicate_and_not_in_the_log(
    make_client: Callable[..., TestClient], log: SqliteLog
) -> None:
    def known(events: list[LiveEvent]) -> set[int]:
        return {i for i, e in enumerate(events) if e.event_id == "e2"}

    answer = make_client(known=known).post("/v1/events", json=[7, event(1), event(2), event(3)]).json()
    assert [o["status"] for o in answer["outcomes"]] == ["rejected", "accepted", "duplicate", "accepted"]
    assert ids_of(log) == ["e1", "e3"]


def test_a_log_that_cannot_be_written_is_503_and_does_not_say_where_it_lies(client: TestClient, log: SqliteLog) -> None:
    log.close()
    for response in (client.post("/v1/events", json=event(1)), client.delete("/v1/users/ann")):
        assert error_of(response) == (503, "log_unavailable", None)
        assert "sqlite" not in response.text and response.headers["retry-after"] == "1"


def test_without_a_log_live_routes_are_503() -> None:
    client = TestClient(make_api(None))
    for ask in (
        client.post("/v1/events", json=event(1)),
        client.delete("/v1/users/a"),
        client.get("/v1/users/a/export"),
    ):
        assert error_of(ask) == (503, "not_ready", None)


@pytest.mark.parametrize("user_id", ["ann", "a/b", "Ünï 😀", "100%", "a\nb", "export"])
def test_an_erased_user_is_gone_and_stays_gone(client: TestClient, log: SqliteLog, user_id: str) -> None:
    client.post("/v1/events", json=[event(1, user_id=user_id), event(2, user_id=user_id), event(3, user_id="other")])
    url = f"/v1/users/{quote(user_id, safe='')}"
    assert client.delete(url).json() == {"user_id": user_id, "n_events_removed": 2}
    assert client.delete(url).json() == {"user_id": user_id, "n_events_removed": 0}
    assert error_of(client.get(f"{url}/export")) == (404, "unknown_user", "user_id")
    answer = client.post("/v1/events", json=[event(4, user_id=user_id), event(5, user_id="other")]).json()
    assert [(o["status"], o["code"]) for o in answer["outcomes"]] == [("rejected", "user_erased"), ("accepted", None)]
    assert ids_of(log) == ["e3", "e5"]


def test_an_erased_event_is_gone_and_its_id_is_never_taken_again(client: TestClient, log: SqliteLog) -> None:
    client.post("/v1/events", json=[event(1, event_id="a/b"), event(2)])
    assert client.delete("/v1/events/a%2Fb").json() == {"event_id": "a/b", "removed": True}
    assert client.delete("/v1/events/never seen").json() == {"event_id": "never seen", "removed": False}
    answer = client.post("/v1/events", json=[event(1, event_id="a/b"), event(3, event_id="never seen")]).json()
    assert answer["n_duplicate"] == 2 and ids_of(log) == ["e2"]


@pytest.mark.parametrize("what", ["users", "events"])
def test_an_empty_id_is_422(client: TestClient, what: str) -> None:
    assert error_of(client.delete(f"/v1/{what}/")) == (422, "invalid_parameter", f"{what[:-1]}_id")


def test_an_export_holds_what_was_posted_and_what_the_snapshot_has(make_client: Callable[..., TestClient]) -> None:
    def snapshot_of(user_id: str) -> dict[str, Any] | None:
        return {"bio": "stars"} if user_id == "ann" else None

    client = make_client(snapshot_of=snapshot_of)
    client.post(
        "/v1/events", json=[event(1, language="en", weight=2), event(2, user_id="bob", item_id=7, event_type="rt")]
    )
    posted = {"event_id": "e1", "timestamp": "2023-11-14T22:13:20Z", "event_type": "post", "item_id": "e1"}
    kept = {**posted, "text": "text 1", "weight": 2.0, "language": "en"}
    export = client.get("/v1/users/ann/export").json()
    assert export == {"user_id": "ann", "live_events": [kept], "snapshot": {"bio": "stars"}}
    bob = client.get("/v1/users/bob/export").json()
    assert bob["snapshot"] is None and bob["live_events"][0]["event_type"] == "retweet"
    assert error_of(client.get("/v1/users/nobody/export")) == (404, "unknown_user", "user_id")


def test_whoever_wants_to_know_is_told_of_every_change_and_of_nothing_else(
    make_client: Callable[..., TestClient],
) -> None:
    told: list[int] = []
    client = make_client(on_change=[lambda: told.append(1)])
    client.post("/v1/events", json=event(1))
    client.post("/v1/events", json=event(1))
    client.post("/v1/events", json=event(2, timestamp="soon"))
    client.get("/v1/users/ann/export")
    assert len(told) == 1
    client.delete("/v1/events/e1")
    client.delete("/v1/users/ann")
    assert len(told) == 3


def test_readers_are_told_of_an_erasure_whose_bytes_could_not_be_removed(
    make_client: Callable[..., TestClient], log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy() -> None:
        raise LiveLogError("another process reads")

    told: list[int] = []
    client = make_client(on_change=[lambda: told.append(1)])
    client.post("/v1/events", json=event(1))
    monkeypatch.setattr(log._file, "scrub", busy)
    assert error_of(client.delete("/v1/users/ann")) == (503, "log_unavailable", None)
    assert len(told) == 2 and ids_of(log) == []
    monkeypatch.undo()
    assert client.delete("/v1/users/ann").status_code == 200


def test_requests_that_come_together_count_every_event_once(
    make_client: Callable[..., TestClient], log: SqliteLog
) -> None:
    client = make_client(limits=LiveLimits())
    batches = [[event((7 * n + start) % 100) for n in range(25)] for start in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = [r.json() for r in pool.map(lambda batch: client.post("/v1/events", json=batch), batches)]
    posted = {e["event_id"] for batch in batches for e in batch}
    assert sum(answer["n_accepted"] for answer in answers) == len(posted)
    assert sorted(ids_of(log)) == sorted(posted)


def test_writing_and_erasing_take_the_scope_write_and_an_export_admin(log: SqliteLog) -> None:
    tokens = {scope: f"the-token-for-{scope}-only" for scope in ("admin", "write")}
    access = parse_tokens("\n".join(f"{scope} {scope} {token}" for scope, token in tokens.items()), source="test")
    client = TestClient(make_api(None, access=access, live=LiveService(log, clock=lambda: NOW)))
    asked = [
        ("POST", "/v1/events", "write"),
        ("DELETE", "/v1/events/e1", "write"),
        ("DELETE", "/v1/users/bob", "write"),
    ]
    for method, path, scope in [*asked, ("GET", "/v1/users/ann/export", "admin")]:
        statuses = {}
        for name in ("", *tokens):
            headers = {"authorization": f"Bearer {tokens[name]}"} if name else {}
            body = json.dumps([event(2)]).encode() if method == "POST" else None
            statuses[name] = client.request(method, path, headers=headers, content=body).status_code
        refused = {"": 401, "admin": 403, "write": 403}
        assert {n: s for n, s in statuses.items() if n != scope} == {n: s for n, s in refused.items() if n != scope}
        assert statuses[scope] in (200, 202)


def test_the_interface_says_what_may_be_posted_and_what_may_go_wrong(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    post = paths["/v1/events"]["post"]
    one, many, wrapped = post["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert set(one["required"]) == {"user_id", "timestamp"} and many["items"] == one
    assert wrapped["properties"]["events"] == many
    assert {"202", "413", "422", "429", "500", "503"} <= set(post["responses"])
    assert "/v1/users/{user_id}" in paths and "/v1/events/{event_id}" in paths
