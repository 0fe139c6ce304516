"""The choice of a workspace is the default of a question that does not say; what is none stops no answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fastapi.testclient import TestClient
from serving_world import World, make_world

from dynprof.decay import Decay
from dynprof.learned_decay import LearnedDecay
from dynprof.tuning.choice import CHOICE, Choice, write_choice
from serve.api import make_api
from serve.engine import Engine
from serve.follower import Follower
from serve.metrics import Metrics

from .asking import Asking, error_of

LEARNED = LearnedDecay.of((3_600.0, 86_400.0), (0.5, 0.3, 0.2))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(tmp_path_factory.mktemp("choice"))


@pytest.fixture
def choice(world: World) -> Choice:
    world.workspace.remove(CHOICE)
    spec = world.spec
    corpus_id = world.workspace.require_manifest("corpus", made_by="ingest")["corpus_id"]
    return Choice(
        fingerprint=spec.fingerprint,
        encoder="plain",
        corpus_id=corpus_id,
        decay=Decay("gaussian", "6h"),
        metric="cosine_time",
        item_half_life="5h",
        prior_weight=spec.prior_weight,
        type_weights=spec.type_weights,
        learned=LEARNED,
    )


def asking(world: World) -> Asking:
    engine = Engine.open(world.workspace, world.snapshot, neighbor_cache_bytes=0)
    return Asking(TestClient(make_api(engine)))


def replica(world: World) -> Follower:
    def load(name: str) -> Engine:
        return Engine.open(world.workspace, name, neighbor_cache_bytes=0)

    return Follower(load(world.snapshot), load, world.workspace, Metrics())


def defaults_of(ask: Asking) -> dict[str, Any]:
    found: dict[str, Any] = ask.get("/v1/snapshot")["defaults"]
    return found


@pytest.mark.usefixtures("choice")
def test_without_a_choice_the_built_in_defaults_hold(world: World) -> None:
    ask = asking(world)
    found = defaults_of(ask)
    assert (found["source"], found["note"], found["learned"]) == ("built in", None, None)
    assert found["decay"]["kind"] == ask.user("a", "profile")["decay"]["kind"] == "exponential"
    assert ask.user("a", "recommendations")["item_half_life"] == found["item_half_life"] == "2d"


def test_the_choice_completes_what_a_question_leaves_out_and_nothing_else(world: World, choice: Choice) -> None:
    write_choice(world.workspace, choice)
    ask = asking(world)
    found = defaults_of(ask)
    assert (found["source"], found["note"]) == ("choice", None)
    assert (found["decay"]["kind"], found["decay"]["half_life"]) == ("gaussian", "6h")
    left_out = ask.user("heavy", "recommendations")
    assert left_out["decay"] == found["decay"]
    assert (left_out["metric"], left_out["item_half_life"]) == ("cosine_time", "5h")
    said = ask.user(
        "heavy", "recommendations", kind="gaussian", half_life="6h", metric="cosine_time", item_half_life="5h"
    )
    assert left_out == said
    other = ask.user("heavy", "recommendations", kind="hyperbolic", half_life="3d", metric="cosine")
    assert (other["decay"]["kind"], other["decay"]["half_life"]) == ("hyperbolic", "3d")
    assert (other["metric"], other["item_half_life"]) == ("cosine", None)
    assert ask.user("a", "profile", half_life="9h")["decay"]["kind"] == "gaussian"
    assert ask.user("a", "profile", floor=0.2)["decay"] == {**found["decay"], "floor": 0.2}
    assert ask.user("a", "profile", kind="static")["decay"]["half_life"] is None
    posted = ask.post("/v1/recommendations", user_ids=["heavy"])["results"][0]["answer"]
    assert (posted["decay"], posted["item_half_life"]) == (found["decay"], "5h")


def test_the_learned_decay_can_be_asked_for_and_can_be_the_choice(world: World, choice: Choice) -> None:
    write_choice(world.workspace, choice)
    ask = asking(world)
    assert defaults_of(ask)["learned"] == {"1h": 0.5, "1d": 0.3, "static": 0.2}
    read = ask.user("heavy", "profile", kind="learned", vector=True)
    assert read["decay"]["kind"] == "learned"
    write_choice(world.workspace, replace(choice, decay=LEARNED))
    assert asking(world).user("heavy", "profile", vector=True) == read


@pytest.mark.parametrize("parameters", [{"kind": "learned", "half_life": "1d"}, {"kind": "learned", "floor": 0.1}])
def test_a_learned_decay_has_nothing_to_set(world: World, choice: Choice, parameters: dict[str, Any]) -> None:
    write_choice(world.workspace, choice)
    response = asking(world).client.get("/v1/users/a/profile", params=parameters)
    assert response.status_code == 422
    assert "learned" in error_of(response)["message"]


@pytest.mark.usefixtures("choice")
def test_learned_without_a_fitted_curve_says_how_to_get_one(world: World) -> None:
    response = asking(world).client.get("/v1/users/a/profile", params={"kind": "learned"})
    assert response.status_code == 422
    assert "jobs.evaluate --tune" in error_of(response)["message"]


@pytest.mark.parametrize(
    ("other", "said"), [({"fingerprint": "ffff"}, "of encoder plain"), ({"corpus_id": "another"}, "of corpus another")]
)
def test_a_choice_of_something_else_is_not_taken_and_why(
    world: World, choice: Choice, other: dict[str, str], said: str
) -> None:
    write_choice(world.workspace, replace(choice, **other))
    found = defaults_of(asking(world))
    assert (found["source"], found["decay"]["kind"]) == ("built in", "exponential")
    assert said in found["note"]


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format_version": 1}', b'{"format_version": 2}'])
@pytest.mark.usefixtures("choice")
def test_a_broken_choice_stops_no_server(world: World, text: bytes) -> None:
    with world.workspace.create(CHOICE) as sink:
        sink.write(text)
    ask = asking(world)
    found = defaults_of(ask)
    assert found["source"] == "built in"
    assert CHOICE in found["note"] and "jobs.evaluate --tune" in found["note"]
    assert ask.user("a", "profile")["decay"]["kind"] == "exponential"


def test_what_takes_another_build_is_said(world: World, choice: Choice) -> None:
    write_choice(world.workspace, replace(choice, prior_weight=3.0, type_weights={**choice.type_weights, "like": 0.25}))
    found = defaults_of(asking(world))
    assert found["source"] == "choice"
    assert "--weights like=0.25 --prior-weight 3" in found["note"]


def test_a_reload_of_the_same_snapshot_takes_a_new_choice(world: World, choice: Choice) -> None:
    client = TestClient(make_api(replica(world)))
    assert client.get("/v1/snapshot").json()["defaults"]["source"] == "built in"
    write_choice(world.workspace, choice)
    assert client.get("/v1/snapshot").json()["defaults"]["source"] == "built in"
    assert client.post("/v1/snapshot/reload", json={"snapshot": world.snapshot}).status_code == 200
    assert client.get("/v1/snapshot").json()["defaults"]["source"] == "choice"


def test_other_replicas_take_it_when_they_see_the_wish(world: World, choice: Choice) -> None:
    asked, other = replica(world), replica(world)
    write_choice(world.workspace, choice)
    asked.want(world.snapshot)
    other.check()
    for follower in (asked, other):
        assert follower.engine is not None
        assert follower.engine.defaults.is_chosen
