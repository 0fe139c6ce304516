"""Recommendations by the ranker: whom it can answer for, what it says, and why."""

from __future__ import annotations

import numpy as np

from dynprof.diversity import diversify, pool_size
from dynprof.history import History
from dynprof.ranker.explained import RankedReason, explain_ranked
from dynprof.ranker.served import RankerQuery, ServedRanker
from dynprof.sources import FoundItems, Words
from serve.about import datetime_of
from serve.engine import Engine
from serve.item_schemas import CarryingEvent, ExplanationAnswer
from serve.parameters import RecommendationsQuery
from serve.subject import Subject

__all__ = ["NO_EVENTS", "ranked_items", "ranked_reasons", "usable_ranker"]

NO_EVENTS = "Nothing that the user did counts before this time, and the ranker goes by what users did."


def usable_ranker(engine: Engine, who: Subject) -> tuple[ServedRanker | None, str | None]:
    """The ranker that answers, or None and why not."""
    if who.read.basis != "events":
        return None, NO_EVENTS
    return engine.ranker.get()


def ranked_items(engine: Engine, ranker: ServedRanker, who: Subject, query: RecommendationsQuery) -> FoundItems:
    """The best items for somebody with events; a pool to choose from where they are to differ."""
    if engine.live is None and who.is_whole and who.known and who.user_id is not None:
        past = ranker.past_of_user(who.user_id, who.as_of_us)
    else:  # what came since the snapshot, was posted or left out: the traces tell of something else
        past, _ = ranker.past_of_history(who.history(), who.as_of_us, who.user_id, _words(who))
    content = ranker.content_of(who.bare, who.read.last_us, past, engine.items, engine.store.spec.dim)
    excluded = who.seen() if query.exclude_seen else np.empty((0, 2), np.uint64)
    k = query.k if query.diversity == 0 else pool_size(query.k)
    found = ranker.rank(RankerQuery(past, content, k, query.filter, excluded), engine.items)
    return found.take(diversify(found.scores, found.vectors, query.k, query.diversity))


def ranked_reasons(
    ranker: ServedRanker, who: Subject, query: RecommendationsQuery, found: FoundItems
) -> list[ExplanationAnswer]:
    """Every score taken apart."""
    history = who.history()
    reasons = explain_ranked(
        ranker,
        history,
        who.user_id,
        who.as_of_us,
        ranker.numbers_of(found.table["text"]),
        found.vectors,
        n_events=query.explain_events,
        words=_words(who),
    )
    decayed = history.decayed(who.decay, who.as_of_us)
    return [_reason(reason, history, decayed.tolist()) for reason in reasons]


def _words(who: Subject) -> Words | None:
    """What a posted history may not have as text: it can name items."""
    return who.seen() if who.user_id is None else None


def _reason(reason: RankedReason, history: History, decayed: list[float]) -> ExplanationAnswer:
    shown = history.events.take(reason.events).to_pylist()
    numbers = zip(
        reason.events.tolist(),
        reason.similarities.tolist(),
        reason.shares.tolist(),
        reason.without.tolist(),
        strict=True,
    )
    events = [
        CarryingEvent(
            **event,
            timestamp=datetime_of(int(history.at_us[at])),
            weight=decayed[at],
            similarity=similarity,
            share=share,
            score_without=without,
        )
        for event, (at, similarity, share, without) in zip(shown, numbers, strict=True)
    ]
    return ExplanationAnswer(
        score=reason.score,
        base=reason.base,
        prior=0,
        popularity=0,
        other_events=reason.others,
        events=events,
        features=reason.features,
    )
