"""Access and limits over HTTP: scopes, sizes, rates, metrics."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient
from serving_world import HEAVY, World, make_world

from serve.access import OPEN, SCOPES, parse_tokens
from serve.api import make_api
from serve.engine import Engine
from serve.gate import Limits

from .asking import error_of

TOKEN = {scope: f"the-token-for-{scope}-only" for scope in SCOPES}
ACCESS = parse_tokens(
    "\n".join([f"{s} {s} {t}" for s, t in TOKEN.items()]) + "\nboth read,vectors token-for-both-of-them", source="test"
)
ARROW = {"accept": "application/vnd.apache.arrow.stream"}

Client = Callable[[str | None], TestClient]

READING = [
    ("GET", "/v1/users/a/profile"),
    ("GET", "/v1/users/a/neighbors"),
    ("GET", "/v1/users/a/recommendations"),
    ("GET", "/v1/users/a/timeline"),
    ("GET", "/v1/items/shared/similar"),
    ("POST", "/v1/profile"),
    ("POST", "/v1/recommendations"),
    ("GET", "/v1/snapshot"),
    ("GET", "/metrics"),
]
BODY = {"user_ids": ["a"]}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    world: World = make_world(tmp_path_factory.mktemp("access"))
    return Engine.open(world.workspace, neighbor_cache_bytes=0)


@pytest.fixture(scope="module")
def client(engine: Engine) -> Client:
    api = make_api(engine, access=ACCESS)

    def with_token(token: str | None) -> TestClient:
        return TestClient(api, headers={} if token is None else {"authorization": f"Bearer {token}"})

    return with_token


@pytest.mark.parametrize(("method", "path"), READING)
def test_reading_takes_the_scope_read(client: Client, method: str, path: str) -> None:
    body = BODY if method == "POST" else None
    for token, status, code in ((None, 401, "unauthorized"), ("wrong-wrong-wrong", 401, "unauthorized")):
        response = client(token).request(method, path, json=body)
        assert (response.status_code, error_of(response)["code"]) == (status, code)
        assert response.headers["www-authenticate"] == "Bearer"
    for scope in ("write", "admin", "vectors"):
        response = client(TOKEN[scope]).request(method, path, json=body)
        assert (response.status_code, error_of(response)["code"]) == (403, "forbidden")
        assert TOKEN[scope] not in response.text
    assert client(TOKEN["read"]).request(method, path, json=body).status_code == 200


@pytest.mark.parametrize("ask", ["vector=true", "arrow", "post", "post arrow"])
def test_a_vector_takes_a_scope_of_its_own(client: Client, ask: str) -> None:
    headers = ARROW if "arrow" in ask else {}
    for token, status in ((TOKEN["read"], 403), ("token-for-both-of-them", 200)):
        if "post" in ask:
            body = {**BODY, "vector": "arrow" not in ask}
            response = client(token).post("/v1/profile", json=body, headers=headers)
        else:
            response = client(token).get(
                f"/v1/users/a/profile?{ask}" if not headers else "/v1/users/a/profile", headers=headers
            )
        assert response.status_code == status


def test_reloading_takes_the_scope_admin(client: Client, engine: Engine) -> None:
    body = {"snapshot": engine.store.name}
    for scope, status in (("read", 403), ("write", 403), ("admin", 200)):
        assert client(TOKEN[scope]).post("/v1/snapshot/reload", json=body).status_code == status


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/docs", "/openapi.json"])
def test_health_and_the_interface_take_no_token(client: Client, path: str) -> None:
    assert client(None).get(path).status_code == 200


def test_nobody_learns_without_a_token_which_users_there_are(client: Client) -> None:
    for user_id in ("a", "nobody", HEAVY):
        for query in ("", "?half_life=x"):
            assert client(None).get(f"/v1/users/{user_id}/profile{query}").status_code == 401


def chunks(n_bytes: int) -> Iterator[bytes]:
    """A body whose length nobody announces."""
    for _ in range(0, n_bytes, 1000):
        yield b" " * 1000


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_is_too_large_is_413(engine: Engine, announced: bool) -> None:
    client = TestClient(make_api(engine, limits=Limits(body_bytes=5000)))
    content = b" " * 6000 if announced else chunks(6000)
    response = client.post("/v1/profile", content=content, headers={"content-type": "application/json"})
    assert (response.status_code, error_of(response)["code"]) == (413, "body_too_large")
    assert client.post("/v1/profile", json=BODY).status_code == 200


def test_who_asks_too_often_gets_429_and_is_told_when_to_come_back(engine: Engine) -> None:
    api = make_api(engine, access=ACCESS, limits=Limits(requests_per_s=0.01, burst=3))
    reader, other = (TestClient(api, headers={"authorization": f"Bearer {t}"}) for t in (TOKEN["read"], TOKEN["admin"]))
    assert [reader.get("/v1/snapshot").status_code for _ in range(4)] == [200, 200, 200, 429]
    response = reader.get("/v1/users/a/profile")
    assert (response.status_code, error_of(response)["code"]) == (429, "too_many_requests")
    assert 1 <= int(response.headers["retry-after"]) <= 100
    assert other.get("/v1/snapshot").status_code == 403  # a caller of its own
    assert [reader.get(path).status_code for path in ("/health/live", "/docs")] == [200, 200]
    assert [TestClient(api).get("/v1/snapshot").status_code for _ in range(4)] == [401, 401, 401, 429]


def test_metrics_count_answers_by_route_and_name_the_snapshot(engine: Engine) -> None:
    client = TestClient(make_api(engine, access=OPEN))
    for path in ("/v1/users/a/profile", "/v1/users/a/b/profile", "/v1/users/nobody/profile", "/guess/what"):
        client.get(path)
    client.request("BREW", "/v1/snapshot")
    text = client.get("/metrics").text
    route = 'method="GET",replica="",route="/v1/users/{user_id:any_id}/profile"'
    assert f'dynprof_request_seconds_count{{{route},status="200"}} 2.0' in text
    assert f'dynprof_request_seconds_count{{{route},status="404"}} 1.0' in text
    assert 'method="GET",replica="",route="none",status="404"' in text
    assert f'dynprof_snapshot{{replica="",snapshot="{engine.store.name}"}} 1.0' in text
    assert f'dynprof_items{{replica=""}} {float(len(engine.items))}' in text
    assert "guess" not in text and "BREW" not in text and "nobody" not in text


def test_a_defect_is_counted_and_answered_without_a_trace(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(engine.store), "user", fail)
    client = TestClient(make_api(engine))
    logging.getLogger("dynprof.serve").setLevel(logging.CRITICAL)
    for response in (client.get("/v1/users/a/timeline"), client.post("/v1/recommendations", json=BODY)):
        assert (response.status_code, error_of(response)["code"]) == (500, "internal_error")
        assert "secret" not in response.text
    logging.getLogger("dynprof.serve").setLevel(logging.NOTSET)
    assert 'status="500"} 1.0' in client.get("/metrics").text
