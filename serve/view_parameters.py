"""The questions of the page's own routes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from serve.parameters import Count, Moment, Name, RecommendationsQuery

__all__ = ["EventsQuery", "SearchQuery", "ViewQuery"]

MOST_WITHOUT = 100


class SearchQuery(BaseModel):
    """Of `/v1/users`."""

    model_config = ConfigDict(extra="forbid")

    prefix: Name = Field("", description="A part of the id, in any case; ids that begin with it come first.")
    limit: int = Field(12, ge=1, le=100, description="Number of users at most.")


class ViewQuery(RecommendationsQuery):
    """Of `/view`."""

    neighbors: Count = 10
    without: Annotated[list[Name], Field(max_length=MOST_WITHOUT)] = Field(
        default_factory=list,
        description="Ids of events of the user: everything is answered as if they had not been, exactly.",
    )


class EventsQuery(BaseModel):
    """Of `/events`."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(500, ge=1, le=5000, description="Number of events at most, the newest.")
    before: Moment | None = Field(None, description="Only events strictly before this time.")
