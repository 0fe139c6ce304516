"""The answers that hold items: what stands on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from dynprof.recommend import AskedMetric
from serve.errors import ErrorDetail
from serve.schemas import SnapshotNamed, UserAnswer

__all__ = [
    "CarryingEvent",
    "ExplanationAnswer",
    "ItemAnswer",
    "PostedRecommendationsAnswer",
    "RecommendationsAnswer",
    "RecommendationsResult",
    "RecommendedItem",
    "ScoreParts",
    "ScoredItem",
    "SimilarAnswer",
    "TimelineAnswer",
    "TimelineEnd",
    "TimelinePoint",
]


class ItemAnswer(BaseModel):
    """An item."""

    item_id: str
    text: str
    language: str | None
    created_at: datetime
    author_id: str | None


class ScoredItem(ItemAnswer):
    """An item that is close to something."""

    score: float = Field(description="Of `ranker` any number; only differences mean something.")


class ScoreParts(BaseModel):
    """What a score was made of."""

    cosine: float | None = Field(description="Of profile and item; null where there is no profile to compare with.")
    time_weight: float | None = Field(description="What the item's age leaves of it; null where it does not count.")
    popularity: float | None = Field(description="In [0, 1], 1 the most popular of all; null where it does not count.")
    age_s: float = Field(description="Of the item.")


class CarryingEvent(BaseModel):
    """An event of the user that speaks for the item, or against it."""

    event_id: str | None = Field(description="Null where the history was posted.")
    item_id: str | None
    event_type: str
    text: str | None
    timestamp: datetime
    weight: float = Field(description="Decayed.")
    similarity: float = Field(description="Cosine of the event's and the item's vectors.")
    share: float = Field(description="Of the score, in its unit; negative: it speaks against the item.")
    score_without: float = Field(description="The score if this event had not been.")


class ExplanationAnswer(BaseModel):
    """Why an item has its score: base + prior + popularity + shares of the events + other_events = score."""

    score: float = Field(
        description="Of the exact profile. For users kept as sums it differs from the item's score by "
        "the error of these."
    )
    base: float = Field(description="What every item of that age gets.")
    prior: float = Field(description="Share of the bio, or of everybody's mean.")
    popularity: float = Field(description="Share of recent popularity.")
    other_events: float = Field(description="Share of all events that are not listed.")
    features: dict[str, float] | None = Field(None, description="What `ranker` saw; null for other metrics.")
    events: list[CarryingEvent] = Field(description="Those that carry most of it, largest share without sign first.")


class RecommendedItem(ScoredItem):
    """An item that suits the user."""

    parts: ScoreParts
    explanation: ExplanationAnswer | None = Field(description="Null unless asked for.")


class RecommendationsAnswer(UserAnswer):
    """Items, best first. Items with the same text appear once, under the earliest."""

    known: bool = Field(description="Whether the snapshot has the user; true for a posted history.")
    cold_start: Literal["bio", "popular", "newest"] | None = Field(
        description="What stood in for events, where none count: the bio; everybody's mean and what is popular; "
        "or what is new. Null: nothing did."
    )
    error_bound: float = Field(ge=0, le=2, description="Of the profile, as in its own answer.")
    metric: AskedMetric = Field(description="What the items were ranked by.")
    fallback: str | None = Field(None, description="Why it is not the one that was asked for; null where it is.")
    model: str | None = Field(None, description="Of `ranker`; null for other metrics.")
    item_half_life: str | None = Field(description="Null unless the metric is `cosine_time`.")
    exclude_seen: bool
    diversity: float
    items: list[RecommendedItem]


class RecommendationsResult(BaseModel):
    """What became of one of several questions: an answer or an error."""

    user_id: str | None
    answer: RecommendationsAnswer | None
    error: ErrorDetail | None


class PostedRecommendationsAnswer(SnapshotNamed):
    """Recommendations in the order in which they were asked for."""

    results: list[RecommendationsResult]


class SimilarAnswer(SnapshotNamed):
    """Items with similar texts, by cosine, most similar first; never the text itself."""

    item_id: str
    as_of: datetime
    items: list[ScoredItem]


class TimelinePoint(BaseModel):
    """The profile as of one time."""

    at: datetime
    mass: float
    n_effective: float
    n_events: int
    step: float | None = Field(description="1 - cosine to the profile of the point before; null at the first.")
    drift: float | None = Field(description="1 - cosine to the profile of the first point.")


class TimelineEnd(BaseModel):
    """What the profile was closest to, among the items that there were."""

    at: datetime
    items: list[ScoredItem]


class TimelineAnswer(UserAnswer):
    """How a profile moved: exact, from the user's events."""

    points: list[TimelinePoint]
    then: TimelineEnd
    now: TimelineEnd
