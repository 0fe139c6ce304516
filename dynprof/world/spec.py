"""What a world is asked to be: sizes, seed, span and languages, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from types import MappingProxyType
from typing import Any

import numpy as np

from dynprof.errors import ConfigError
from dynprof.world.lexicon import LANGUAGES

__all__ = ["Stream", "WorldSpec"]

MICROSECONDS_PER_DAY = 86_400_000_000
_LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"n_users": (1, 10**8), "n_events": (0, 10**10), "seed": (0, 2**63 - 1), "days": (1, 3_653)}
)


class Stream(IntEnum):
    """Independent streams of random numbers: one a subject, so that a change in one leaves the others as they were."""

    PEOPLE = 0
    INTERESTS = 1
    SUDDEN = 2
    TIMELINE = 3
    BOTS = 4
    CHUNK = 5
    BIOS = 6


@dataclass(frozen=True)
class WorldSpec:
    """A world, whole: two equal specs give the same world, byte for byte.

    Args:
        n_users: 1 to 10**8. Users, their interests and the sudden events do not depend on `n_events`.
        n_events: Exactly so many come out; 0 to 10**10.
        seed: >= 0.
        start: First moment of the world, from 1970 to 2200. A zone-less time is UTC.
        days: Length of the world, 1 to 3,653.
        languages: Some of `LANGUAGES`, each once.
        bot_share: Share of users that are bots, 0 to 0.5.

    Raises:
        ConfigError: A value outside its range, or an unknown language.
    """

    n_users: int
    n_events: int
    seed: int = 0
    start: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    days: int = 365
    languages: tuple[str, ...] = tuple(LANGUAGES)
    bot_share: float = 0.02

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMITS.items():
            _require_within(name, getattr(self, name), low, high)
        if not 0.0 <= self.bot_share <= 0.5:
            raise ConfigError(f"bot_share: expected a share from 0 to 0.5, found {self.bot_share!r}.")
        if not self.languages or len(set(self.languages)) < len(self.languages) or set(self.languages) - set(LANGUAGES):
            raise ConfigError(
                f"languages: expected some of {', '.join(LANGUAGES)}, each once, found {self.languages!r}."
            )
        if not 1970 <= self.start.year <= 2200:
            raise ConfigError(f"start: expected a year from 1970 to 2200, found {self.start.isoformat()}.")
        if self.start.tzinfo is None:
            object.__setattr__(self, "start", self.start.replace(tzinfo=UTC))

    @property
    def start_us(self) -> int:
        """Microseconds since 1970 of the first moment, exact."""
        since = self.start - datetime(1970, 1, 1, tzinfo=UTC)
        return since.days * MICROSECONDS_PER_DAY + since.seconds * 1_000_000 + since.microseconds

    @property
    def span_us(self) -> int:
        """Microseconds from the first moment to the end, which is not part of the world."""
        return self.days * MICROSECONDS_PER_DAY

    def rng(self, stream: Stream, *number: int) -> np.random.Generator:
        """The random numbers of one stream, or of the part `number` of it."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(int(stream), *number)))

    def to_dict(self) -> dict[str, Any]:
        """As JSON can hold it, for `world.json`."""
        return {**vars(self), "start": self.start.isoformat(), "languages": list(self.languages)}


def _require_within(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{name}: expected a whole number from {low:,} to {high:,}, found {value!r}.")
