"""Age bands, filters, diversity, explanations, cold start, similar items, timelines: asked over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastapi.testclient import TestClient
from serving_world import AS_OF_US, BIO_ONLY, DAY_US, HEAVY, SILENT, START_US, TOPICS, World, make_world

from dynprof.decay import Decay
from dynprof.recommend import METRICS, Metric
from dynprof.snapshot import format_time_us, parse_time_us
from serve.api import make_api
from serve.engine import Engine

from .asking import Asking, error_of, vector_of

ARROW = "application/vnd.apache.arrow.stream"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("reading"))


@pytest.fixture(scope="module")
def engine(world: World) -> Engine:
    return Engine.open(world.workspace, neighbor_cache_bytes=1 << 20)


@pytest.fixture(scope="module")
def ask(engine: Engine) -> Asking:
    return Asking(TestClient(make_api(engine)))


@pytest.mark.parametrize("user_id", ["a", HEAVY, SILENT])
@pytest.mark.parametrize("as_of", [None, "2024-07-01T00:00:00Z"])
def test_age_bands_are_those_of_the_log(world: World, ask: Asking, user_id: str, as_of: str | None) -> None:
    asked = {} if as_of is None else {"as_of": as_of}
    answer = ask.user(user_id, "profile", kind="inverse_linear", half_life="20d", offset="1d", floor=0.05, **asked)
    as_of_us = AS_OF_US if as_of is None else parse_time_us(as_of)
    exact = world.exact(user_id, Decay("inverse_linear", "20d", "1d", 0.05), as_of_us)
    bands = answer["age_bands"]
    assert sum(b["n_events"] for b in bands) == answer["n_events"]
    assert [b["up_to"] for b in bands] == ["1h", "1d", "7d", "30d", "90d", "1y", None]
    if as_of is None:
        assert sum(b["mass"] for b in bands) == pytest.approx(exact.mass[0])
        assert sum(b["share"] for b in bands) == pytest.approx(1.0 if answer["n_events"] else 0.0)
    assert ask.user(user_id, "profile", age_bands=False)["age_bands"] is None


def test_a_vector_comes_as_an_arrow_stream_where_that_is_asked_for(world: World, ask: Asking) -> None:
    response = ask.client.get("/v1/users/a/profile?half_life=9d", headers={"accept": ARROW})
    assert (response.status_code, response.headers["content-type"]) == (200, ARROW)
    table = pa.ipc.open_stream(response.content).read_all()
    (row,) = table.to_pylist()
    assert row["vector"] == vector_of(ask.user("a", "profile", half_life="9d", vector=True)).tolist()
    assert row["user_id"] == "a" and table.schema.field("vector").type == pa.list_(pa.float32(), world.spec.dim)
    assert table.schema.metadata[b"snapshot"] == world.snapshot.encode()
    assert table.schema.metadata[b"fingerprint"] == world.spec.fingerprint.encode()


def test_filters_leave_k_items_of_that_kind_when_there_are_k(ask: Asking) -> None:
    since = format_time_us(START_US + 60 * DAY_US)
    everything = ask.user("a", "recommendations", k=1000, exclude_seen=False)["items"]
    for asked, fits in (
        ({"author": "user-3"}, lambda i: i["author_id"] == "user-3"),
        ({"language": "en"}, lambda i: i["language"] == "en"),
        ({"since": since}, lambda i: datetime.fromisoformat(i["created_at"]) >= datetime.fromisoformat(since)),
        ({"author": HEAVY, "since": format_time_us(START_US + 5 * DAY_US)}, lambda i: i["author_id"] == HEAVY),
    ):
        found = ask.user("a", "recommendations", k=3, exclude_seen=False, **asked)["items"]
        assert len(found) == 3 and all(map(fits, found))
        expected = [i for i in everything if fits(i) and i["created_at"] >= asked.get("since", "")[:19]]
        assert [i["item_id"] for i in found] == [i["item_id"] for i in expected][:3]
    assert ask.user("a", "recommendations", language="xx")["items"] == []


def test_diversity_keeps_the_best_first_and_makes_the_rest_less_alike(ask: Asking, engine: Engine) -> None:
    alike = {}
    for diversity in (0, 0.6, 1):
        answer = ask.user("a", "recommendations", k=6, metric="cosine", diversity=diversity)
        ids = [i["item_id"] for i in answer["items"]]
        vectors = engine.items.find_items(ids).vectors
        alike[diversity] = float((vectors @ vectors.T)[np.triu_indices(6, 1)].mean())
        assert len(set(ids)) == 6 and answer["diversity"] == diversity
        assert ids[0] == ask.user("a", "recommendations", k=1, metric="cosine")["items"][0]["item_id"]
    assert alike[0] > alike[0.6] > alike[1]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("user_id", ["a/b", HEAVY, BIO_ONLY])
def test_explanations_add_up_to_the_score_and_parts_multiply_to_it(ask: Asking, metric: Metric, user_id: str) -> None:
    asked = {"k": 8, "metric": metric, "half_life": "6d", "kind": "inverse_sqrt"}
    answer = ask.user(user_id, "recommendations", explain=True, explain_events=4, **asked)
    plain = ask.user(user_id, "recommendations", **asked)
    read = ask.user(user_id, "profile", half_life="6d", kind="inverse_sqrt", vector=True)
    norm = float(np.linalg.norm(vector_of(read)))
    # A state may be off by its bound; directions by twice that over the length, see docs/serving.md.
    off = {
        "basic": read["error_bound"],
        "cosine": 2 * read["error_bound"] / norm,
        "cosine_time": read["error_bound"] / norm,
    }
    assert [i["item_id"] for i in answer["items"]] == [i["item_id"] for i in plain["items"]]
    for item in answer["items"]:
        why, parts = item["explanation"], item["parts"]
        shares = sum(e["share"] for e in why["events"])
        assert why["base"] + why["prior"] + why["popularity"] + why["other_events"] + shares == pytest.approx(
            why["score"]
        )
        assert abs(why["score"] - item["score"]) <= off[metric] + 1e-5
        value = {"basic": parts["cosine"] * norm, "cosine": parts["cosine"], "cosine_time": 0.0}[metric]
        if metric == "cosine_time":
            value = (1 + parts["cosine"]) / 2 * parts["time_weight"]
            assert parts["time_weight"] == pytest.approx(2 ** (-parts["age_s"] / (2 * 86_400)))
        assert item["score"] == pytest.approx(value, abs=1e-5)
        assert len(why["events"]) <= 4
        assert all(
            datetime.fromisoformat(e["timestamp"]) < datetime.fromisoformat(answer["as_of"]) for e in why["events"]
        )
    assert all(i["explanation"] is None for i in plain["items"])


def test_an_explanation_names_the_users_own_events(world: World, ask: Asking) -> None:
    (item,) = ask.user(HEAVY, "recommendations", k=1, metric="cosine", explain=True, explain_events=50)["items"]
    own = {e["event_id"]: e for e in world.events.to_pylist() if e["user_id"] == HEAVY}
    for event in item["explanation"]["events"]:
        assert own[event["event_id"]]["text"] == event["text"]
        assert own[event["event_id"]]["timestamp"] == datetime.fromisoformat(event["timestamp"])


def test_whose_events_have_lost_all_weight_is_as_new_as_somebody_without(ask: Asking) -> None:
    answer = ask.user(HEAVY, "recommendations", kind="gaussian", half_life="6h", explain=True)
    assert (answer["basis"], answer["cold_start"], answer["known"]) == ("population", "popular", True)
    for item in answer["items"]:
        why = item["explanation"]
        assert why["base"] + why["prior"] + why["popularity"] + why["other_events"] == pytest.approx(
            item["score"], abs=1e-5
        )


def test_more_than_fifty_are_not_explained(ask: Asking) -> None:
    response = ask.client.get("/v1/users/a/recommendations?explain=true&k=51")
    assert (response.status_code, error_of(response)["parameter"]) == (422, "k")


@pytest.mark.parametrize(
    ("user_id", "cold_start", "known"),
    [("a", None, True), (BIO_ONLY, "bio", True), (SILENT, "popular", True), ("nobody", "popular", False)],
)
def test_the_answer_says_what_a_new_user_gets(ask: Asking, user_id: str, cold_start: str | None, known: bool) -> None:
    answer = ask.user(user_id, "recommendations", explain=True)
    assert (answer["cold_start"], answer["known"], len(answer["items"])) == (cold_start, known, 10)
    for item in answer["items"]:
        assert (item["parts"]["popularity"] is not None) == (cold_start == "popular")
        assert item["explanation"]["score"] == pytest.approx(item["score"], abs=1e-5)


def test_somebody_unknown_gets_what_is_close_to_everybody_and_what_is_popular(ask: Asking) -> None:
    items = ask.user("nobody", "recommendations", k=1000)["items"]
    by_parts = [
        0.5 * (1 + i["parts"]["cosine"]) / 2 * i["parts"]["time_weight"] + 0.5 * i["parts"]["popularity"] for i in items
    ]
    np.testing.assert_allclose([i["score"] for i in items], by_parts, atol=1e-5)
    assert max(i["parts"]["popularity"] for i in items) == 1


def test_where_nothing_is_known_to_be_popular_the_newest_come_first(ask: Asking) -> None:
    answer = ask.user("nobody", "recommendations", as_of="2024-02-01T00:00:00Z", explain=True)
    times = [i["created_at"] for i in answer["items"]]
    assert answer["cold_start"] == "newest" and times == sorted(times, reverse=True)
    assert all(i["score"] == i["parts"]["time_weight"] == i["explanation"]["base"] for i in answer["items"])
    assert all(i["parts"]["cosine"] is None for i in answer["items"])


def test_an_empty_id_is_nobodys_and_gets_nothing(ask: Asking) -> None:
    response = ask.client.get("/v1/users//recommendations")
    assert (response.status_code, error_of(response)["code"]) == (404, "unknown_user")


@pytest.mark.parametrize("item_id", ["heavy-3", "heavy-23", "shared", "a/b-1"])
def test_similar_items_are_the_closest_and_never_the_same_text(ask: Asking, engine: Engine, item_id: str) -> None:
    answer = ask.get(f"/v1/items/{item_id.replace('/', '%2F')}/similar", k=5)
    c, known = engine.items.catalogue, engine.items.find_items([item_id])  # type: ignore[attr-defined]
    cosines = c.unit_vectors(np.arange(c.n_before(AS_OF_US))) @ known.vectors[0]
    own = c.rows_of(known.words)
    cosines[own[own < len(cosines)]] = -2
    assert [i["score"] for i in answer["items"]] == pytest.approx(sorted(cosines.tolist(), reverse=True)[:5], abs=1e-6)
    assert known.words.tolist() not in [engine.items.find_items([i["item_id"]]).words.tolist() for i in answer["items"]]


@pytest.mark.parametrize("item_id", ["nonesuch", "cold", "", "%FF"])
def test_an_item_that_has_no_vector_is_404(ask: Asking, item_id: str) -> None:
    response = ask.client.get(f"/v1/items/{item_id}/similar")
    assert (response.status_code, error_of(response)["code"]) == (404, "unknown_item")


@pytest.mark.parametrize("user_id", ["a", HEAVY, BIO_ONLY, SILENT])
def test_a_timeline_is_exact_at_every_point(world: World, ask: Asking, user_id: str) -> None:
    asked = {"from": "2024-01-20T00:00:00Z", "to": "2024-07-01T00:00:00Z", "points": 9}
    answer = ask.user(user_id, "timeline", kind="hyperbolic", half_life="12d", items=3, **asked)
    assert [p["at"] for p in answer["points"]][:: len(answer["points"]) - 1] == [asked["from"], asked["to"]]
    for point in answer["points"]:
        at_us = min(parse_time_us(point["at"]), AS_OF_US)
        if parse_time_us(point["at"]) <= AS_OF_US:
            exact = world.exact(user_id, Decay("hyperbolic", "12d"), at_us)
            assert (point["mass"], point["n_effective"]) == pytest.approx((exact.mass[0], exact.n_effective[0]))
    assert answer["points"][0]["step"] is None and len(answer["points"]) == 9
    for end, at in (("then", asked["from"]), ("now", asked["to"])):
        assert answer[end]["at"] == at and len(answer[end]["items"]) == 3
        assert all(datetime.fromisoformat(i["created_at"]) < datetime.fromisoformat(at) for i in answer[end]["items"])


def test_a_timeline_begins_with_the_first_event_and_ends_with_the_snapshot(ask: Asking) -> None:
    answer = ask.user(HEAVY, "timeline", points=2)
    first, last = answer["points"]
    assert (first["n_events"], last["n_events"]) == (1, 60)
    assert (parse_time_us(first["at"]), parse_time_us(last["at"])) == (START_US + 1, AS_OF_US)
    assert last["step"] == last["drift"] > 0.1
    assert any(word in answer["now"]["items"][0]["text"] for word in TOPICS["space"].split())


def test_a_timeline_backwards_is_an_error_that_names_from(ask: Asking) -> None:
    response = ask.client.get("/v1/users/a/timeline?from=2024-05-01&to=2024-04-01")
    assert (response.status_code, error_of(response)["parameter"]) == (422, "from")


def test_the_snapshot_says_what_its_profiles_mean(world: World, ask: Asking) -> None:
    answer: dict[str, Any] = ask.get("/v1/snapshot")
    assert (answer["snapshot"], answer["wanted"], answer["reload_error"]) == (world.snapshot, world.snapshot, None)
    assert answer["bank_half_lives_s"] == list(world.spec.bank.half_lives_s)
    assert answer["type_weights"] == world.spec.type_weights
    assert len(answer["decays"]) == len(world.spec.decays) and answer["n_users"] == len(world.user_ids)
