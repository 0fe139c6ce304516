"""Sudden events: for some days everybody talks about one topic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.world.lexicon import TOPICS
from dynprof.world.spec import MICROSECONDS_PER_DAY, Stream, WorldSpec

__all__ = ["SuddenEvents", "draw_sudden_events"]

_DAYS_APART = 45
_DAYS = (1.0, 4.0)
_SHARES = (0.2, 0.6)


@dataclass(frozen=True)
class SuddenEvents:
    """Events that do not overlap, in order of time: every array is (n,).

    Attributes:
        topic: Number of the topic that takes over.
        start_us: Microseconds after the world's start.
        until_us: First moment after it.
        share: Share of what humans do meanwhile that is about the topic. It comes on top: the rest stays as it was.
    """

    topic: npt.NDArray[np.int8]
    start_us: npt.NDArray[np.int64]
    until_us: npt.NDArray[np.int64]
    share: npt.NDArray[np.float64]

    def number_at(self, at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Which event is on at each time after the world's start; -1 for none. (n,)"""
        number = np.searchsorted(self.start_us, at_us, side="right") - 1
        return np.where((number >= 0) & (at_us < self.until_us[number]), number, -1)

    def surge_at(self, at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Factor on how much humans do at each time: 1 / (1 - share) during an event, else 1. (n,)"""
        number = self.number_at(at_us)
        return np.where(number >= 0, 1.0 / (1.0 - self.share[number]), 1.0)


def draw_sudden_events(spec: WorldSpec) -> SuddenEvents:
    """One event every 45 days, at least one; it lasts one to four days, less in a world of a few days."""
    rng = spec.rng(Stream.SUDDEN)
    n = max(1, spec.days // _DAYS_APART)
    apart_us = spec.span_us / n
    length_us = rng.uniform(*_DAYS, n) * min(MICROSECONDS_PER_DAY, apart_us / (2 * _DAYS[1]))
    start = ((np.arange(n) + rng.uniform(0.1, 0.5, n)) * apart_us).astype(np.int64)
    return SuddenEvents(
        topic=rng.integers(0, len(TOPICS), n, dtype=np.int8),
        start_us=start,
        until_us=start + length_us.astype(np.int64),
        share=rng.uniform(*_SHARES, n),
    )
