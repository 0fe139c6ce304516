"""The methods of a table, and which column of the streamed counts each profile method reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dynprof.duration import format_duration
from dynprof.errors import ConfigError
from dynprof.evaluation.weighing import Weighing
from dynprof.scoring import METRICS

__all__ = ["PROFILES", "REFERENCE", "Method", "ProfileMethod", "item_clocks", "profile_methods"]

PROFILES = "profiles"
"""The family of methods that are one vector a test event."""

REFERENCE = "static"
"""The control: every event of the history weighs the same."""


@dataclass(frozen=True)
class Method:
    """One line of a table.

    Attributes:
        name: Unique in the table, e.g. `exponential 30d` or `gaussian 7d cosine_time 2d`; plain cosine is not named.
        family: Of the results table.
        kind: How a profile weighs its history; None for what is no profile.
        half_life_s: Of the decay; None where there is none.
        similarity: Of a profile.
        encoder: Of a profile's vectors.
    """

    name: str
    family: str
    kind: str | None = None
    half_life_s: float | None = None
    similarity: str | None = None
    encoder: str | None = None


@dataclass(frozen=True)
class ProfileMethod:
    """A method, and where its ranks are found.

    Attributes:
        method: What it is.
        column: Of the streamed counts. `basic` and `cosine` share one: of a single profile p, p.x and p.x / |p| rank
            alike.
    """

    method: Method
    column: int


def item_clocks(similarities: Sequence[str], item_half_lives_s: Sequence[float]) -> tuple[float | None, ...]:
    """How the streamed counts age the items: None for not at all, or a half-life in seconds."""
    plain: list[float | None] = [None] if {"cosine", "basic"} & set(similarities) else []
    return (*plain, *(item_half_lives_s if "cosine_time" in similarities else ()))


def profile_methods(
    weighings: Sequence[Weighing],
    similarities: Sequence[str],
    item_half_lives_s: Sequence[float],
    *,
    encoder: str | None = None,
) -> list[ProfileMethod]:
    """Every weighing under every similarity, weighings first; column = weighing x clocks + clock.

    Raises:
        ConfigError: An unknown similarity.
    """
    if unknown := set(similarities) - set(METRICS):
        raise ConfigError(f"--similarities: expected some of {', '.join(METRICS)}, found {', '.join(sorted(unknown))}.")
    clocks = item_clocks(similarities, item_half_lives_s)
    found = []
    for similarity in similarities:
        for clock in item_half_lives_s if similarity == "cosine_time" else (None,):
            for row, weighing in enumerate(weighings):
                name = " ".join([_weighing_name(weighing), *_similarity_name(similarity, clock)])
                method = Method(name, PROFILES, weighing.kind, weighing.half_life_s, similarity, encoder)
                found.append(ProfileMethod(method, row * len(clocks) + clocks.index(clock)))
    return found


def _weighing_name(weighing: Weighing) -> str:
    half_life_s = weighing.half_life_s
    return weighing.kind if half_life_s is None else f"{weighing.kind} {format_duration(half_life_s)}"


def _similarity_name(similarity: str, clock: float | None) -> list[str]:
    if similarity == "cosine":
        return []
    return [similarity] if clock is None else [similarity, format_duration(clock)]
