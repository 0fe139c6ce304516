"""What is asked of a monitor: everything that changes a number, and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from dynprof.decay import Decay
from dynprof.drift.schedules import SCHEDULES
from dynprof.duration import Duration, format_duration, parse_duration
from dynprof.errors import ConfigError
from dynprof.evaluation.protocol import sample_size
from dynprof.profile import MICROSECONDS

__all__ = ["DEFAULT_ALPHAS", "MonitorSpec", "Span", "decay_name"]

DEFAULT_ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)

_LEAST = {"users": 1, "items": 0, "min_interactions": 2, "history": 2, "topics": 0, "replays": 5}

_STRETCH_HALF_LIVES = 4
"""What is older weighs less than a sixteenth."""


@dataclass(frozen=True)
class Span:
    """The earlier snapshot of a comparison.

    Attributes:
        against: Its name.
        as_of_us: Its time.
        until_us: The later snapshot's.
        decay: At which both are compared.
    """

    against: str
    as_of_us: int
    until_us: int
    decay: Decay

    @property
    def stretch(self) -> tuple[int, int]:
        """What the A/A replay lays in another order: the span, and four half-lives before it."""
        half_life_s = self.decay.half_life_s
        if half_life_s is None:
            return 0, self.until_us
        return self.as_of_us - int(_STRETCH_HALF_LIVES * half_life_s * MICROSECONDS), self.until_us


@dataclass(frozen=True)
class MonitorSpec:
    """One question to one snapshot.

    Attributes:
        snapshot: Name of what is watched.
        corpus_id: Of the corpus that the log is read from.
        fingerprint: Of the encoder.
        as_of_us: The snapshot's time; later events do not count.
        type_weights: As in the snapshot.
        prior_weight: As in the snapshot.
        decays: Under which the log is replayed, at least one; the first is the one for what needs only one.
        span: The comparison of populations; None where there is nothing to compare with.
        alphas: Of maturity.
        users: Largest sample of users.
        items: Largest sample of items.
        min_interactions: Interactions that an item must have, and a user to count in maturity.
        short: Half-life of the recent side of the drift.
        long: Of the lasting side.
        window: Length of a window of sudden events.
        history: Windows that an entity needs before one can be sudden.
        sudden_z: Above it a window is sudden.
        topics: Number of topics; 0 looks at no topic.
        replays: Of the A/A replay.
        thresholds: Limits that stand for the replays', by measure.
        shown: Event types that say that an item was shown.
        test_share: The cost is measured on the last such share of the events.
        max_tests: Largest sample of test events; 0 measures no cost.
        seed: Of every sample.
    """

    snapshot: str
    corpus_id: str
    fingerprint: str
    as_of_us: int
    type_weights: Mapping[str, float]
    prior_weight: float
    decays: tuple[Decay, ...]
    span: Span | None = None
    alphas: tuple[float, ...] = DEFAULT_ALPHAS
    users: int = 1_000
    items: int = 500
    min_interactions: int = 20
    short: Duration = "7d"
    long: Duration = "365d"
    window: Duration = "1d"
    history: int = 14
    sudden_z: float = 6.0
    topics: int = 24
    replays: int = 20
    thresholds: Mapping[str, float] = field(default_factory=dict)
    shown: tuple[str, ...] = ("impression", "shown", "view")
    test_share: float = 0.2
    max_tests: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigError(f"--{name.replace('_', '-')}: expected >= {least}, found {getattr(self, name)}.")
        if not self.alphas or not all(0 < a <= 2 for a in self.alphas):
            raise ConfigError(f"--alphas: expected distances in (0, 2], found {self.alphas}.")
        if not 0 < self.test_share < 1:
            raise ConfigError(f"--test-share: expected a share in (0, 1), found {self.test_share}.")
        sample_size(self.max_tests, 0)
        if self.window_us <= 0:
            raise ConfigError(f"--window: expected a duration > 0, found {self.window!r}.")
        if self.short_decay.half_life_s == self.long_decay.half_life_s:
            raise ConfigError(f"--short and --long: expected two half-lives, found {self.short!r} twice.")

    @property
    def window_us(self) -> int:
        """Microseconds of a window."""
        return int(parse_duration(self.window, name="--window") * MICROSECONDS)

    @property
    def short_decay(self) -> Decay:
        """The recent side of the drift."""
        return Decay("exponential", self.short)

    @property
    def long_decay(self) -> Decay:
        """The lasting side of the drift."""
        return Decay("exponential", self.long)

    def to_json(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            **asdict(self),
            "schedules": [s.name for s in SCHEDULES],
            "decays": [{"name": decay_name(d), **asdict(d)} for d in self.decays],
            "span": None if self.span is None else {**asdict(self.span), "decay": decay_name(self.span.decay)},
            "type_weights": dict(sorted(self.type_weights.items())),
            "thresholds": dict(sorted(self.thresholds.items())),
        }

    @property
    def name(self) -> str:
        """Name of the report: the same question of the same corpus has the same name."""
        meaning = json.dumps(self.to_json(), sort_keys=True, default=str)
        return f"monitor-{hashlib.blake2b(meaning.encode(), digest_size=4).hexdigest()}"


def decay_name(decay: Decay) -> str:
    """`exponential 30d`."""
    return decay.kind if decay.half_life_s is None else f"{decay.kind} {format_duration(decay.half_life_s)}"
