"""Answers that go past FastAPI are those that it would have given, and those that the interface describes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict
from serving_world import BIO_ONLY, HEAVY, SILENT, World, make_world

from dynprof.recommend import METRICS
from serve.api import make_api
from serve.engine import Engine
from serve.item_schemas import RecommendationsAnswer, SimilarAnswer, TimelineAnswer
from serve.parameters import RecommendationsQuery
from serve.recommendation_answers import AskedItems, recommendations_json
from serve.schemas import NeighborsAnswer, ProfileAnswer

MODELS: dict[str, type[BaseModel]] = {
    "profile": ProfileAnswer,
    "neighbors": NeighborsAnswer,
    "recommendations": RecommendationsAnswer,
    "timeline": TimelineAnswer,
}
USERS = ["a", "a/b", HEAVY, BIO_ONLY, SILENT]
QUERIES = ["", "kind=gaussian&half_life=12h", "half_life=1y&half_life=3d"]
WRONG = {"half_life=x": "half_life", "unknown=1": "unknown", "kind=linear&kind=nothing": "kind"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("direct"))


@pytest.fixture(scope="module")
def engine(world: World) -> Engine:
    return Engine.open(world.workspace, neighbor_cache_bytes=1 << 20)


@pytest.fixture(scope="module")
def app(engine: Engine) -> FastAPI:
    return make_api(engine)


def path_of(user_id: str, what: str, query: str) -> str:
    return f"/v1/users/{quote(user_id, safe='')}/{what}?{query}"


@pytest.mark.parametrize("what", MODELS)
@pytest.mark.parametrize("user_id", USERS)
def test_every_answer_is_exactly_what_its_model_says(app: FastAPI, what: str, user_id: str) -> None:
    model = type("Strict", (MODELS[what],), {"model_config": ConfigDict(extra="forbid")})
    for query in QUERIES:
        response = TestClient(app).get(path_of(user_id, what, query))
        assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
        model.model_validate_json(response.content)


def test_similar_items_are_exactly_what_their_model_says(app: FastAPI) -> None:
    client = TestClient(app)
    item_id = client.get("/v1/users/a/recommendations").json()["items"][0]["item_id"]
    SimilarAnswer.model_validate_json(client.get(f"/v1/items/{quote(item_id, safe='')}/similar").content)


@pytest.mark.parametrize("what", MODELS)
def test_what_is_wrong_is_named(app: FastAPI, what: str) -> None:
    for query, named in WRONG.items():
        response = TestClient(app).get(path_of("a", what, query))
        error: dict[str, Any] = response.json()["error"]
        assert (response.status_code, error["code"], error["parameter"]) == (422, "invalid_parameter", named), query


def test_recommendations_searched_together_are_byte_for_byte_those_searched_alone(engine: Engine) -> None:
    asked = [
        AskedItems(engine, user_id, RecommendationsQuery(metric=metric, k=k, diversity=d))
        for user_id in [*USERS, "somebody new"]
        for metric in METRICS
        for k, d in ((3, 0.0), (500, 0.0), (5, 0.4))
    ]
    together = recommendations_json(asked)
    assert together == [recommendations_json([one])[0] for one in asked]
    assert all(isinstance(answer, bytes) for answer in together)


def test_of_many_who_ask_at_once_each_gets_the_own_answer_and_the_own_error(app: FastAPI) -> None:
    client = TestClient(app)
    early = "as_of=2024-02-01T00:00:00Z"  # HEAVY cannot be read there
    paths = [path_of(u, "recommendations", q) for u in USERS for q in ("", "metric=cosine", early)] * 3
    alone = [client.get(path) for path in paths[: len(paths) // 3]] * 3
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda path: TestClient(app).get(path), paths))
    assert [(r.status_code, r.content) for r in together] == [(r.status_code, r.content) for r in alone]
    assert {r.status_code for r in alone} == {200, 422}
