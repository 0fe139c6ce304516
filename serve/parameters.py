"""The questions: query parameters of every route, checked here once. An unknown one is an error: typos matter."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Self, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from dynprof.decay import Decay, DecayKind
from dynprof.duration import format_duration, parse_duration
from dynprof.errors import ConfigError
from dynprof.learned_decay import LEARNED
from dynprof.profile import MICROSECONDS
from dynprof.recommend import DEFAULT_ITEM_HALF_LIFE, DEFAULT_METRIC, AskedMetric
from dynprof.snapshot import parse_time_us
from dynprof.sources import ItemFilter
from serve.defaults import Defaults

__all__ = [
    "DEFAULT_KIND",
    "MOST_EXPLAINED",
    "MOST_RESULTS",
    "Count",
    "Moment",
    "Name",
    "NeighborsQuery",
    "ProfileQuery",
    "RecommendationsQuery",
    "SimilarQuery",
    "TimelineQuery",
    "Unicode",
    "values_of",
]

DEFAULT_KIND: DecayKind = "exponential"
MOST_RESULTS = 1000
MOST_EXPLAINED = 50
MOST_POINTS = 100

_LEAST_HALF_LIFE_S = 1.0
_MOST_DURATION = "100y"
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_LONGEST_NAME = 1024


def _duration(text: str, info: ValidationInfo) -> str:
    seconds = parse_duration(text, name=str(info.field_name))
    if seconds > parse_duration(_MOST_DURATION):
        raise ConfigError(f"{info.field_name}: expected at most {_MOST_DURATION}, found {text!r}.")
    return format_duration(seconds)


def _half_life(text: str, info: ValidationInfo) -> str:
    if parse_duration(text, name=str(info.field_name)) < _LEAST_HALF_LIFE_S:
        raise ConfigError(f"{info.field_name}: expected at least {_LEAST_HALF_LIFE_S:.0f}s, found {text!r}.")
    return _duration(text, info)


def _time(text: str, info: ValidationInfo) -> str:
    at_us = parse_time_us(text, name=str(info.field_name))
    first, last = (datetime(year, 1, 1, tzinfo=UTC).timestamp() for year in (_FIRST_YEAR, _LAST_YEAR + 1))
    if not first <= at_us / MICROSECONDS < last:
        raise ConfigError(f"{info.field_name}: expected a year from {_FIRST_YEAR} to {_LAST_YEAR}, found {text!r}.")
    return text


def _unicode(text: str, info: ValidationInfo) -> str:
    """JSON can hold half a surrogate pair, which no text has and UTF-8 cannot say."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError(f"{info.field_name}: expected Unicode text, found {text[:100]!r}.") from error
    return text


HalfLife = Annotated[str, AfterValidator(_half_life)]
Span = Annotated[str, AfterValidator(_duration)]
Moment = Annotated[str, AfterValidator(_time)]
Count = Annotated[int, Field(ge=1, le=MOST_RESULTS, description="How many, at most.")]
Unicode = Annotated[str, AfterValidator(_unicode)]
Name = Annotated[Unicode, Field(max_length=_LONGEST_NAME)]


def values_of(annotation: Any) -> list[str]:
    """The words that a parameter of this type may have, in order."""
    return [word for part in get_args(annotation) for word in ([part] if isinstance(part, str) else values_of(part))]


class _DecayQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    kind: DecayKind = Field(
        DEFAULT_KIND,
        description="Decay of the profile; default: see `defaults` of /v1/snapshot, `exponential` where nothing was "
        "chosen. `linear` is read with a large error bound; `learned` is the curve that was fitted on the corpus.",
    )
    half_life: HalfLife | None = Field(
        None,
        description="Any, from 1s to 100y: a number with a unit (s, m, h, d, w, y). Default: that of "
        "`defaults` of /v1/snapshot. `static` has none and ignores it.",
        examples=["7d"],
    )

    def decay(self, defaults: Defaults) -> Decay:
        """The decay that is asked for.

        Raises:
            ConfigError: `learned`, where no decay was fitted or with a half-life.
        """
        return defaults.complete(self.kind if "kind" in self.model_fields_set else None, self.half_life)


class _AsOf(BaseModel):
    as_of: Moment | None = Field(
        None,
        description="ISO 8601, UTC where no zone is given; only events strictly before it count. Default: the "
        "snapshot's, or just after the last live event where that is later. Users with many events cannot be read "
        "before the last of them.",
        examples=["2018-06-01T00:00:00Z"],
    )

    def as_of_us(self, *, default_us: int) -> int:
        """Microseconds since 1970."""
        return default_us if self.as_of is None else parse_time_us(self.as_of)


class _Items(BaseModel):
    """Which items may be answered with. Filters never cost results: k come back when k exist."""

    k: Count = 10
    language: Name | None = Field(None, description="Only items of this language.", examples=["en"])
    author: Name | None = Field(None, description="Only items of this author.")
    since: Moment | None = Field(None, description="Only items that appeared at or after this time.")
    diversity: float = Field(
        0.0,
        ge=0,
        le=1,
        description="0: the best items. 1: items as unlike each other as can be. Between: maximal marginal relevance.",
    )

    @property
    def filter(self) -> ItemFilter:
        """The filters."""
        return ItemFilter(self.language, self.author, None if self.since is None else parse_time_us(self.since))


class ProfileQuery(_AsOf, _DecayQuery):
    """Of `/profile`."""

    offset: Span = Field("0s", description="Age up to which an event counts in full.", examples=["1d"])
    floor: float = Field(0.0, ge=0, le=1, description="Least weight of an event.")
    age_bands: bool = Field(
        True,
        description="Say how much of the weight each part of the history holds. Of users with many events the first "
        "question reads the corpus.",
    )
    vector: bool = Field(False, description="Answer with the vector too: base64 of little-endian float32.")

    def decay(self, defaults: Defaults) -> Decay:
        """The decay that is asked for.

        Raises:
            ConfigError: `learned`, where no decay was fitted, or with a half-life, offset or floor.
        """
        found = super().decay(defaults)
        if not {"offset", "floor"} & self.model_fields_set:
            return found
        if found.kind == LEARNED:
            raise ConfigError("offset, floor: expected none with the learned decay, whose curve is fitted.")
        return replace(found, offset=self.offset, floor=self.floor)


class NeighborsQuery(_DecayQuery):
    """Of `/neighbors`."""

    k: Count = 10


class RecommendationsQuery(_Items, _AsOf, _DecayQuery):
    """Of `/recommendations`."""

    metric: AskedMetric = Field(
        DEFAULT_METRIC,
        description="`basic`: profile . item. `cosine`. `cosine_time`: (1 + cosine) / 2, times what the item's age "
        "leaves of it. `ranker`: what `jobs.train` learned of who takes to what; without a model for this snapshot the "
        "answer is `cosine_time`, and `fallback` says why.",
    )
    item_half_life: HalfLife = Field(
        DEFAULT_ITEM_HALF_LIFE, description="Age at which `cosine_time` counts an item half; other metrics ignore it."
    )
    exclude_seen: bool = Field(True, description="Leave out texts of the user's own events before `as_of`.")
    explain: bool = Field(
        False, description=f"Say which of the user's events carry each score. Takes k <= {MOST_EXPLAINED}."
    )
    explain_events: int = Field(5, ge=1, le=MOST_EXPLAINED, description="Events to list an item, at most.")

    def completed(self, defaults: Defaults) -> Self:
        """The same question with similarity and item half-life filled in where it does not name them."""
        chosen = {"metric": defaults.metric, "item_half_life": defaults.item_half_life}
        return self.model_copy(update={k: v for k, v in chosen.items() if k not in self.model_fields_set})

    @model_validator(mode="after")
    def _few_explained(self) -> RecommendationsQuery:
        if self.explain and self.k > MOST_EXPLAINED:
            raise ConfigError(f"k: expected at most {MOST_EXPLAINED} with explain=true, found {self.k}.")
        return self


class SimilarQuery(_Items, _AsOf):
    """Of `/similar`."""

    model_config = ConfigDict(extra="forbid")


class TimelineQuery(_DecayQuery):
    """Of `/timeline`."""

    from_: Moment | None = Field(
        None, alias="from", description="First time. Default: just after the user's first event."
    )
    to: Moment | None = Field(
        None, description="Last time. Default: the snapshot's, or just after the last live event where that is later."
    )
    points: int = Field(12, ge=2, le=MOST_POINTS, description="Number of times, evenly spread.")
    items: int = Field(5, ge=0, le=50, description="How many of the nearest items to name, then and now.")
