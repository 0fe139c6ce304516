"""Every error has the one body, the status that fits and the name of the parameter at fault."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from fastapi.testclient import TestClient
from serving_world import HEAVY, World, make_world

from serve.api import make_api
from serve.engine import Engine

BAD = [
    ("profile", "kind", "sigmoid"),
    ("profile", "kind", ""),
    ("profile", "half_life", "30"),
    ("profile", "half_life", "0d"),
    ("profile", "half_life", "-1d"),
    ("profile", "half_life", "1e400d"),
    ("profile", "half_life", "101y"),
    ("profile", "offset", "3"),
    ("profile", "offset", "101y"),
    ("profile", "floor", "1.5"),
    ("profile", "floor", "nan"),
    ("profile", "vector", "json"),
    ("profile", "as_of", "yesterday"),
    ("profile", "as_of", "1969-12-31"),
    ("profile", "as_of", "0001-01-01T00:00:00+14:00"),
    ("profile", "as_of", "9999-12-31T23:59:59-14:00"),
    ("profile", "halflife", "30d"),
    ("profile", "k", "3"),
    ("neighbors", "k", "0"),
    ("neighbors", "k", "1001"),
    ("neighbors", "k", "ten"),
    ("neighbors", "half_life", "soon"),
    ("neighbors", "as_of", "2024-01-01"),
    ("recommendations", "k", "-1"),
    ("recommendations", "metric", "dot"),
    ("recommendations", "item_half_life", "0.5s"),
    ("recommendations", "exclude_seen", "perhaps"),
    ("recommendations", "exclude_sen", "false"),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    world: World = make_world(tmp_path_factory.mktemp("errors"))
    return Engine.open(world.workspace, neighbor_cache_bytes=0)


@pytest.fixture
def client(engine: Engine) -> TestClient:
    return TestClient(make_api(engine))


def error_of(response: Any) -> dict[str, Any]:
    """The error, after a check that the body holds that and nothing else."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"] and sorted(body["error"]) == ["code", "message", "parameter"]
    error: dict[str, Any] = body["error"]
    return error


@pytest.mark.parametrize(("what", "name", "value"), BAD)
def test_a_bad_or_unknown_parameter_is_422_and_named(client: TestClient, what: str, name: str, value: str) -> None:
    response = client.get(f"/v1/users/a/{what}", params={name: value})
    error = error_of(response)
    assert (response.status_code, error["code"], error["parameter"]) == (422, "invalid_parameter", name)
    assert error["message"].startswith(f"{name}: ")


@pytest.mark.parametrize("what", ["profile", "neighbors", "timeline"])
@pytest.mark.parametrize("user_id", ["nobody", "", "a/b/c", "%FF%FE", "%00", "x" * 4000])
def test_an_unknown_user_is_404_and_named(client: TestClient, what: str, user_id: str) -> None:
    response = client.get(f"/v1/users/{user_id}/{what}")
    error = error_of(response)
    assert (response.status_code, error["code"], error["parameter"]) == (404, "unknown_user", "user_id")


@pytest.mark.parametrize("what", ["profile", "recommendations"])
def test_a_time_before_what_the_sums_hold_is_422_and_names_as_of(client: TestClient, what: str) -> None:
    response = client.get(f"/v1/users/{HEAVY}/{what}", params={"as_of": "2024-02-01T00:00:00Z"})
    error = error_of(response)
    assert (response.status_code, error["code"], error["parameter"]) == (422, "as_of_too_early", "as_of")
    assert "2024-04-28" in error["message"]


@pytest.mark.parametrize("path", ["/none", "/v1/user", "/v1/users/a", "/v1/users/a/profile/", "/v2/users/a/profile"])
def test_a_path_that_is_no_route_is_404_with_the_same_body(client: TestClient, path: str) -> None:
    response = client.get(path, follow_redirects=False)
    assert (response.status_code, error_of(response)["code"]) == (404, "not_found")


def test_another_method_is_405_and_says_which_is_allowed(client: TestClient) -> None:
    response = client.post("/v1/users/a/profile")
    assert (response.status_code, error_of(response)["code"]) == (405, "method_not_allowed")
    assert response.headers["allow"] == "GET"


def test_a_defect_is_500_without_a_trace_in_the_answer_and_with_one_in_the_log(
    engine: Engine, client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(engine.store), "user", fail)
    with caplog.at_level(logging.ERROR, "dynprof.serve"):
        response = client.get("/v1/users/a/profile")
    assert (response.status_code, error_of(response)["code"]) == (500, "internal_error")
    assert "secret" not in response.text and "Traceback" not in response.text
    assert "secret detail" in caplog.text


def test_without_a_snapshot_only_live_is_200() -> None:
    client = TestClient(make_api(None))
    assert client.get("/health/live").status_code == 200
    for path in ("/health/ready", "/v1/users/a/profile", "/v1/users/a/neighbors", "/v1/users/a/recommendations"):
        response = client.get(path)
        assert (response.status_code, error_of(response)["code"]) == (503, "not_ready")
