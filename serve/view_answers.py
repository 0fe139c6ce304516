"""From a checked question of the page to an answer: who there is, a user at a decay, the user's events and path."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dynprof.errors import UnknownUserError
from dynprof.history import History
from dynprof.interests import Interests, WeighedInterest
from dynprof.quick_neighbors import QuickRanking, quick_neighbors
from dynprof.snapshot import parse_time_us
from dynprof.timeline import profile_path
from serve import subject
from serve.about import about_snapshot, about_user, datetime_of
from serve.engine import Engine
from serve.parameters import ProfileQuery, TimelineQuery
from serve.profile_answers import profile_answer
from serve.recommendation_answers import recommendations_answer
from serve.schemas import NeighborAnswer
from serve.subject import Subject
from serve.timeline_answers import times_of
from serve.view_parameters import EventsQuery, SearchQuery, ViewQuery
from serve.view_schemas import (
    CurveAnswer,
    EventsOfUserAnswer,
    FoundUser,
    FoundUsersAnswer,
    InterestAnswer,
    PathAnswer,
    PathPoint,
    TypicalEvent,
    UserEvent,
    ViewAnswer,
)

__all__ = ["events_answer", "path_answer", "search_answer", "view_answer"]

Positions = npt.NDArray[np.int64]

_AGES_S = np.geomspace(60, 10 * 365.25 * 86_400, 121)
"""From a minute to ten years, about 17 a tenth power."""


def search_answer(engine: Engine, query: SearchQuery) -> FoundUsersAnswer:
    """Users of the snapshot and, behind them, those whom only live events know; nobody who was erased."""
    directory, found = engine.page.directory, []
    more = query.limit + (0 if engine.live is None else engine.live.users.overlay.n_erased_users)
    for number in directory.search(query.prefix, more).tolist():
        last_us = int(directory.last_us[number])
        last_at = datetime_of(last_us) if directory.n_events[number] else None
        user = str(directory.ids[number].as_py())
        found.append(FoundUser(user_id=user, n_events=int(directory.n_events[number]), last_event_at=last_at))
    users = [user for user in found if not engine.users.is_erased(user.user_id)] + _live_users(engine, query.prefix)
    return FoundUsersAnswer(**about_snapshot(engine), users=users[: query.limit], n_users=engine.store.n_users)


def _live_users(engine: Engine, text: str) -> list[FoundUser]:
    """Those whom the snapshot does not have. A loop over the users that were touched since."""
    if engine.live is None:
        return []
    overlay, found = engine.live.users.overlay, []
    for user_id in overlay.users():
        if text.casefold() in user_id.casefold() and not _is_stored(engine, user_id):
            events = overlay.events_of(user_id)
            last_at = datetime_of(max(e.at_us for e in events)) if events else None
            found.append(FoundUser(user_id=user_id, n_events=len(events), last_event_at=last_at))
    return found


def _is_stored(engine: Engine, user_id: str) -> bool:
    try:
        engine.store.number(user_id)
    except UnknownUserError:
        return False
    return True


def view_answer(engine: Engine, user_id: str, query: ViewQuery) -> ViewAnswer:
    """Profile, interests, neighbours and recommendations of one user, from one reading of the profile.

    Raises:
        UnknownUserError: There is no such user.
        AsOfError: The user is kept as sums, and the time is not after the last event.
    """
    decay, as_of_us = engine.decay_of(query), engine.time_of(query)
    history = engine.users.history(user_id)  # once: an event that comes meanwhile is in all of the next answer
    if query.without:
        who, stays = subject.user_without(engine.users, user_id, history, set(query.without), decay, as_of_us)
    else:
        who, stays = replace(subject.user(engine.users, user_id, decay, as_of_us), history=lambda: history), None
    near = quick_neighbors(
        engine.neighbor_index,
        engine.store,
        user_id,
        decay,
        query.neighbors,
        profile=who.read.vector,
        is_hidden=engine.users.is_erased,
    )
    return ViewAnswer(
        **about_user(engine, who),
        without=_left_out(history, stays),
        profile=profile_answer(engine, who, ProfileQuery.model_validate({})),
        curve=CurveAnswer(ages_s=_AGES_S.tolist(), weights=decay.weights(_AGES_S).tolist()),
        interests=_interests(engine.page.interests(user_id, history), who, stays),
        neighbors=_neighbors(engine, near),
        neighbors_among=near.n_candidates,
        recommendations=recommendations_answer(engine, who, query.completed(engine.defaults)),
    )


def _neighbors(engine: Engine, near: QuickRanking) -> list[NeighborAnswer]:
    rows = zip(near.ranking.rows.tolist(), near.ranking.scores.tolist(), strict=True)
    return [NeighborAnswer(user_id=engine.store.user_id(number), score=score) for number, score in rows]


def _left_out(history: History, stays: Positions | None) -> list[str]:
    """Ids of the events that are not among those that stay."""
    if stays is None:
        return []
    ids = history.events["event_id"].to_pylist()
    return [ids[i] for i in np.setdiff1d(np.arange(len(ids)), stays).tolist()]


def _interests(found: Interests, who: Subject, stays: Positions | None) -> list[InterestAnswer]:
    """Groups of all events, so that their numbers stay, weighed without those that were left out."""
    history, found = who.history(), found if stays is None else found.take(stays)
    return [_interest(history, group) for group in found.weigh(history, who.decay, who.as_of_us)]


def _interest(history: History, group: WeighedInterest) -> InterestAnswer:
    typical = zip(history.events.take(group.typical).to_pylist(), history.at_us[group.typical].tolist(), strict=True)
    return InterestAnswer(
        group=group.number,
        words=group.words,
        n_events=group.n_events,
        share=min(1.0, group.share),
        last_event_at=datetime_of(group.last_us),
        typical=[TypicalEvent(event_id=e["event_id"], text=e["text"], timestamp=datetime_of(at)) for e, at in typical],
    )


def events_answer(engine: Engine, user_id: str, query: EventsQuery) -> EventsOfUserAnswer:
    """The user's events with their groups, newest first.

    Raises:
        UnknownUserError: There is no such user.
    """
    engine.users.user(user_id)
    history = engine.users.history(user_id)
    groups = engine.page.interests(user_id, history).groups
    stop = len(history)
    if query.before is not None:
        stop = int(np.searchsorted(history.at_us, parse_time_us(query.before), "left"))
    newest = np.arange(stop)[::-1][: query.limit]
    rows = zip(
        history.events.take(newest).to_pylist(),
        history.at_us[newest].tolist(),
        history.weights[newest].tolist(),
        groups[newest].tolist(),
        strict=True,
    )
    events = [UserEvent(**event, timestamp=datetime_of(at), weight=w, group=group) for event, at, w, group in rows]
    return EventsOfUserAnswer(**about_snapshot(engine), user_id=user_id, n_events=len(history), events=events)


def path_answer(engine: Engine, user_id: str, query: TimelineQuery) -> PathAnswer:
    """Where the user's exact profile was over time, on the map of users.

    Raises:
        UnknownUserError: There is no such user.
        ConfigError: The times are in the wrong order.
    """
    user, history, decay = engine.users.user(user_id), engine.users.history(user_id), engine.decay_of(query)
    times_us = times_of(engine, history, query)
    path = profile_path(history, decay, times_us, prior=user.prior, prior_weight=user.prior_weight)
    norms = np.linalg.norm(path.profiles.vectors, axis=1, keepdims=True)
    unit = np.divide(path.profiles.vectors, norms, out=np.zeros_like(path.profiles.vectors), where=norms > 0)
    places = engine.page.sheet("users").projection.place(unit)
    who = subject.user(engine.users, user_id, decay, engine.users.as_of_us)
    rows = zip(times_us.tolist(), places.tolist(), path.n_events.tolist(), strict=True)
    points = [PathPoint(at=datetime_of(at), x=x, y=y, n_events=n) for at, (x, y), n in rows]
    return PathAnswer(**about_user(engine, who), points=points)
