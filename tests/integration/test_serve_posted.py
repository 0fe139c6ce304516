"""Posted questions: a visitor whom nobody knows, and many users at once."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from serving_world import AS_OF_US, BIO_ONLY, ENCODER, HEAVY, World, make_world

from dynprof.encoders import load_encoder
from dynprof.snapshot import format_time_us
from serve.api import make_api
from serve.engine import Engine
from serve.text_encoder import TextEncoder

from .asking import Asking, error_of, vector_of

ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("posted"))


@pytest.fixture(scope="module")
def engine(world: World) -> Engine:
    return Engine.open(world.workspace, neighbor_cache_bytes=1 << 20)


@pytest.fixture(scope="module")
def ask(engine: Engine) -> Asking:
    return Asking(TestClient(make_api(engine)))


def posted_history(world: World, user_id: str) -> list[dict[str, Any]]:
    """What a user of the snapshot did, as a visitor would post it, in another order."""
    mine = [e for e in world.events.to_pylist() if e["user_id"] == user_id]
    keys = ("text", "weight", "event_type")
    return [{**{k: e[k] for k in keys}, "timestamp": e["timestamp"].isoformat()} for e in reversed(mine)]


@pytest.mark.parametrize("user_id", ["a/b", HEAVY])
def test_a_posted_history_is_profiled_and_served_as_the_user_who_has_it(
    world: World, ask: Asking, user_id: str
) -> None:
    asked = {"half_life": "13d", "as_of": format_time_us(AS_OF_US)}
    (result,) = ask.post("/v1/profile", history=posted_history(world, user_id), vector=True, **asked)["results"]
    known = ask.user(user_id, "profile", vector=True, **asked)
    answer = result["answer"]
    assert result["user_id"] is None and result["error"] is None and answer["error_bound"] == 0
    assert np.linalg.norm(vector_of(answer) - vector_of(known)) <= known["error_bound"] + 1e-3  # stored ones are fp16
    assert (answer["n_events"], answer["mass"]) == (known["n_events"], pytest.approx(known["mass"], rel=1e-3))
    (result,) = ask.post("/v1/recommendations", history=posted_history(world, user_id), k=5, **asked)["results"]
    expected = ask.user(user_id, "recommendations", k=5, **asked)["items"]
    scores = [[i["score"] for i in items] for items in (result["answer"]["items"], expected)]
    assert scores[0] == pytest.approx(scores[1], abs=2e-3)


def test_known_items_need_no_encoder_and_unknown_ones_count_for_nothing(ask: Asking, engine: Engine) -> None:
    events = [{"item_id": "heavy-3"}, {"item_id": "nonesuch"}, {"item_id": "heavy-3", "weight": -0.25}]
    (result,) = ask.post("/v1/profile", history=events, vector=True, as_of=format_time_us(AS_OF_US))["results"]
    assert (result["answer"]["n_events"], result["answer"]["mass"]) == (2, pytest.approx(1.25))
    item, kappa = engine.items.find_items(["heavy-3"]).vectors[0], engine.users.prior_weight
    expected = (0.75 * item + kappa * engine.users.population) / (1.25 + kappa)
    np.testing.assert_allclose(vector_of(result["answer"]), expected, atol=1e-6)


def test_without_the_encoder_only_new_texts_fail(world: World, engine: Engine) -> None:
    broken = TextEncoder({"encoder": "hashing:none", "fingerprint": world.spec.fingerprint})
    client = TestClient(make_api(Engine(**{**vars(engine), "text_encoder": broken})))
    assert client.post("/v1/profile", json={"history": [{"text": "orbit 3"}, {"item_id": "shared"}]}).status_code == 200
    for body in ({"history": [{"text": "never seen before"}]}, {"history": [], "bio": "never seen before"}):
        response = client.post("/v1/profile", json=body)
        assert (response.status_code, error_of(response)["code"]) == (503, "encoder_unavailable")
        assert "Traceback" not in response.text
    other = TextEncoder({"encoder": "hashing:32", "fingerprint": world.spec.fingerprint})
    client = TestClient(make_api(Engine(**{**vars(engine), "text_encoder": other})))
    assert client.post("/v1/profile", json={"history": [{"text": "never seen before"}]}).status_code == 503


def test_the_bio_of_a_visitor_is_the_prior(ask: Asking) -> None:
    (result,) = ask.post("/v1/profile", history=[], bio="bread and butter", vector=True)["results"]
    answer = result["answer"]
    assert (answer["basis"], answer["prior"], answer["n_events"]) == ("bio", "bio", 0)
    np.testing.assert_allclose(vector_of(answer), load_encoder(ENCODER).encode(["bread and butter"])[0], atol=1e-6)
    (result,) = ask.post("/v1/recommendations", history=[], bio="bread and butter")["results"]
    assert result["answer"]["cold_start"] == "bio"
    (result,) = ask.post("/v1/recommendations", history=[], bio="https://t.co/x")["results"]
    assert result["answer"]["cold_start"] == "popular"  # nothing is left of it


def test_the_time_is_just_after_the_last_posted_event_and_not_before_the_snapshot(ask: Asking) -> None:
    (old,) = ask.post("/v1/profile", history=[{"text": "orbit 1", "timestamp": "2024-01-01"}])["results"]
    assert old["answer"]["as_of"] == format_time_us(AS_OF_US).replace("+00:00", "Z")
    (new,) = ask.post("/v1/profile", history=[{"text": "orbit 1", "timestamp": "2025-01-01"}, {"text": "x"}])["results"]
    assert new["answer"]["as_of"] == "2025-01-01T00:00:00.000001Z"
    assert new["answer"]["age_bands"][0]["n_events"] == 2


def test_what_a_visitor_has_seen_is_not_recommended(ask: Asking) -> None:
    history = [{"text": "orbit 3"}, {"item_id": "shared"}]
    for exclude, expected in ((True, set()), (False, {"orbit 3", "everyone: the derby"})):
        body = {"history": history, "metric": "cosine", "k": 1000, "exclude_seen": exclude}
        (result,) = ask.post("/v1/recommendations", **body)["results"]
        texts = {i["text"] for i in result["answer"]["items"]}
        assert texts & {"orbit 3", "everyone: the derby"} == expected


def test_a_posted_history_is_explained_by_its_events(ask: Asking) -> None:
    history = [{"text": "orbit lander comet"}, {"text": "bread butter salt", "weight": -1}]
    (result,) = ask.post("/v1/recommendations", history=history, metric="cosine", k=3, explain=True)["results"]
    for item in result["answer"]["items"]:
        why = item["explanation"]
        assert {e["text"] for e in why["events"]} <= {"orbit lander comet", "bread butter salt"}
        assert why["score"] == pytest.approx(item["score"], abs=1e-5)
        assert all(e["event_id"] is None for e in why["events"])


def test_many_users_get_what_each_would_get_alone_in_their_order(ask: Asking) -> None:
    user_ids = ["a/b", "nobody", HEAVY, BIO_ONLY, "a/b"]
    profiles = ask.post("/v1/profile", user_ids=user_ids, half_life="3d", vector=True)["results"]
    assert [r["user_id"] for r in profiles] == user_ids
    for user_id, result in zip(user_ids, profiles, strict=True):
        if user_id == "nobody":
            assert result["answer"] is None and result["error"]["code"] == "unknown_user"
        else:
            assert result["answer"] == ask.user(user_id, "profile", half_life="3d", vector=True)
    recommended = ask.post("/v1/recommendations", user_ids=user_ids, k=4)["results"]
    for user_id, result in zip(user_ids, recommended, strict=True):
        assert result["answer"] == ask.user(user_id, "recommendations", k=4)


def test_who_cannot_be_read_then_has_an_error_in_their_place(ask: Asking) -> None:
    body = {"user_ids": ["a", HEAVY], "as_of": "2024-02-01T00:00:00Z"}
    for path in ("/v1/profile", "/v1/recommendations"):
        first, second = ask.post(path, **body)["results"]
        assert first["error"] is None and second["answer"] is None
        assert (second["error"]["code"], second["error"]["parameter"]) == ("as_of_too_early", "as_of")


def test_an_empty_id_has_an_error_in_its_place(ask: Asking) -> None:
    first, second = ask.post("/v1/recommendations", user_ids=["", "a"])["results"]
    assert first["error"]["code"] == "unknown_user" and second["error"] is None


def test_many_vectors_come_as_one_arrow_stream(ask: Asking) -> None:
    response = ask.client.post("/v1/profile", json={"user_ids": ["a", "nobody", HEAVY]}, headers={"accept": ARROW})
    table = pa.ipc.open_stream(response.content).read_all()
    assert table["user_id"].to_pylist() == ["a", HEAVY]
    assert table["vector"].to_pylist()[0] == vector_of(ask.user("a", "profile", vector=True)).tolist()


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({}, "user_ids"),
        ({"user_ids": ["a"], "history": []}, "user_ids"),
        ({"user_ids": []}, "user_ids"),
        ({"user_ids": ["a"] * 101}, "user_ids"),
        ({"user_ids": ["\ud800"]}, "user_ids.0"),
        ({"user_ids": ["a"], "\ud800": 1}, "body"),
        ({"history": [{"text": "\udfff"}]}, "history.0.text"),
        ({"user_ids": ["a"], "author": "\ud800"}, "author"),
        ({"user_ids": ["a"], "bio": "x"}, "bio"),
        ({"history": [{}]}, "history.0"),
        ({"history": [{"text": "x"}] * 1001}, "history"),
        ({"history": [{"text": "x", "weight": 1e9}]}, "history.0.weight"),
        ({"history": [{"text": "x", "timestamp": "soon"}]}, "history.0.timestamp"),
        ({"history": [{"text": "x", "txet": "y"}]}, "history.0.txet"),
        ({"history": [], "half_life": "3"}, "half_life"),
        ({"history": [], "diversity": 2}, "diversity"),
        ({"user_ids": ["a"] * 100, "k": 101}, "k"),
    ],
)
def test_a_wrong_body_is_422_and_what_is_wrong_is_named(ask: Asking, body: dict[str, Any], parameter: str) -> None:
    sent = json.dumps(body).encode()  # ASCII, half a surrogate pair too
    response = ask.client.post("/v1/recommendations", content=sent, headers={"content-type": "application/json"})
    error = error_of(response)
    assert (response.status_code, error["code"], error["parameter"]) == (422, "invalid_parameter", parameter)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[1,"])
def test_a_body_that_is_no_json_is_400(ask: Asking, body: bytes) -> None:
    response = ask.client.post("/v1/profile", content=body, headers={"content-type": "application/json"})
    assert (response.status_code, error_of(response)["parameter"]) == (400, "body")
