"""One user of a snapshot: the state, the prior, and the profile that is read out of them at any decay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Literal

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.errors import AsOfError
from dynprof.profile import Profiles, mass_of_one
from dynprof.snapshot import format_time_us
from dynprof.state import ProfileStates

__all__ = ["KnownUser", "Prior", "UserProfile", "span_of"]

Prior = Literal["bio", "population"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class UserProfile:
    """One user's profile as of one time.

    Attributes:
        mass: sum |w|.
        n_effective: How many equal events would carry the same information.
        error_bound: Bound on the distance to the exact profile; 0 for light users.
        n_events: Events with a vector before the time.
        first_us: Time of the earliest of them, microseconds since 1970; None without events.
        last_us: Time of the latest of them.
        prior: What the profile is shrunk towards, and all it is made of where `mass` is 0.
        read_vector: Gives `vector`.
    """

    mass: float
    n_effective: float
    error_bound: float
    n_events: int
    first_us: int | None
    last_us: int | None
    prior: Prior
    read_vector: Callable[[], npt.NDArray[np.float32]]

    @cached_property
    def vector(self) -> npt.NDArray[np.float32]:
        """(dim,) float32, norm <= 1. Made when first asked for: what else is said of a profile needs none."""
        return self.read_vector()

    @property
    def basis(self) -> Literal["events", "bio", "population"]:
        """What the vector says: the user's events, or only a prior."""
        return "events" if self.mass > 0 else self.prior

    @classmethod
    def of(cls, read: Profiles, span: tuple[int, int | None, int | None], prior: Prior) -> UserProfile:
        """The only row of `read`, with number, first and last time of its events."""
        mass, n_effective, bound = (float(a[0]) for a in (read.mass, read.n_effective, read.error_bound))
        vector: npt.NDArray[np.float32] = read.vectors[0]
        return cls(mass, n_effective, bound, *span, prior, lambda: vector)


@dataclass(frozen=True)
class KnownUser:
    """What is kept of one user.

    Attributes:
        states: Of this user alone (`n_users` is 1).
        prior: (dim,) float32, norm <= 1.
        prior_kind: What the prior is.
        prior_weight: kappa, in units of event weight.
    """

    states: ProfileStates
    prior: npt.NDArray[np.float32]
    prior_kind: Prior
    prior_weight: float

    @property
    def is_heavy(self) -> bool:
        """True where sums are kept instead of events."""
        return len(self.states.heavy) > 0

    def profile(self, decay: Decay, as_of_us: int) -> UserProfile:
        """Read the profile.

        Args:
            decay: Any kind, at any half-life.
            as_of_us: Microseconds since 1970; events at or after it do not count.

        Raises:
            AsOfError: The user has sums instead of events, and the time is not after the last of them.
        """
        span, read = self._span(as_of_us), partial(self._read, decay, as_of_us)
        if self.is_heavy:
            return UserProfile.of(read(), span, self.prior_kind)
        events = self.states.events
        mass, n_effective = mass_of_one(events.at_us, events.weights, decay, as_of_us)
        return UserProfile(mass, n_effective, 0.0, *span, self.prior_kind, lambda: read().vectors[0])

    def _read(self, decay: Decay, as_of_us: int) -> Profiles:
        return self.states.profile(decay, as_of_us, prior=self.prior[None], prior_weight=self.prior_weight)

    def _span(self, as_of_us: int) -> tuple[int, int | None, int | None]:
        if not self.is_heavy:
            return span_of(self.states.events.at_us, as_of_us)
        s = self.states
        n_events, first_us, last_us = int(s.n_events[0]), int(s.first_us[0]), int(s.last_us[0])
        if last_us >= as_of_us:
            raise AsOfError(
                f"as_of: expected a time after {format_time_us(last_us)}, the last of the user's {n_events} events, "
                f"found {format_time_us(as_of_us)}. Users with more than {s.bank.size} events are kept as sums, which "
                "cannot be turned back; ask for a later time or use a snapshot built as of an earlier one."
            )
        return n_events, first_us, last_us


def span_of(at_us: IntArray, as_of_us: int) -> tuple[int, int | None, int | None]:
    """Number, first and last time of the events before a time.

    Args:
        at_us: (n,) rising.
        as_of_us: Microseconds since 1970.
    """
    n = int(np.searchsorted(at_us, as_of_us, "left"))
    return (n, int(at_us[0]), int(at_us[n - 1])) if n else (0, None, None)
