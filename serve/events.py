"""Routes for live events: post, erase, export."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from dynprof.errors import UnknownUserError
from dynprof.live.log import LiveEvent, Outcome
from serve.access import needs
from serve.errors import ERROR_RESPONSES
from serve.event_bodies import LoadedLive, PostedBody
from serve.event_schemas import (
    POSTED_EVENTS,
    EventErasedAnswer,
    EventsAnswer,
    ExportAnswer,
    ExportedEvent,
    UserErasedAnswer,
)
from serve.ids import UserId
from serve.live import TooBusyError
from serve.live_errors import LIVE_RESPONSES, RefusedError

__all__ = ["router"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SHARED: tuple[int | str, ...] = (401, 403, 429, 500)
_OWN: tuple[int | str, ...] = (422, 503)
_ALWAYS = {n: ERROR_RESPONSES[n] for n in _SHARED} | {n: LIVE_RESPONSES[n] for n in _OWN}
router = APIRouter(tags=["live"], responses=_ALWAYS)


class _ErasureRoute(APIRoute):
    """Its path is any id, so it has nothing to say about other methods: `GET /v1/users/a/x` is no known route (404)."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        return (Match.NONE, {}) if match is Match.PARTIAL else (match, found)


erasure = APIRouter(route_class=_ErasureRoute)

EventId = Annotated[str, Path(description="Percent-encoded as one path segment; `/` may also stand as it is.")]

# Plain functions, not coroutines: they wait for the disk, in threads; those who wait together are written together.


@router.post(
    "/v1/events",
    dependencies=[needs("write")],
    status_code=202,
    response_model=EventsAnswer,
    responses=LIVE_RESPONSES,
    openapi_extra={"requestBody": POSTED_EVENTS},
)
def post_events(posted: PostedBody, live: LoadedLive) -> Response:
    """One event, a list of them, or `{"events": [...]}`. 202 only when those accepted are durable.

    In doubt send again: an event counts once.
    """
    try:
        outcomes = live.take_in(posted.records)
    except TooBusyError as error:
        raise RefusedError(429, "too_many_waiting", f"events: {error}. Send them again.", retry_after_s=1) from error
    if posted.alone and outcomes[0].status == "rejected":
        raise RefusedError(422, outcomes[0].code or "rejected", outcomes[0].reason or "", "body")
    return Response(_events_answer(outcomes), 202, media_type="application/json")


@erasure.delete("/v1/events/{event_id:any_id}", dependencies=[needs("write")])
def erase_event(event_id: EventId, live: LoadedLive) -> EventErasedAnswer:
    """Erase one event for good. Its id is never taken again, also where it was not known yet."""
    _require_id(event_id, "event_id")
    return EventErasedAnswer(event_id=event_id, removed=live.erase_event(event_id))


@erasure.delete("/v1/users/{user_id:any_id}", dependencies=[needs("write")])
def erase_user(user_id: UserId, live: LoadedLive) -> UserErasedAnswer:
    """Erase a user for good: events, profile, state; later events of the user are rejected."""
    _require_id(user_id, "user_id")
    return UserErasedAnswer(user_id=user_id, n_events_removed=live.erase_user(user_id))


@router.get("/v1/users/{user_id:any_id}/export", dependencies=[needs("admin")], responses={404: ERROR_RESPONSES[404]})
def export_user(user_id: UserId, live: LoadedLive) -> ExportAnswer:
    """Everything that is kept of a user."""
    found = live.export(user_id)
    if found is None:
        raise UnknownUserError("user_id: expected a user of whom something is kept, found none.")
    events, snapshot = found
    return ExportAnswer(
        user_id=user_id,
        live_events=[_exported(e) for e in events],
        snapshot=None if snapshot is None else dict(snapshot),
    )


router.include_router(erasure)


def _require_id(identity: str, name: str) -> None:
    if not identity:
        raise RefusedError(422, "invalid_parameter", f"{name}: expected an id, found nothing.", name)


def _events_answer(outcomes: list[Outcome]) -> bytes:
    """An `EventsAnswer`, written without pydantic: a batch may hold a thousand outcomes."""
    n = Counter(outcome.status for outcome in outcomes)
    counts = {f"n_{status}": n[status] for status in ("accepted", "duplicate", "rejected")}
    fields = ("event_id", "status", "code", "reason")
    return orjson.dumps({**counts, "outcomes": [{name: getattr(o, name) for name in fields} for o in outcomes]})


def _exported(event: LiveEvent) -> ExportedEvent:
    return ExportedEvent(
        event_id=event.event_id,
        timestamp=_EPOCH + timedelta(microseconds=event.at_us),
        event_type=event.event_type,
        item_id=event.item_id,
        text=event.text,
        weight=event.weight,
        language=event.language,
    )
