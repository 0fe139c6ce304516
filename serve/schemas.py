"""The answers: what stands on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from dynprof.decay import DecayKind
from dynprof.recommend import Metric

__all__ = [
    "DecayAnswer",
    "EncoderAnswer",
    "LiveAnswer",
    "NeighborAnswer",
    "NeighborsAnswer",
    "ProfileAnswer",
    "ReadyAnswer",
    "RecommendationsAnswer",
    "RecommendedItem",
    "UserAnswer",
]


class DecayAnswer(BaseModel):
    """The decay that was used, defaults filled in."""

    kind: DecayKind
    half_life: str | None = Field(description="Null for `static`.")
    offset: str
    floor: float


class EncoderAnswer(BaseModel):
    """Whose vectors these are. Vectors of two fingerprints are never compared."""

    name: str
    fingerprint: str


class UserAnswer(BaseModel):
    """What every answer about a user says."""

    user_id: str
    snapshot: str
    encoder: EncoderAnswer
    as_of: datetime
    decay: DecayAnswer
    basis: Literal["events", "bio", "population"] = Field(
        description="What the profile is made of: the user's events, or, where none count, the bio or everybody's mean."
    )


class ProfileAnswer(UserAnswer):
    """One profile."""

    prior: Literal["bio", "population"] = Field(description="What the profile is shrunk towards.")
    mass: float = Field(description="Sum of the events' decayed weights, without sign.")
    n_effective: float = Field(description="How many equal events would carry the same information.")
    n_events: int = Field(description="Events with a vector before `as_of`.")
    error_bound: float = Field(
        ge=0, le=2, description="Bound on the distance to the exact vector; 0: computed from the events themselves."
    )
    first_event_at: datetime | None
    last_event_at: datetime | None
    dim: int
    vector: str | None = Field(description="Base64 of `dim` little-endian float32, norm <= 1; null unless asked for.")


class NeighborAnswer(BaseModel):
    """A similar user."""

    user_id: str
    score: float = Field(description="Cosine of the two profiles.")


class NeighborsAnswer(UserAnswer):
    """Similar users, most similar first."""

    neighbors: list[NeighborAnswer]


class RecommendedItem(BaseModel):
    """An item that suits the user."""

    item_id: str
    score: float
    text: str
    language: str | None
    created_at: datetime
    author_id: str | None


class RecommendationsAnswer(UserAnswer):
    """Items, best first. Items with the same text appear once, under the earliest."""

    metric: Metric
    item_half_life: str | None = Field(description="Null unless the metric is `cosine_time`.")
    exclude_seen: bool
    items: list[RecommendedItem]


class LiveAnswer(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class ReadyAnswer(BaseModel):
    """The snapshot is loaded."""

    status: Literal["ready"] = "ready"
    snapshot: str
    as_of: datetime
    encoder: EncoderAnswer
    n_users: int
    n_items: int
