"""How the events of a history are weighed: by age, as a decay does, or by how many came after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["RECENT", "RecentEvents", "Weighing"]

FloatArray = npt.NDArray[np.float64]


class Weighing(Protocol):
    """Weights by age: a `Decay`, or anything of its form that is a frozen dataclass.

    `kind` and the half-life, None where there is none, are its name in the results.
    """

    @property
    def kind(self) -> str:
        """Its name."""
        ...

    @property
    def half_life_s(self) -> float | None:
        """Seconds."""
        ...

    def weights(self, age_s: npt.ArrayLike) -> FloatArray:
        """Weight of events by age in seconds, of the same shape."""
        ...


@dataclass(frozen=True)
class RecentEvents:
    """Weights by place: the last liked event has place 0. Disliked events (weight <= 0) have none and do not count.

    The profile is the plain weighted mean: the prior enters only where there is no liked event.

    Attributes:
        kind: Its name in the results.
        n_events: How many count; None for all.
        half_life_events: Places after which an event counts half; None for equal weights.
    """

    kind: str
    n_events: int | None = None
    half_life_events: float | None = None

    @property
    def half_life_s(self) -> None:
        """None: time plays no part."""

    def weights(self, place: npt.ArrayLike) -> FloatArray:
        """Weight of events by place from the end, of the same shape; any place < 0 is that of a disliked event."""
        place = np.asarray(place, np.float64)
        counted = (place >= 0) & (place < (np.inf if self.n_events is None else self.n_events))
        decayed = np.exp2(-place / self.half_life_events) if self.half_life_events else np.ones_like(place)
        return np.where(counted, decayed, 0.0)


RECENT = (
    RecentEvents("last item", n_events=1),
    RecentEvents("mean of last 5", n_events=5),
    RecentEvents("mean of last 20", n_events=20),
    RecentEvents("moving average", half_life_events=10.0),
)
"""What a profile has to beat that knows the order of events only. The moving average forgets half in ten events."""
