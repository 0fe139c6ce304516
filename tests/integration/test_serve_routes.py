"""Every route and parameter, asked over HTTP without a cluster."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from serving_world import AS_OF_US, BIO_ONLY, HEAVY, ODD_IDS, SILENT, World, make_world

from dynprof.decay import DECAY_KINDS, Decay, DecayKind
from dynprof.recommend import METRICS, Metric, recommend
from dynprof.snapshot import parse_time_us
from dynprof.text import prepare_texts
from serve.api import make_api
from serve.engine import Engine

Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("routes"))


@pytest.fixture(scope="module")
def engine(world: World) -> Engine:
    return Engine.open(world.workspace, neighbor_cache_bytes=1 << 20)


@pytest.fixture(scope="module")
def ask(engine: Engine) -> Ask:
    """GET what is known of a user; the answer must be 200."""
    client = TestClient(make_api(engine))

    def get(user_id: str, what: str, **parameters: Any) -> dict[str, Any]:
        response = client.get(f"/v1/users/{quote(user_id, safe='')}/{what}", params=parameters)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    return get


def vector_of(answer: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.frombuffer(base64.b64decode(answer["vector"]), "<f4")


@pytest.mark.parametrize("kind", DECAY_KINDS)
@pytest.mark.parametrize("user_id", ["a", HEAVY])
def test_any_decay_and_half_life_gives_the_profile_of_the_store(
    engine: Engine, ask: Ask, kind: DecayKind, user_id: str
) -> None:
    answer = ask(user_id, "profile", kind=kind, half_life="36h", offset="1h", floor=0.01, vector=True)
    read = engine.store.profile(user_id, Decay(kind, "36h", "1h", 0.01), AS_OF_US)
    assert vector_of(answer).tolist() == read.vector.tolist()
    assert (answer["mass"], answer["n_effective"]) == (read.mass, read.n_effective)
    assert (answer["n_events"], answer["error_bound"]) == (read.n_events, read.error_bound)
    half_life = None if kind == "static" else "36h"
    assert answer["decay"] == {"kind": kind, "half_life": half_life, "offset": "1h", "floor": 0.01}
    assert [parse_time_us(answer[f"{end}_event_at"]) for end in ("first", "last")] == [read.first_us, read.last_us]


def test_every_answer_names_user_snapshot_encoder_and_time(world: World, ask: Ask) -> None:
    for what in ("profile", "neighbors", "recommendations"):
        answer = ask("a", what)
        assert answer["user_id"] == "a" and answer["snapshot"] == world.snapshot
        assert answer["encoder"] == {"name": "hashing:64", "fingerprint": world.spec.fingerprint}
        assert parse_time_us(answer["as_of"]) == AS_OF_US
        assert answer["decay"] == {"kind": "exponential", "half_life": "30d", "offset": "0s", "floor": 0.0}


def test_the_vector_comes_only_on_request_and_has_the_stated_length(world: World, ask: Ask) -> None:
    assert ask("a", "profile")["vector"] is None
    answer = ask("a", "profile", vector="true")
    assert len(vector_of(answer)) == answer["dim"] == world.spec.dim
    assert np.linalg.norm(vector_of(answer)) <= 1 + 1e-6


@pytest.mark.parametrize("user_id", [i for i in ODD_IDS if i != "a%2Fb"])
def test_ids_with_any_characters_are_their_own_user(ask: Ask, user_id: str) -> None:
    # The id with a percent code is asked in e2e: this client decodes paths twice.
    for what in ("profile", "neighbors", "recommendations"):
        assert ask(user_id, what)["user_id"] == user_id


def test_a_slash_in_an_id_may_stand_as_it_is_and_the_last_segment_is_what_is_asked_for(engine: Engine) -> None:
    client = TestClient(make_api(engine))
    for path, user_id in {"a/b/profile": "a/b", "a/profile/profile": "a/profile", "a/profile": "a"}.items():
        assert client.get(f"/v1/users/{path}").json()["user_id"] == user_id


@pytest.mark.parametrize(("user_id", "basis"), [("a", "events"), (BIO_ONLY, "bio"), (SILENT, "population")])
def test_the_answer_says_what_a_new_user_is_judged_by(ask: Ask, user_id: str, basis: str) -> None:
    for what in ("profile", "neighbors", "recommendations"):
        assert ask(user_id, what)["basis"] == basis
    assert len(ask(user_id, "recommendations")["items"]) == 10
    profile = ask(user_id, "profile")
    assert (profile["last_event_at"] is None) == (profile["n_events"] == 0) == (basis != "events")


def test_an_earlier_time_is_read_as_if_nothing_had_happened_since(world: World, ask: Ask) -> None:
    as_of = "2024-02-15T12:00:00Z"
    answer = ask("a", "profile", as_of=as_of, vector=True, half_life="10d")
    exact = world.exact("a", Decay("exponential", "10d"), parse_time_us(as_of))
    np.testing.assert_allclose(vector_of(answer), exact.vectors[0], atol=1e-6)
    assert datetime.fromisoformat(answer["last_event_at"]) < datetime.fromisoformat(as_of)
    items = ask("a", "recommendations", as_of=as_of, k=1000)["items"]
    assert items and all(datetime.fromisoformat(i["created_at"]) < datetime.fromisoformat(as_of) for i in items)


def test_a_later_time_lets_everything_age(ask: Ask) -> None:
    now, later = ask("a", "profile"), ask("a", "profile", as_of="2024-06-29T00:00:00Z")
    assert later["mass"] == pytest.approx(now["mass"] / 2)
    assert later["n_effective"] == pytest.approx(now["n_effective"])


@pytest.mark.parametrize("half_life", ["30d", "4d"])
def test_neighbours_are_others_with_events_most_similar_first(world: World, ask: Ask, half_life: str) -> None:
    found = ask("a", "neighbors", k=1000, half_life=half_life, kind="inverse_sqrt")["neighbors"]
    ids = [n["user_id"] for n in found]
    scores = [n["score"] for n in found]
    assert scores == sorted(scores, reverse=True) and len(set(ids)) == len(ids)
    assert set(ids) == {u for u in world.user_ids if u not in ("a", BIO_ONLY, SILENT, "wordless")}
    assert ask("a", "neighbors", k=4, half_life=half_life, kind="inverse_sqrt")["neighbors"] == found[:4]


@pytest.mark.parametrize("metric", METRICS)
def test_recommendations_are_those_of_the_library_with_their_texts(engine: Engine, ask: Ask, metric: Metric) -> None:
    answer = ask("a/b", "recommendations", k=5, metric=metric, item_half_life="9d", exclude_seen=False, half_life="7d")
    read = engine.store.profile("a/b", Decay("exponential", "7d"), AS_OF_US)
    decay = Decay("exponential", "9d")
    best = recommend(engine.items.catalogue, read.vector, k=5, as_of_us=AS_OF_US, metric=metric, item_decay=decay)
    rows = engine.items.catalogue.table.take(pa.array(best.rows)).to_pylist()
    assert [(i["item_id"], i["text"], i["author_id"], i["language"]) for i in answer["items"]] == [
        (r["item_id"], r["text"], r["author_id"], r["language"]) for r in rows
    ]
    assert [i["score"] for i in answer["items"]] == best.scores.tolist()
    assert (answer["metric"], answer["item_half_life"]) == (metric, "9d" if metric == "cosine_time" else None)


def test_seen_texts_are_left_out_under_any_item_unless_asked_for_and_k_still_come_back(world: World, ask: Ask) -> None:
    own = world.events.filter(pa.array(np.asarray(world.events["user_id"]) == HEAVY))
    seen = set(prepare_texts(own["text"]).to_pylist())
    without = ask(HEAVY, "recommendations", metric="cosine", k=30)
    everything = ask(HEAVY, "recommendations", metric="cosine", k=30, exclude_seen=False)
    assert len(without["items"]) == len(everything["items"]) == 30
    assert not seen & set(prepare_texts(pa.array([i["text"] for i in without["items"]])).to_pylist())
    assert seen & set(prepare_texts(pa.array([i["text"] for i in everything["items"]])).to_pylist())
    texts = [i["text"] for i in everything["items"]]
    assert len(set(texts)) == len(texts)


def test_the_snapshot_is_named_by_ready_and_live_needs_none(world: World, engine: Engine) -> None:
    client = TestClient(make_api(engine))
    assert client.get("/health/live").json() == {"status": "live"}
    ready = client.get("/health/ready").json()
    assert (ready["status"], ready["snapshot"]) == ("ready", world.snapshot)
    assert (ready["n_users"], ready["n_items"]) == (len(world.user_ids), len(engine.items))


def test_the_schema_documents_every_route_parameter_and_the_error_body(engine: Engine) -> None:
    client = TestClient(make_api(engine))
    assert client.get("/docs").status_code == 200
    schema = client.get("/openapi.json").json()
    routes = {f"/v1/users/{{user_id}}/{what}" for what in ("profile", "neighbors", "recommendations")}
    live = {"/v1/events", "/v1/events/{event_id}", "/v1/users/{user_id}", "/v1/users/{user_id}/export"}
    others = {"/health/live", "/health/ready", "/metrics", "/v1/snapshot", "/v1/snapshot/reload"}
    more = {"/v1/users/{user_id}/timeline", "/v1/items/{item_id}/similar", "/v1/profile", "/v1/recommendations"}
    of_page = {"/v1/users", "/v1/overview", "/v1/reports", "/v1/reports/{name}", "/v1/map/{kind}"}
    of_page |= {f"/v1/users/{{user_id}}/{what}" for what in ("view", "events", "path")}
    of_page |= {f"/v1/map/{kind}/{{number}}" for kind in ("users", "items")}
    assert set(schema["paths"]) == routes | live | others | more | of_page
    names = {p["name"] for p in schema["paths"]["/v1/users/{user_id}/profile"]["get"]["parameters"]}
    assert names == {"user_id", "kind", "half_life", "as_of", "offset", "floor", "vector", "age_bands"}
    for route in routes:
        for status in ("404", "422"):
            body = schema["paths"][route]["get"]["responses"][status]["content"]["application/json"]["schema"]
            assert body == {"$ref": "#/components/schemas/ErrorAnswer"}
