"""Who does something when: exactly as many moments as asked, in order of time, a bounded batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.world.people import People
from dynprof.world.spec import MICROSECONDS_PER_DAY, Stream, WorldSpec
from dynprof.world.sudden import SuddenEvents

__all__ = ["CHUNK_EVENTS", "Moments", "iterate_moments"]

CHUNK_EVENTS = 131_072
"""Events that are made at once, about: what memory grows with. Part of what a seed means, so never a flag."""

_HOUR_US = MICROSECONDS_PER_DAY // 24
_PEAK_HOUR = 19
_SWING = 0.55
"""Activity of humans over their day is 1 + 0.55 cos: three and a half times as much in the evening as before dawn."""

_WEEKEND = 0.85
_BOT_ZONE = 127
"""Stands for no zone: bots keep no hours."""


@dataclass(frozen=True)
class Moments:
    """Who acts when, in order of time.

    Attributes:
        users: (n,) numbers of users.
        at_us: (n,) microseconds after the world's start, not decreasing.
        rng: The random numbers that are this chunk's own.
    """

    users: npt.NDArray[np.int64]
    at_us: npt.NDArray[np.int64]
    rng: np.random.Generator


@dataclass(frozen=True)
class _Groups:
    """Users who keep the same hours, side by side: `users[first[g]:first[g + 1]]` are group g."""

    users: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    zones: npt.NDArray[np.int64]
    reached: npt.NDArray[np.float64]

    def draw(self, group: npt.NDArray[np.int64], u: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """A user of each group, by activity."""
        low, high = self.reached[self.first[group]], self.reached[self.first[group + 1]]
        place = np.searchsorted(self.reached, low + u * (high - low), side="right") - 1
        users: npt.NDArray[np.int64] = self.users[place.clip(self.first[group], self.first[group + 1] - 1)]
        return users

    @property
    def rate(self) -> npt.NDArray[np.float64]:
        return np.diff(self.reached[self.first])


def iterate_moments(spec: WorldSpec, people: People, sudden: SuddenEvents) -> Iterator[Moments]:
    """All moments of a world, about `CHUNK_EVENTS` at a time."""
    groups = _group_by_hours(people)
    slot_us = _slot_length_us(spec)
    counts = _draw_counts(spec, groups, sudden, slot_us)
    before = np.cumsum(counts.sum(axis=1)) - counts.sum(axis=1)
    if not spec.n_events:
        return
    for number, slots in enumerate(np.split(np.arange(len(counts)), _boundaries(before))):
        rng = spec.rng(Stream.CHUNK, number)
        slot, group = (np.repeat(i, counts[slots].ravel()) for i in np.indices(counts[slots].shape).reshape(2, -1))
        at_us = (slot + slots[0]) * slot_us + rng.integers(0, slot_us, len(slot))
        order = np.argsort(at_us, kind="stable")
        yield Moments(groups.draw(group, rng.random(len(group)))[order], at_us[order], rng)


def _group_by_hours(people: People) -> _Groups:
    zone = np.where(people.is_bot, _BOT_ZONE, people.zone).astype(np.int64)
    zones, group = np.unique(zone, return_inverse=True)
    users = np.argsort(group, kind="stable")
    first = np.append(0, np.cumsum(np.bincount(group)))
    return _Groups(users, first, zones, np.append(0.0, np.cumsum(people.rate[users])))


def _slot_length_us(spec: WorldSpec) -> int:
    """An hour, or a 2**-k of one where an hour would hold more than a quarter of a chunk. 2**10 divides it evenly."""
    parts = -(-spec.n_events * 4 // (spec.days * 24 * CHUNK_EVENTS))
    return _HOUR_US >> min(10, max(0, parts - 1).bit_length())


def _draw_counts(spec: WorldSpec, groups: _Groups, sudden: SuddenEvents, slot_us: int) -> npt.NDArray[np.int64]:
    """(n_slots, n_groups) events of each slot and group; they sum to the number asked for."""
    middle = np.arange(0, spec.span_us, slot_us) + slot_us // 2
    local_hour = ((spec.start_us + middle) / _HOUR_US)[:, None] + groups.zones
    weekday = ((local_hour // 24) + 3) % 7  # 1970 began on a Thursday
    rhythm = 1 + _SWING * np.cos((local_hour - _PEAK_HOUR) * (2 * np.pi / 24))
    rhythm *= np.where(weekday >= 5, _WEEKEND, 1.0) * sudden.surge_at(middle)[:, None]
    weight = np.where(groups.zones == _BOT_ZONE, 1.0, rhythm) * groups.rate
    share = (weight / weight.sum()).ravel()
    counts = spec.rng(Stream.TIMELINE).multinomial(spec.n_events, share)
    return counts.reshape(weight.shape)


def _boundaries(before: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Slots at which a chunk begins: the first at or after each multiple of `CHUNK_EVENTS` events."""
    return np.flatnonzero(np.diff(before // CHUNK_EVENTS)) + 1
