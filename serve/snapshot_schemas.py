"""The answers about the server itself: what stands on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from dynprof.scoring import Metric
from serve.schemas import DecayAnswer, EncoderAnswer, SnapshotNamed

__all__ = ["DefaultsAnswer", "LiveAnswer", "ReadyAnswer", "ReloadAnswer", "SnapshotAnswer"]


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


class DefaultsAnswer(BaseModel):
    """What a question that does not say is answered with."""

    source: Literal["choice", "built in"] = Field(
        description="`choice`: what `jobs.evaluate --tune` found best for this corpus and encoder."
    )
    decay: DecayAnswer
    metric: Metric
    item_half_life: str
    learned: dict[str, float] | None = Field(
        description="The curve of `kind=learned`: what of a fresh event's weight falls with each half-life, and what "
        "never does (`static`). Null: nothing was fitted."
    )
    note: str | None = Field(description="Why a choice is not taken, or what of it takes another build.")


class SnapshotAnswer(SnapshotNamed):
    """What the replica that answers serves, and what that means."""

    as_of: datetime
    created_at: str
    loaded_at: datetime
    corpus_id: str
    layers: list[str] = Field(description="The built snapshot, then its updates.")
    dim: int
    n_users: int
    n_events: int
    n_items: int
    decays: list[DecayAnswer] = Field(description="Built; any other is read out of the states.")
    default_half_life: str
    defaults: DefaultsAnswer
    bank_half_lives_s: list[float]
    prior_weight: float
    type_weights: dict[str, float]
    kinds: list[str] = Field(description="Decays that a question may name.")
    metrics: list[str] = Field(description="What recommendations may be ranked by.")
    wanted: str = Field(description="The snapshot that was asked for last; another one than `snapshot` while it loads.")
    reload_error: str | None = Field(description="Why the wanted one could not be loaded; null where it could.")


class ReloadAnswer(BaseModel):
    """What became of a reload."""

    status: Literal["serving", "loading"] = Field(
        description="`serving`: this replica answers from it. `loading`: it will; the old one answers until then."
    )
    snapshot: str = Field(description="What this replica serves now.")
    wanted: str
