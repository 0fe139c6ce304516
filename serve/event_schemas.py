"""Live events on the wire: what may be posted, and what is answered."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "POSTED_EVENTS",
    "EventErasedAnswer",
    "EventsAnswer",
    "ExportAnswer",
    "ExportedEvent",
    "OutcomeAnswer",
    "UserErasedAnswer",
]


class _PostedEvent(BaseModel):
    """One event. Ids may be whole numbers; other keys are ignored."""

    model_config = ConfigDict(title="Event")

    user_id: str | int = Field(description="Whose. At most 512 bytes.")
    timestamp: str | float = Field(
        description="ISO 8601 (UTC where no zone is given), or a number since 1970: seconds, milliseconds, "
        "microseconds or nanoseconds, told apart by size. At most 5 minutes ahead of the server's clock.",
        examples=["2026-11-22T09:00:00Z"],
    )
    text: str | None = Field(None, description="What was written. Needed unless `item_id` is given.")
    item_id: str | int | None = Field(None, description="What the event is about. Absent: it is its own item.")
    event_id: str | int | None = Field(None, description="Identity. Absent: a hash of user, time, type, item and text.")
    event_type: str | None = Field(
        None, description="`post` (default), `reply`, `retweet`, `quote`, `like`, or your own."
    )
    weight: float | None = Field(
        None, description="Multiplies the weight of the type; may be 0 or negative; default 1."
    )
    language: str | None = None


def _posted() -> dict[str, Any]:
    """The body of `POST /v1/events`, for the OpenAPI page: the events are checked one by one, so no model reads it."""
    event = _PostedEvent.model_json_schema()
    many = {"type": "array", "items": event}
    wrapped = {"type": "object", "properties": {"events": many}, "required": ["events"], "title": "Events"}
    return {"required": True, "content": {"application/json": {"schema": {"anyOf": [event, many, wrapped]}}}}


POSTED_EVENTS = _posted()


class OutcomeAnswer(BaseModel):
    """What became of one event."""

    event_id: str | None = Field(description="Null where it was rejected before it had one.")
    status: Literal["accepted", "duplicate", "rejected"] = Field(description="`duplicate`: known before, counted once.")
    code: str | None = Field(description="Why it was rejected, in a word: see the reasons in docs/formats.md.")
    reason: str | None = Field(description="Why it was rejected: where, expected, found.")


class EventsAnswer(BaseModel):
    """What became of the events, in the order in which they came. Those accepted are durable."""

    n_accepted: int
    n_duplicate: int
    n_rejected: int
    outcomes: list[OutcomeAnswer]


class UserErasedAnswer(BaseModel):
    """A user is erased: no answer holds the user from here on, and later events are rejected."""

    user_id: str
    n_events_removed: int = Field(description="From the log of live events; 0 when asked again.")


class EventErasedAnswer(BaseModel):
    """An event is erased; its id is never taken again."""

    event_id: str
    removed: bool = Field(description="Whether the log of live events had it; it may also be in the snapshot.")


class ExportedEvent(BaseModel):
    """An event of the log, as it is kept."""

    event_id: str
    timestamp: datetime
    event_type: str
    item_id: str
    text: str | None
    weight: float
    language: str | None


class ExportAnswer(BaseModel):
    """Everything that is kept of a user."""

    user_id: str
    live_events: list[ExportedEvent] = Field(
        description="What the log of live events has, in order of arrival. It has an event until two snapshots do, so "
        "one can be in `snapshot` too."
    )
    snapshot: dict[str, Any] | None = Field(description="What the snapshot holds of the user; null where it has none.")
