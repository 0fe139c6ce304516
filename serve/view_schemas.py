"""What the page's requests are answered with: users to choose from, a user at a decay, a user's events."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from serve.item_schemas import RecommendationsAnswer
from serve.schemas import NeighborAnswer, ProfileAnswer, SnapshotNamed, UserAnswer

__all__ = [
    "CurveAnswer",
    "EventsOfUserAnswer",
    "FoundUser",
    "FoundUsersAnswer",
    "InterestAnswer",
    "PathAnswer",
    "PathPoint",
    "TypicalEvent",
    "UserEvent",
    "ViewAnswer",
]


class FoundUser(BaseModel):
    """Somebody to choose."""

    user_id: str
    n_events: int
    last_event_at: datetime | None


class FoundUsersAnswer(SnapshotNamed):
    """Users whose id begins with the text, then those that have it inside; the most active first."""

    users: list[FoundUser]
    n_users: int = Field(description="In the snapshot.")


class TypicalEvent(BaseModel):
    """A post that stands for a group."""

    event_id: str | None
    text: str | None
    timestamp: datetime


class InterestAnswer(BaseModel):
    """A group of the user's own posts that say similar things."""

    group: int = Field(description="Its number, the same at every decay.")
    words: list[str] = Field(description="What its posts say more often than everybody else; may be empty.")
    n_events: int
    share: float = Field(ge=0, le=1, description="Of the decayed mass of all events.")
    last_event_at: datetime
    typical: list[TypicalEvent]


class CurveAnswer(BaseModel):
    """The decay that was used, as points to draw."""

    ages_s: list[float] = Field(description="Rising, evenly spread over the logarithm.")
    weights: list[float] = Field(description="f(age), in [0, 1].")


class ViewAnswer(UserAnswer):
    """All that a change of decay redraws."""

    without: list[str] = Field(description="Ids of the user's events that were left out, as asked.")
    profile: ProfileAnswer
    curve: CurveAnswer
    interests: list[InterestAnswer] = Field(description="Heaviest first.")
    neighbors: list[NeighborAnswer]
    neighbors_among: int | None = Field(
        description="How many users were compared at this decay: the nearest at a similar one. Null: all of them."
    )
    recommendations: RecommendationsAnswer


class UserEvent(BaseModel):
    """One of the user's events that have a vector."""

    event_id: str | None
    item_id: str | None
    event_type: str
    text: str | None
    timestamp: datetime
    weight: float = Field(description="Before decay: its own times that of its type.")
    group: int = Field(description="Which of the user's interests it belongs to.")


class EventsOfUserAnswer(SnapshotNamed):
    """The user's events, newest first."""

    user_id: str
    n_events: int = Field(description="How many there are.")
    events: list[UserEvent]


class PathPoint(BaseModel):
    """Where the profile was."""

    at: datetime
    x: float
    y: float
    n_events: int


class PathAnswer(UserAnswer):
    """How the profile moved over the map of users."""

    points: list[PathPoint]
