"""Decay functions: how much an event of a given age counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from dynprof.duration import Duration, format_duration, parse_duration
from dynprof.errors import ConfigError

__all__ = ["DECAY_KINDS", "PROFILE_KINDS", "Decay", "DecayKind"]

FloatArray = npt.NDArray[np.float64]
DecayKind = Literal[
    "exponential",
    "inverse_linear",
    "inverse_sqrt",
    "hyperbolic",
    "logarithmic",
    "gaussian",
    "linear",
    "static",
    "learned",
]
DECAY_KINDS: tuple[DecayKind, ...] = tuple(k for k in get_args(DecayKind) if k != "learned")
"""Every kind that has a formula, `linear` among them; `learned` is `dynprof.learned_decay.LearnedDecay`."""

PROFILE_KINDS: tuple[DecayKind, ...] = tuple(k for k in DECAY_KINDS if k != "linear")
"""The six decays of a profile and the control `static`: what `--decays all` builds."""

_SHAPES: dict[str, Callable[[FloatArray, float], FloatArray]] = {
    # Weight of an event of `x` half-lives; every one gives 1 at 0 and 1/2 at 1, so that kinds compare at equal memory.
    "exponential": lambda x, _: np.exp2(-x),
    "inverse_linear": lambda x, _: 1 / (1 + x),
    "inverse_sqrt": lambda x, _: 1 / np.sqrt(1 + 3 * x),
    "hyperbolic": lambda x, power: (1 + (2 ** (1 / power) - 1) * x) ** -power,
    "logarithmic": lambda x, _: 1 / (1 + np.log1p((np.e - 1) * x)),
    "gaussian": lambda x, _: np.exp2(-np.square(x)),
    "linear": lambda x, _: np.maximum(0.0, 1 - x / 2),
}


@dataclass(frozen=True)
class Decay:
    """A decay function f of age: 1 up to `offset`, 1/2 one half-life after it, never below `floor`.

    Args:
        kind: One of `DECAY_KINDS`. `static` is the control: every event weighs 1 and there is no half-life.
        half_life: How long after `offset` an event counts half, > 0. Not used by `static`.
        offset: Age up to which an event counts in full.
        floor: Least weight, in [0, 1].
        power: Exponent of `hyperbolic`, > 0; 1 would be `inverse_linear`.

    Raises:
        ConfigError: Unknown kind, a duration without unit, or a value out of its range.

    Source: the six kinds of arXiv 2407.07925, whose constants were never published, calibrated here by half-life.
    """

    kind: DecayKind
    half_life: Duration | None = "30d"
    offset: Duration = "0s"
    floor: float = 0.0
    power: float = 2.0

    def __post_init__(self) -> None:
        if self.kind not in DECAY_KINDS:
            raise ConfigError(f"kind: expected one of {', '.join(DECAY_KINDS)}, found {self.kind!r}.")
        if not 0 <= self.floor <= 1:
            raise ConfigError(f"floor: expected a weight in [0, 1], found {self.floor!r}.")
        if not 0 < self.power < np.inf:
            raise ConfigError(f"power: expected a number > 0, found {self.power!r}.")
        half_life = None if self.kind == "static" else self._canonical("half_life", self.half_life)
        if half_life == "0s":
            raise ConfigError("half_life: expected a duration > 0, found 0.")
        object.__setattr__(self, "half_life", half_life)
        object.__setattr__(self, "offset", self._canonical("offset", self.offset))

    @staticmethod
    def _canonical(name: str, duration: Duration | None) -> str:
        """One text for equal durations, so that equal decays are equal and hash alike."""
        if duration is None:
            raise ConfigError(f"{name}: expected a duration such as '30d', found None.")
        return format_duration(parse_duration(duration, name=name))

    @classmethod
    def from_scale(
        cls,
        kind: Literal["exp", "gauss", "linear"],
        scale: Duration | float,
        offset: Duration | float = 0,
        decay: float = 0.5,
    ) -> Decay:
        """The decay whose value is `decay` at age `offset + scale`, in the vocabulary of search engines.

        Args:
            kind: `exp`, `gauss` or `linear`.
            scale: Distance from `offset` at which the value is `decay`, > 0; a plain number means seconds.
            offset: Age up to which the value is 1; a plain number means seconds.
            decay: In (0, 1).

        Raises:
            ConfigError: Unknown kind, or a value out of its range.

        Source: Elasticsearch, function score query, decay functions.
        """
        scale_s, offset_s = _seconds(scale, "scale"), _seconds(offset, "offset")
        if not 0 < decay < 1:
            raise ConfigError(f"decay: expected a value in (0, 1), found {decay!r}.")
        halvings = np.log(1 / decay) / np.log(2)  # of the value, over one scale
        if kind == "exp":
            name, half_life_s = "exponential", scale_s / halvings
        elif kind == "gauss":
            name, half_life_s = "gaussian", scale_s / np.sqrt(halvings)
        elif kind == "linear":
            name, half_life_s = "linear", scale_s / (2 * (1 - decay))
        else:
            raise ConfigError(f"kind: expected exp, gauss or linear, found {kind!r}.")
        return cls(name, format_duration(float(half_life_s)), format_duration(offset_s))  # type: ignore[arg-type]

    @cached_property
    def half_life_s(self) -> float | None:
        """Seconds; None for `static`."""
        return None if self.half_life is None else parse_duration(self.half_life)

    @cached_property
    def offset_s(self) -> float:
        """Seconds."""
        return parse_duration(self.offset)

    @property
    def is_memoryless(self) -> bool:
        """True when f(a + b) = f(a) f(b): waiting scales every weight alike and turns no profile."""
        return self.kind in ("exponential", "static") and self.offset_s == 0 and self.floor == 0

    def weights(self, age_s: npt.ArrayLike) -> FloatArray:
        """Weight of events by age.

        Args:
            age_s: Seconds, any shape; a negative age (an event slightly ahead of the clock) counts as 0.

        Returns:
            float64 of the same shape, in [floor, 1].
        """
        age = np.asarray(age_s, np.float64)
        if self.half_life_s is None:
            return np.ones_like(age)
        x = np.maximum(age - self.offset_s, 0.0) / self.half_life_s
        return np.maximum(_SHAPES[self.kind](x, self.power), self.floor)

    def with_half_life(self, half_life: Duration) -> Decay:
        """The same decay at another half-life."""
        return replace(self, half_life=half_life)


def _seconds(value: Duration | float, name: str) -> float:
    seconds = float(value) if isinstance(value, int | float) else parse_duration(value, name=name)
    if not 0 <= seconds < np.inf or (name == "scale" and seconds == 0):
        raise ConfigError(f"{name}: expected seconds {'> 0' if name == 'scale' else '>= 0'}, found {value!r}.")
    return seconds
