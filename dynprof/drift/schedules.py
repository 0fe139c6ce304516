"""When an embedding is brought up to date: with every interaction, or every hour, day or week."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.drift.trail import Trail
from dynprof.duration import parse_duration
from dynprof.profile import MICROSECONDS

__all__ = ["REAL_TIME", "SCHEDULES", "Moments", "Schedule"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Moments:
    """Which profile stands at each of n interactions: row `row[i]` of the k distinct ones.

    Attributes:
        counts: (k,) interactions that it was made of, never falling.
        as_of_us: (k,) when it was made.
        row: (n,) int64.
    """

    counts: IntArray
    as_of_us: IntArray
    row: IntArray


@dataclass(frozen=True)
class Schedule:
    """Updates at the multiples of a period since 1970, UTC; None: with every interaction.

    Attributes:
        name: In tables.
        period_us: Microseconds.
    """

    name: str
    period_us: int | None

    def after(self, trail: Trail) -> Moments:
        """What stands right after each interaction."""
        if self.period_us is None:
            n = np.arange(len(trail))
            return Moments(n + 1, trail.at_us + 1, n)
        return self.before(trail)

    def before(self, trail: Trail) -> Moments:
        """What stands just before each interaction, made of what happened strictly before."""
        times = trail.at_us if self.period_us is None else trail.at_us // self.period_us * self.period_us
        as_of_us, row = np.unique(times, return_inverse=True)
        return Moments(trail.before(as_of_us), as_of_us, row)

    def last_update_us(self, at_us: IntArray) -> IntArray:
        """The time of the profile that stands at each of some times."""
        return at_us if self.period_us is None else at_us // self.period_us * self.period_us


REAL_TIME = Schedule("interaction", None)
SCHEDULES = (
    REAL_TIME,
    *(Schedule(name, int(parse_duration(period)) * MICROSECONDS)
      for name, period in (("hour", "1h"), ("day", "1d"), ("week", "7d"))),
)  # fmt: skip
"""Real time first: the others are compared with it. A week begins on a Thursday, as 1970 did."""
