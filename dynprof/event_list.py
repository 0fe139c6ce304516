"""A flat list of the events of several users: what light users are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError

__all__ = ["EventList", "checked_events"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class EventList:
    """Events of several users, sorted by user, then time.

    Attributes:
        users: (n,) int64, rising.
        at_us: (n,) int64 microseconds since 1970.
        weights: (n,) float64, before decay.
        vectors: (n, dim) float16 or float32, norm 1 (or 0).
    """

    users: IntArray
    at_us: IntArray
    weights: FloatArray
    vectors: npt.NDArray[np.floating]

    @classmethod
    def empty(cls, dim: int) -> EventList:
        """No events."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty((0, dim), np.float16))

    def __len__(self) -> int:
        return len(self.users)

    def take(self, index: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> EventList:
        """The events at `index`."""
        return EventList(self.users[index], self.at_us[index], self.weights[index], self.vectors[index])

    def join(self, other: EventList) -> EventList:
        """Both, sorted. Vectors keep the wider of the two precisions."""
        if not len(other):
            return self
        if not len(self):
            return other
        both = EventList(
            np.concatenate([self.users, other.users]),
            np.concatenate([self.at_us, other.at_us]),
            np.concatenate([self.weights, other.weights]),
            np.concatenate([self.vectors, other.vectors]),
        )
        return both.take(np.lexsort((both.at_us, both.users)))


def checked_events(
    users: npt.ArrayLike, at_us: npt.ArrayLike, weights: npt.ArrayLike, vectors: npt.NDArray[np.floating], n_users: int
) -> EventList:
    """The events, sorted by user and time; arguments as in `ProfileStates.from_events`.

    Raises:
        ConfigError: A weight is not finite, a user out of range, or lengths differ.
    """
    who, when = np.asarray(users, np.int64), np.asarray(at_us, np.int64)
    weight = np.asarray(weights, np.float64)
    if not len(who) == len(when) == len(weight) == len(vectors):
        raise ConfigError(
            f"events: expected equal lengths, found {len(who)}, {len(when)}, {len(weight)}, {len(vectors)}."
        )
    if len(who) and not (who.min() >= 0 and who.max() < n_users):
        raise ConfigError(f"users: expected numbers in [0, {n_users}), found {who.min()} to {who.max()}.")
    if not np.isfinite(weight).all():
        raise ConfigError(f"weights: expected finite numbers, found {int((~np.isfinite(weight)).sum())} that are not.")
    events = EventList(who, when, weight, vectors)
    order = np.lexsort((when, who))
    return events if np.array_equal(order, np.arange(len(who))) else events.take(order)
