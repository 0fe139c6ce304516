"""From a checked question to an answer: recommendations and similar items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from dynprof.decay import Decay
from dynprof.diversity import diversify, pool_size
from dynprof.errors import AsOfError, UnknownItemError, UnknownUserError
from dynprof.explain import Explanation, explain
from dynprof.history import History
from dynprof.profile import age_seconds
from dynprof.recommend import DEFAULT_METRIC, AskedMetric, Metric
from dynprof.sources import FoundItems, ItemQuery
from serve import subject
from serve.about import about_snapshot, about_user, datetime_of
from serve.bodies import PostedRecommendations
from serve.engine import Engine
from serve.errors import detail_of
from serve.item_schemas import (
    CarryingEvent,
    ExplanationAnswer,
    PostedRecommendationsAnswer,
    RecommendationsAnswer,
    RecommendationsResult,
    RecommendedItem,
    ScoredItem,
    ScoreParts,
    SimilarAnswer,
)
from serve.parameters import RecommendationsQuery, SimilarQuery
from serve.ranked_answers import ranked_items, ranked_reasons, usable_ranker
from serve.subject import Subject
from serve.together import Steps, finish
from serve.visitor import visitor

__all__ = [
    "AskedItems",
    "posted_recommendations",
    "recommendations_answer",
    "recommendations_json",
    "scored_items",
    "similar_answer",
]

POPULARITY_SHARE = 0.5
"""Of the score of an item for somebody of whom nothing is known but what is popular."""

ColdStart = Literal["bio", "popular", "newest"]


@dataclass(frozen=True)
class AskedItems:
    """Recommendations that are asked for: by whom, how, and which engine answers."""

    engine: Engine
    user_id: str
    query: RecommendationsQuery


def _for_user(engine: Engine, user_id: str, query: RecommendationsQuery) -> Steps[RecommendationsAnswer]:
    """For a user, known or not.

    Raises:
        AsOfError: The user is kept as sums, and the time is not after the last event.
    """
    who = subject.anybody(engine.users, user_id, engine.decay_of(query), engine.time_of(query))
    return (yield from _steps(engine, who, query.completed(engine.defaults)))


def recommendations_json(asked: Sequence[AskedItems]) -> list[bytes | Exception]:
    """Several answers as they stand on the wire, searched together; in the place of one that failed its error."""
    answers: dict[int, RecommendationsAnswer | Exception] = {}
    for engine in {id(a.engine): a.engine for a in asked}.values():  # more than one while a snapshot is swapped
        mine = [i for i, a in enumerate(asked) if a.engine is engine]
        making = [_for_user(engine, asked[i].user_id, asked[i].query) for i in mine]
        answers.update(zip(mine, finish(engine.items, making), strict=True))
    found = (answers[i] for i in range(len(asked)))
    return [a if isinstance(a, Exception) else a.model_dump_json().encode() for a in found]


def recommendations_answer(engine: Engine, who: Subject, query: RecommendationsQuery) -> RecommendationsAnswer:
    """For somebody whose profile was read, with similarity and item half-life filled in: `query.completed`."""
    (answer,) = finish(engine.items, [_steps(engine, who, query)])
    if isinstance(answer, Exception):
        raise answer
    return answer


def _steps(engine: Engine, who: Subject, query: RecommendationsQuery) -> Steps[RecommendationsAnswer]:
    """Every item that appeared before the time is a candidate, unless a filter or the user's past says no.

    Scores are exact, of the best items; with an approximate index (docs/index.md) of most of them.
    """
    cold = _cold_start(engine, who)
    ranker, fallback = usable_ranker(engine, who) if query.metric == "ranker" else (None, None)
    metric: AskedMetric = DEFAULT_METRIC if fallback else query.metric
    asked = _item_query(who, query, cold)
    found = (yield asked) if ranker is None else ranked_items(engine, ranker, who, query)
    if ranker is None and query.diversity > 0:
        found = found.take(diversify(found.scores, found.vectors, query.k, query.diversity))
    reasons: Sequence[ExplanationAnswer | None] = [None] * len(found.scores)
    if query.explain:
        reasons = _reasons(who, query, found, asked) if ranker is None else ranked_reasons(ranker, who, query, found)
    rows = zip(_rows(found), _parts(found, asked, aged=metric == "cosine_time"), reasons, strict=True)
    return RecommendationsAnswer(
        **about_user(engine, who),
        known=who.known,
        cold_start=cold,
        error_bound=who.read.error_bound,
        metric=metric,
        fallback=fallback,
        model=None if ranker is None else ranker.model.name,
        item_half_life=query.item_half_life if metric == "cosine_time" else None,
        exclude_seen=query.exclude_seen,
        diversity=query.diversity,
        items=[RecommendedItem(**row, parts=parts, explanation=reason) for row, parts, reason in rows],
    )


def posted_recommendations(engine: Engine, body: PostedRecommendations) -> PostedRecommendationsAnswer:
    """For a posted history, or for many users; in the place of one who cannot be answered an error."""
    decay, body = engine.decay_of(body), body.completed(engine.defaults)
    user_ids: Sequence[str | None] = body.user_ids or [None]
    answers = finish(engine.items, [_posted(engine, body, user_id, decay) for user_id in user_ids])
    results = [_result(user_id, answer) for user_id, answer in zip(user_ids, answers, strict=True)]
    return PostedRecommendationsAnswer(**about_snapshot(engine), results=results)


def _posted(
    engine: Engine, body: PostedRecommendations, user_id: str | None, decay: Decay
) -> Steps[RecommendationsAnswer]:
    return (yield from _steps(engine, _subject(engine, body, user_id, decay), body))


def _result(user_id: str | None, answer: RecommendationsAnswer | Exception) -> RecommendationsResult:
    if isinstance(answer, RecommendationsAnswer):
        return RecommendationsResult(user_id=user_id, answer=answer, error=None)
    if not isinstance(answer, (AsOfError, UnknownUserError)):
        raise answer
    return RecommendationsResult(user_id=user_id, answer=None, error=detail_of(answer))


def similar_answer(engine: Engine, item_id: str, query: SimilarQuery) -> SimilarAnswer:
    """Items with similar texts.

    Raises:
        UnknownItemError: There is no such item, or it has no vector.
    """
    known = engine.items.find_items([item_id])
    if not known.found[0]:
        raise UnknownItemError(
            f"item_id: expected an item of {engine.store.name} with a text that was encoded, found {item_id!r}."
        )
    as_of_us = engine.time_of(query)
    found = engine.items.search(
        ItemQuery(
            known.vectors[0],
            query.k if query.diversity == 0 else pool_size(query.k),
            as_of_us,
            metric="cosine",
            filter=query.filter,
            excluded=known.words,
        )
    )
    found = found.take(diversify(found.scores, found.vectors, query.k, query.diversity))
    items = scored_items(found)
    return SimilarAnswer(**about_snapshot(engine), item_id=item_id, as_of=datetime_of(as_of_us), items=items)


def scored_items(found: FoundItems) -> list[ScoredItem]:
    """Items with nothing but their score."""
    return [ScoredItem(**row) for row in _rows(found)]


def _subject(engine: Engine, body: PostedRecommendations, user_id: str | None, decay: Decay) -> Subject:
    if user_id is not None:
        return subject.anybody(engine.users, user_id, decay, engine.time_of(body))
    return visitor(engine, body.history or [], body.bio, decay, None if body.as_of is None else engine.time_of(body))


def _cold_start(engine: Engine, who: Subject) -> ColdStart | None:
    """What stands in for events that count: the bio, else everybody's mean and what is popular, else what is new."""
    if who.read.basis == "events":
        return None
    if who.read.prior == "bio" and np.any(who.read.vector):
        return "bio"
    return "popular" if np.any(who.read.vector) and engine.items.has_popularity(who.as_of_us) else "newest"


def _item_query(who: Subject, query: RecommendationsQuery, cold: ColdStart | None) -> ItemQuery:
    return ItemQuery(
        None if cold == "newest" else who.read.vector,
        query.k if query.diversity == 0 else pool_size(query.k),
        who.as_of_us,
        metric=_similarity(query),
        item_decay=Decay("exponential", query.item_half_life),
        filter=query.filter,
        excluded=who.seen() if query.exclude_seen else np.empty((0, 2), np.uint64),
        popularity=POPULARITY_SHARE if cold == "popular" else 0.0,
    )


def _similarity(query: RecommendationsQuery) -> Metric:
    """What is searched by: what stands in for the ranker, where it is asked for."""
    return DEFAULT_METRIC if query.metric == "ranker" else query.metric


def _rows(found: FoundItems) -> list[dict[str, Any]]:
    return [{**row, "score": s} for row, s in zip(found.table.to_pylist(), found.scores.tolist(), strict=True)]


def _parts(found: FoundItems, asked: ItemQuery, *, aged: bool) -> list[ScoreParts]:
    ages_s = age_seconds(asked.as_of_us, found.created_us)
    n = len(ages_s)
    norm = 0.0 if asked.vector is None else float(np.linalg.norm(asked.vector))
    cosines: list[float | None] = [None] * n
    if asked.vector is not None:
        cosines = np.clip(found.vectors @ asked.vector / (norm or 1.0), -1, 1).astype(float).tolist()
    weights = asked.item_decay.weights(ages_s).tolist() if aged or asked.vector is None else [None] * n
    popularity = [None] * n if found.popularity is None else found.popularity.tolist()
    rows = zip(cosines, weights, popularity, ages_s.tolist(), strict=True)
    return [ScoreParts(cosine=c, time_weight=w, popularity=p, age_s=a) for c, w, p, a in rows]


def _reasons(who: Subject, query: RecommendationsQuery, found: FoundItems, asked: ItemQuery) -> list[ExplanationAnswer]:
    """Every score taken apart, out of the events themselves."""
    time_weights = asked.item_decay.weights(age_seconds(who.as_of_us, found.created_us))
    if asked.vector is None:
        return [_reason_of_age(float(weight)) for weight in time_weights]
    history = who.history()
    taken_apart = explain(
        history,
        who.decay,
        who.as_of_us,
        prior=who.prior,
        prior_weight=who.prior_weight,
        items=found.vectors,
        metric=asked.metric,
        time_weights=time_weights,
        n_events=query.explain_events,
    )
    popularity = np.zeros(len(taken_apart)) if found.popularity is None else found.popularity
    rows = zip(taken_apart, popularity.tolist(), strict=True)
    return [_reason(history, of_item, asked.popularity, popular) for of_item, popular in rows]


def _reason_of_age(weight: float) -> ExplanationAnswer:
    return ExplanationAnswer(score=weight, base=weight, prior=0, popularity=0, other_events=0, events=[], features=None)


def _reason(history: History, of_item: Explanation, share: float, popular: float) -> ExplanationAnswer:
    """Where popularity has a share in the score, everything else shares the rest."""
    rest, of_popularity = 1 - share, share * popular
    shown = history.events.take(of_item.events).to_pylist()
    numbers = zip(
        history.at_us[of_item.events].tolist(),
        of_item.weights.tolist(),
        of_item.similarities.tolist(),
        (rest * of_item.contributions).tolist(),
        (rest * of_item.without + of_popularity).tolist(),
        strict=True,
    )
    events = [
        CarryingEvent(**event, timestamp=datetime_of(at), weight=w, similarity=s, share=c, score_without=left)
        for event, (at, w, s, c, left) in zip(shown, numbers, strict=True)
    ]
    return ExplanationAnswer(
        score=rest * of_item.score + of_popularity,
        base=rest * of_item.base,
        prior=rest * of_item.prior,
        popularity=of_popularity,
        other_events=rest * of_item.others,
        events=events,
        features=None,
    )
