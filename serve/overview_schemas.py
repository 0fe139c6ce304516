"""What the page's first view is answered with."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from serve.snapshot_schemas import SnapshotAnswer

__all__ = ["AlarmAnswer", "LiveStateAnswer", "OverviewAnswer", "RouteLatency"]


class AlarmAnswer(BaseModel):
    """Something that somebody should look at."""

    source: Literal["snapshot", "live", "monitoring"]
    message: str


class LiveStateAnswer(BaseModel):
    """The log of live events, as this replica follows it."""

    last_number: int = Field(description="Of the latest change in the log: it rises with every event of every replica.")
    followed_number: int = Field(description="Of the last change that answers know.")
    n_events: int = Field(description="Live events since the snapshot.")
    n_erased_users: int
    last_event_at: datetime | None = Field(description="Time of the latest live event.")


class RouteLatency(BaseModel):
    """How fast a route answers, on this replica since it started."""

    method: str
    route: str
    n_requests: int
    n_failed: int = Field(description="Answered with 500 or more.")
    p50_s: float = Field(description="Interpolated within a bucket of the histogram.")
    p95_s: float
    p99_s: float


class OverviewAnswer(BaseModel):
    """The state of the deployment, at a glance."""

    now: datetime
    version: str
    snapshot: SnapshotAnswer
    live: LiveStateAnswer | None = Field(description="Null without a log.")
    latencies: list[RouteLatency] = Field(description="Most asked first.")
    alarms: list[AlarmAnswer]
    token_needed: bool
