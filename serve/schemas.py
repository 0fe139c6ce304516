"""The answers about users: what stands on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from dynprof.decay import DecayKind
from serve.errors import ErrorDetail

__all__ = [
    "AgeBandAnswer",
    "DecayAnswer",
    "EncoderAnswer",
    "NeighborAnswer",
    "NeighborsAnswer",
    "PostedProfilesAnswer",
    "ProfileAnswer",
    "ProfileResult",
    "SnapshotNamed",
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


class SnapshotNamed(BaseModel):
    """What every answer says."""

    snapshot: str
    encoder: EncoderAnswer


class UserAnswer(SnapshotNamed):
    """What every answer about a user says."""

    user_id: str | None = Field(description="Null where a history was posted.")
    as_of: datetime
    decay: DecayAnswer
    basis: Literal["events", "bio", "population"] = Field(
        description="What the profile is made of: the user's events, or, where none count, the bio or everybody's mean."
    )


class AgeBandAnswer(BaseModel):
    """A part of the history, by age of the events as of the question."""

    up_to: str | None = Field(
        description="Upper end of the ages, exclusive; the lower is that of the band before. Null: everything older."
    )
    n_events: int
    mass: float = Field(description="Sum of the events' decayed weights, without sign.")
    share: float = Field(ge=0, le=1, description="Of the mass of all bands.")


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
    age_bands: list[AgeBandAnswer] | None = Field(
        description="Exact, from the events themselves, youngest band first; null where not asked for."
    )
    dim: int
    vector: str | None = Field(description="Base64 of `dim` little-endian float32, norm <= 1; null unless asked for.")


class ProfileResult(BaseModel):
    """What became of one of several questions: an answer or an error."""

    user_id: str | None
    answer: ProfileAnswer | None
    error: ErrorDetail | None


class PostedProfilesAnswer(SnapshotNamed):
    """Profiles in the order in which they were asked for."""

    results: list[ProfileResult]


class NeighborAnswer(BaseModel):
    """A similar user."""

    user_id: str
    score: float = Field(description="Cosine of the two profiles.")


class NeighborsAnswer(UserAnswer):
    """Similar users, most similar first."""

    neighbors: list[NeighborAnswer]
