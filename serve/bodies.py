"""The questions that are posted: a history that no snapshot has, or many users at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dynprof.errors import ConfigError
from serve.parameters import Moment, Name, ProfileQuery, RecommendationsQuery, Unicode

__all__ = ["HistoryEvent", "PostedProfile", "PostedRecommendations", "ReloadBody"]

MOST_EVENTS = 1000
MOST_USERS = 100
MOST_ITEMS = 10_000
_LONGEST_TEXT = 20_000

Text = Annotated[Unicode, Field(max_length=_LONGEST_TEXT)]


class HistoryEvent(BaseModel):
    """Something that the visitor did."""

    model_config = ConfigDict(extra="forbid")

    text: Text | None = Field(None, description="What was written or read; encoded unless the snapshot has it.")
    item_id: Name | None = Field(None, description="A known item, instead of a text; an unknown one is ignored.")
    timestamp: Moment | None = Field(None, description="ISO 8601. Default: just now, at full weight.")
    event_type: Name = Field("post", description="Weighs what the snapshot says that its type weighs.")
    weight: float = Field(1.0, allow_inf_nan=False, ge=-1e6, le=1e6, description="Times that. Negative: a dislike.")

    @model_validator(mode="after")
    def _says_something(self) -> HistoryEvent:
        if self.text is None and self.item_id is None:
            raise ConfigError("history: expected a text or an item_id in every event, found one without both.")
        return self


class _Asked(BaseModel):
    """Either users that the snapshot knows, or one visitor whom it does not."""

    user_ids: list[Unicode] | None = Field(None, min_length=1, max_length=MOST_USERS)
    history: list[HistoryEvent] | None = Field(None, max_length=MOST_EVENTS, description="Of one visitor; may be [].")
    bio: Text | None = Field(None, description="With `history`: what the visitor says of themselves; the prior.")

    @model_validator(mode="after")
    def _one_of_both(self) -> _Asked:
        if (self.user_ids is None) == (self.history is None):
            raise ConfigError("user_ids: expected either user_ids or history, found both or neither.")
        if self.bio is not None and self.history is None:
            raise ConfigError("bio: expected a bio only with a history, found one with user_ids.")
        return self


class PostedProfile(ProfileQuery, _Asked):
    """Of `POST /v1/profile`."""


class PostedRecommendations(RecommendationsQuery, _Asked):
    """Of `POST /v1/recommendations`."""

    @model_validator(mode="after")
    def _few_items(self) -> PostedRecommendations:
        if self.k * len(self.user_ids or [0]) > MOST_ITEMS:
            raise ConfigError(
                f"k: expected at most {MOST_ITEMS} items for all users together, found {self.k} for each of "
                f"{len(self.user_ids or [0])}."
            )
        return self


class ReloadBody(BaseModel):
    """Of `POST /v1/snapshot/reload`."""

    model_config = ConfigDict(extra="forbid")

    snapshot: Name = Field("latest", min_length=1, description="Name of a finished snapshot, or `latest`.")
    wait_s: float = Field(20.0, ge=0, le=25, description="How long to wait until this replica serves it.")
