"""`metric=ranker` over HTTP: what was learned offline is what is answered, and where it cannot be, why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from ranker_world import make_following_world
from serving_world import AS_OF_US, BIO_ONLY, SILENT, World

from dynprof.errors import ConfigError
from dynprof.evaluation import TestEvents, Window, choose_tests, eligible_events
from dynprof.history import History
from dynprof.keys import hash_words, text_hashes
from dynprof.ranker.affinity import Affinity
from dynprof.ranker.contestant import TrainedRanker
from dynprof.ranker.examples import make_examples
from dynprof.ranker.explained import HistorySums
from dynprof.ranker.features import describe
from dynprof.ranker.fit import FitOptions, Fitting, fit
from dynprof.ranker.model import RankerMeaning, save_model
from dynprof.ranker.plan import TrainingSize, plan_training
from dynprof.ranker.questions import Questions
from dynprof.ranker.reading import read_item_vectors, read_log, read_tags
from dynprof.ranker.served import ServedRanker
from dynprof.ranker.traces import Traces
from dynprof.snapshot_users import SnapshotUsers
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts
from serve.api import make_api
from serve.engine import Engine
from serve.follower import Follower
from serve.metrics import Metrics
from serve.ranked_answers import NO_EVENTS

from .asking import Asking

USER = "user-1-0"


def questions_for(world: World) -> tuple[Questions, list[str]]:
    store = SnapshotStore(world.workspace)
    log, names = read_log(world.workspace, store.corpus, world.spec.type_weights)
    tags = read_tags(world.workspace, store.corpus, names)
    vectors = read_item_vectors(world.workspace, world.spec.fingerprint, store.corpus, names)
    log = log.before(world.spec.as_of_us)
    return Questions(log, Traces.of(log, tags), vectors, world.spec.bank), names.user_ids.to_pylist()


def write_model(world: World, *, name: str = "m", fingerprint: str | None = None) -> Fitting:
    questions, _ = questions_for(world)
    plan = plan_training(questions.log, TrainingSize(train_events=150, validation_events=50))
    fitting = fit(
        make_examples(questions, plan.train),
        make_examples(questions, plan.validation),
        FitOptions(epochs=2, hidden=8),
    )
    meaning = RankerMeaning(fingerprint or world.spec.fingerprint, world.spec.bank, world.spec.type_weights)
    save_model(
        world.workspace,
        name,
        meaning,
        fitting.best_weights(),
        {"curve": fitting.curve, "until_us": plan.window.stop_us},
    )
    return fitting


def asking(world: World) -> Asking:
    return Asking(TestClient(make_api(Engine.open(world.workspace, neighbor_cache_bytes=1 << 20))))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_following_world(tmp_path_factory.mktemp("ranker"), n_items=150)


@pytest.fixture(scope="module")
def fitting(world: World) -> Fitting:
    return write_model(world)


@pytest.fixture(scope="module")
def ask(world: World, fitting: Fitting) -> Asking:
    del fitting  # it is on disk
    return asking(world)


def test_without_a_model_the_answer_is_cosine_time_and_says_so(tmp_path: Path) -> None:
    world = make_following_world(tmp_path, n_items=20)
    ask = asking(world)
    plain, asked = (ask.user(USER, "recommendations", metric=m) for m in ("cosine_time", "ranker"))
    assert "jobs.train" in asked["fallback"] and str(tmp_path) not in asked["fallback"]
    assert (asked["metric"], asked["model"], plain["fallback"]) == ("cosine_time", None, None)
    assert asked["items"] == plain["items"] and asked["item_half_life"] == "2d"
    write_model(world, fingerprint="another")
    other = asking(world).user(USER, "recommendations", metric="ranker")
    assert other["metric"] == "cosine_time" and "another encoder" in other["fallback"]


@pytest.mark.parametrize("user_id", [BIO_ONLY, SILENT, "nobody"])
def test_for_somebody_without_events_it_says_that_it_cannot(ask: Asking, user_id: str) -> None:
    answer = ask.user(user_id, "recommendations", metric="ranker")
    assert (answer["fallback"], answer["metric"]) == (NO_EVENTS, "cosine_time")
    assert answer["cold_start"] is not None


@pytest.mark.parametrize("user_id", [USER, "user-0-3"])
def test_served_scores_are_those_of_the_evaluation(world: World, ask: Asking, fitting: Fitting, user_id: str) -> None:
    """The same model, user and time: candidates and scores from the states are those from the log."""
    questions, ids = questions_for(world)
    log, user = questions.log, ids.index(user_id)
    own = np.flatnonzero(log.users == user)
    test = TestEvents(
        *(np.array([value]) for value in (user, AS_OF_US, 0, 0, log.n_items, own[0], own[-1] + 1)), include_seen=False
    )
    (items, features), *_ = questions.ask(test)
    scores = fitting.best_network().score(features)
    answer = ask.user(user_id, "recommendations", metric="ranker", k=20)
    assert (answer["metric"], answer["model"], answer["fallback"]) == ("ranker", "m", None)
    _, names = read_log(world.workspace, SnapshotStore(world.workspace).corpus, world.spec.type_weights)
    by_hash = {h: i for i, h in enumerate(names.text_hashes.to_pylist())}
    shown = text_hashes(prepare_texts(pa_texts([item["text"] for item in answer["items"]]))).to_pylist()
    best = np.sort(scores)[::-1][:20]
    place = {item: i for i, item in enumerate(items.tolist())}
    served = np.array([item["score"] for item in answer["items"]])
    np.testing.assert_allclose(served, scores[[place[by_hash[h]] for h in shown]], atol=5e-3)
    np.testing.assert_allclose(served, best, atol=5e-3)
    assert (np.diff(served) <= 0).all()


def pa_texts(texts: list[str]):
    import pyarrow as pa

    return pa.array(texts, pa.string())


def test_a_trained_model_enters_an_evaluation_of_what_it_has_not_seen(world: World, fitting: Fitting) -> None:
    questions, _ = questions_for(world)
    log = questions.log
    trained = TrainedRanker(world.workspace, "m", world.spec.fingerprint, world.spec.type_weights)
    ranker = trained(log, {"model": "m"}).watch(log, questions.vectors)
    tests = choose_tests(log, eligible_events(log, Window(0, AS_OF_US))[-3:])
    (items, features), *_ = questions.ask(tests)
    np.testing.assert_array_equal(next(ranker.scores(tests))[items], fitting.best_network().score(features))
    with pytest.raises(ConfigError, match="has seen what it is tested on"):
        trained(log.before(int(log.event_us.max())), {})


def test_an_explanation_adds_up_and_what_is_missing_was_computed_again(world: World, ask: Asking) -> None:
    answer = ask.user(USER, "recommendations", metric="ranker", k=3, explain=True, explain_events=4)
    store = SnapshotStore(world.workspace)
    ranker, history = ServedRanker.open(store), SnapshotUsers(store).history(USER)
    for item in answer["items"]:
        reason = item["explanation"]
        assert reason["score"] == pytest.approx(item["score"], abs=5e-3)
        parts = reason["base"] + reason["prior"] + reason["popularity"] + reason["other_events"]
        assert parts + sum(e["share"] for e in reason["events"]) == pytest.approx(reason["score"])
        assert 0 < len(reason["events"]) <= 4 and reason["features"]["age"] > 0
        assert item["parts"]["time_weight"] is None and -1 <= item["parts"]["cosine"] <= 1
        number, words = one_item(ranker, item["text"])
        event = reason["events"][0]
        gone = history.events["event_id"].to_pylist().index(event["event_id"])
        left = drop(history, gone)
        past, positions = ranker.past_of_history(left, AS_OF_US, USER)
        content = HistorySums(ranker.bank, left, AS_OF_US).content(positions)
        vectors = Engine.open(world.workspace, neighbor_cache_bytes=0).items.find_texts(words).vectors
        again = ranker.model.scorer.score(describe(past, Affinity.of(past), content, number, vectors))
        assert event["score_without"] == pytest.approx(float(again[0]), abs=1e-4)
        assert event["share"] == pytest.approx(reason["score"] - event["score_without"])


def one_item(ranker: ServedRanker, text: str) -> tuple[np.ndarray, np.ndarray]:
    words = hash_words(text_hashes(prepare_texts(pa_texts([text]))))
    return ranker._named.items_of(words)[0], words


def drop(history: History, gone: int) -> History:
    kept = np.delete(np.arange(len(history)), gone)
    events = history.events.take(kept)
    return History(history.at_us[kept], history.weights[kept], history.rows[kept], history.vectors, events)


def test_without_an_event_score_and_explanation_are_both_of_the_others(ask: Asking) -> None:
    asked = {"metric": "ranker", "k": 5, "explain": True, "exclude_seen": False}
    whole = ask.user(USER, "view", **asked)["recommendations"]["items"]
    newest = [event["event_id"] for event in ask.user(USER, "events", limit=8)["events"]]
    left = ask.user(USER, "view", without=newest, **asked)["recommendations"]
    assert left["metric"] == "ranker"
    for item in left["items"]:
        assert item["score"] == pytest.approx(item["explanation"]["score"], abs=1e-4)
    assert [i["score"] for i in left["items"]] != pytest.approx([i["score"] for i in whole], abs=1e-2)


def test_a_reload_of_the_same_snapshot_takes_a_new_model(tmp_path: Path, fitting: Fitting) -> None:
    world = make_following_world(tmp_path, n_items=20)

    def load(name: str) -> Engine:
        return Engine.open(world.workspace, name, neighbor_cache_bytes=0)

    replicas = [Follower(load(world.snapshot), load, world.workspace, Metrics()) for _ in range(2)]
    asks = [Asking(TestClient(make_api(follower))) for follower in replicas]
    meaning = RankerMeaning(world.spec.fingerprint, world.spec.bank, world.spec.type_weights)

    def models() -> list[str | None]:
        return [ask.user(USER, "recommendations", metric="ranker")["model"] for ask in asks]

    assert models() == [None, None]
    for before, name in ((None, "first"), ("first", "second")):
        save_model(world.workspace, name, meaning, fitting.best_weights(), {"curve": [], "until_us": AS_OF_US})
        assert models() == [before, before]
        asks[0].post("/v1/snapshot/reload", snapshot=world.snapshot)
        replicas[1].check()
        assert models() == [name, name]


def test_filters_cost_no_results_and_what_was_seen_can_be_asked_for(ask: Asking) -> None:
    plain = ask.user(USER, "recommendations", metric="ranker", k=30)["items"]
    german = ask.user(USER, "recommendations", metric="ranker", k=30, language="de", exclude_seen=False)["items"]
    assert len(plain) == len(german) == 30 and {i["language"] for i in german} == {"de"}
    since = plain[0]["created_at"]
    late = ask.user(USER, "recommendations", metric="ranker", k=30, since=since)["items"]
    assert late and all(item["created_at"] >= since for item in late)
    scores = {i["item_id"]: i["score"] for i in plain}
    assert all(scores.get(i["item_id"], i["score"]) == i["score"] for i in late), "a filter changes no score"
    varied = ask.user(USER, "recommendations", metric="ranker", k=5, diversity=0.9)["items"]
    assert varied[0] == plain[0] and len(varied) == 5


def test_a_visitor_with_a_history_is_answered_too(ask: Asking) -> None:
    own = ask.user(USER, "recommendations", metric="ranker", k=20, exclude_seen=False)
    history = [{"item_id": f"item-{n}", "timestamp": "2024-05-29T20:00:00Z"} for n in range(100, 110)]
    answer = ask.post("/v1/recommendations", history=history, metric="ranker", k=5, explain=True)["results"][0][
        "answer"
    ]
    assert answer["metric"] == "ranker" and len(answer["items"]) == 5
    assert {f"item-{n}" for n in range(100, 110)}.isdisjoint(i["item_id"] for i in answer["items"])
    assert own["items"] != answer["items"]
    many = ask.post("/v1/recommendations", user_ids=[USER, SILENT], metric="ranker", k=20, exclude_seen=False)[
        "results"
    ]
    assert many[0]["answer"] == own, "an answer does not depend on the rest of its batch"
    assert many[1]["answer"]["fallback"] == NO_EVENTS
