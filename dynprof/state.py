"""The mergeable state of users: any decay at any half-life is read out of it when the profile is asked for.

Per user either the few events themselves (a light user, at most K events: exact) or, for every half-life of the bank,
the decayed sums S_j(T) = sum w 2^(-(T-t)/h_j) e and masses, as of the user's last event T. Merging adds, so any order
and any split of the events gives the same state up to rounding, and which of the two forms a user has depends on the
number of events alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.decay import Decay
from dynprof.errors import AsOfError, ConfigError
from dynprof.event_list import EventList, checked_events
from dynprof.profile import Profiles, age_seconds, masses_by_user, shrink
from dynprof.readout import UserReadouts, solve_readout
from dynprof.sums import weighted_sums

__all__ = ["NEVER_US", "ProfileStates"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

NEVER_US = np.iinfo(np.int64).min
"""`first_us` and `last_us` of a user without events."""


@dataclass(frozen=True)
class ProfileStates:
    """States of `n_users` users, numbered from 0. Immutable: `add` and `merge` return new ones.

    Attributes:
        bank: Half-lives of the sums.
        n_events: (n_users,) int64.
        first_us: (n_users,) time of the earliest event; `NEVER_US` without events.
        last_us: (n_users,) time of the latest event: what the sums refer to.
        events: The events of the light users.
        heavy: (n_heavy,) int64, rising: the users that have sums.
        sums: (n_heavy, K, dim) float32.
        masses: (n_heavy, K) float64: sum |w| 2^(-(T-t)/h_j).
        square_masses: (n_heavy, K) float64: sum w^2 2^(-(T-t)/h_j).
    """

    bank: Bank
    n_events: IntArray
    first_us: IntArray
    last_us: IntArray
    events: EventList
    heavy: IntArray
    sums: npt.NDArray[np.float32]
    masses: FloatArray
    square_masses: FloatArray

    @property
    def n_users(self) -> int:
        """Number of users, with and without events."""
        return len(self.n_events)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self.sums.shape[2])

    @classmethod
    def empty(cls, n_users: int, dim: int, *, bank: Bank = DEFAULT_BANK) -> ProfileStates:
        """States of users without any event: the neutral element of `merge`."""
        never = np.full(n_users, NEVER_US, np.int64)
        no_sums, no_masses = np.zeros((0, bank.size, dim), np.float32), np.zeros((0, bank.size))
        return cls(
            bank,
            np.zeros(n_users, np.int64),
            never,
            never,
            EventList.empty(dim),
            np.empty(0, np.int64),
            no_sums,
            no_masses,
            no_masses,
        )

    @classmethod
    def from_events(
        cls,
        users: npt.ArrayLike,
        at_us: npt.ArrayLike,
        weights: npt.ArrayLike,
        vectors: npt.NDArray[np.floating],
        n_users: int,
        *,
        bank: Bank = DEFAULT_BANK,
    ) -> ProfileStates:
        """Fold events, in any order, into the states of their users.

        Args:
            users: (n,) user of each event, in [0, n_users).
            at_us: (n,) microseconds since 1970.
            weights: (n,) finite; negative for a dislike.
            vectors: (n, dim) norm 1 (or 0); light users keep them in the precision given.
            n_users: Number of users.
            bank: Half-lives of the sums.

        Raises:
            ConfigError: A weight is not finite, a user out of range, or lengths differ.
        """
        events = checked_events(users, at_us, weights, vectors, n_users)
        return cls.empty(n_users, vectors.shape[1], bank=bank)._with_events(events)

    def add(
        self, users: npt.ArrayLike, at_us: npt.ArrayLike, weights: npt.ArrayLike, vectors: npt.NDArray[np.floating]
    ) -> ProfileStates:
        """The states with more events folded in, late ones included. Arguments as in `from_events`."""
        return self._with_events(checked_events(users, at_us, weights, vectors, self.n_users))

    def merge(self, other: ProfileStates) -> ProfileStates:
        """Add two states of the same users. Associative and commutative up to rounding.

        Raises:
            ConfigError: The two differ in bank, dimension or number of users.
        """
        if (self.bank, self.dim, self.n_users) != (other.bank, other.dim, other.n_users):
            raise ConfigError(
                f"merge: expected equal dimensions, users and banks, found {self.dim} and {other.dim} dimensions, "
                f"{self.n_users} and {other.n_users} users, {'one bank' if self.bank == other.bank else 'two banks'}."
            )
        last_us = np.maximum(self.last_us, other.last_us)
        heavy = np.union1d(self.heavy, other.heavy)
        sums = np.zeros((len(heavy), self.bank.size, self.dim), np.float32)
        masses, square_masses = np.zeros((2, len(heavy), self.bank.size))
        for part in (self, other):
            row = np.searchsorted(heavy, part.heavy)
            factors = part.bank.factors(age_seconds(last_us[part.heavy], part.last_us[part.heavy]))
            sums[row] += part.sums * factors[:, :, None].astype(np.float32)
            masses[row] += part.masses * factors
            square_masses[row] += part.square_masses * factors
        met = ProfileStates(
            self.bank,
            self.n_events + other.n_events,
            _earlier(self.first_us, other.first_us),
            last_us,
            self.events,
            heavy,
            sums,
            masses,
            square_masses,
        )
        return met._settle(other.events)

    def profile(
        self,
        decay: Decay,
        as_of_us: int,
        *,
        prior: npt.NDArray[np.floating] | float = 0.0,
        prior_weight: float = 0.0,
    ) -> Profiles:
        """Read every user's profile out at any decay and half-life.

        Args:
            decay: f, chosen now.
            as_of_us: Microseconds since 1970; events at or after it do not count. Light users may be read at any
                time, heavy ones only after their last event: their sums already contain it.
            prior: (dim,) or (n_users, dim), norm <= 1.
            prior_weight: kappa >= 0, in units of event weight.

        Returns:
            Profiles; `error_bound` is 0 for light users (rounding of float32 apart).

        Raises:
            AsOfError: `as_of_us` is not after the last event of every heavy user.
        """
        self._check_as_of(as_of_us)
        sums, mass, square_mass, error = self._read_light(decay, as_of_us)
        if len(self.heavy):
            self._read_heavy(decay, as_of_us, sums, mass, square_mass, error)
        prior = (
            np.broadcast_to(np.asarray(prior, np.float32), (self.dim,)) if np.ndim(prior) == 0 else np.asarray(prior)
        )
        return shrink(sums, mass, square_mass, error, prior=prior, prior_weight=prior_weight)

    def error_bound(self, decay: Decay) -> float:
        """Largest error of any event's weight when a heavy user is read at this decay, ages up to ten years."""
        return solve_readout(self.bank, decay).sup_error

    def _read_light(
        self, decay: Decay, as_of_us: int
    ) -> tuple[npt.NDArray[np.float32], FloatArray, FloatArray, FloatArray]:
        e = self.events
        decayed = np.where(e.at_us < as_of_us, e.weights * decay.weights(age_seconds(as_of_us, e.at_us)), 0.0)
        sums = weighted_sums(e.users, np.arange(len(e)), decayed[:, None], e.vectors, self.n_users)[:, 0]
        mass = masses_by_user(e.users, np.abs(decayed), self.n_users)
        return sums, mass, masses_by_user(e.users, decayed**2, self.n_users), np.zeros(self.n_users)

    def _read_heavy(
        self,
        decay: Decay,
        as_of_us: int,
        sums: npt.NDArray[np.float32],
        mass: FloatArray,
        square_mass: FloatArray,
        error: FloatArray,
    ) -> None:
        """Fill in the rows of the heavy users."""
        idle_s = age_seconds(as_of_us, self.last_us[self.heavy])
        oldest_s = age_seconds(as_of_us, self.first_us[self.heavy])
        read = UserReadouts.solve(self.bank, decay, idle_s=idle_s, oldest_s=oldest_s)
        factors = self.bank.factors(read.idle_s)
        coefficients = (factors * read.coefficients * read.scale[:, None]).astype(np.float32)
        sums[self.heavy] = np.matmul(coefficients[:, None, :], self.sums)[:, 0]
        masses = self.masses * factors
        mass[self.heavy] = (masses * read.coefficients).sum(1) * read.scale
        square_mass[self.heavy] = (self.square_masses * factors * read.squared).sum(1) * read.scale**2
        error[self.heavy] = read.error_bound(masses)

    def _check_as_of(self, as_of_us: int) -> None:
        late = self.heavy[self.last_us[self.heavy] >= as_of_us]
        if len(late):
            raise AsOfError(
                f"as_of: expected a time after the last event, found {as_of_us} us and {len(late)} users whose "
                f"sums hold an event at or after it (user number {late[0]} at {self.last_us[late[0]]} us). "
                "Ask for a later time, or use the exact path, which reads the log."
            )

    def _with_events(self, events: EventList) -> ProfileStates:
        n_new = np.bincount(events.users, minlength=self.n_users)
        first_us, last_us = self.first_us.copy(), self.last_us.copy()
        np.maximum.at(last_us, events.users, events.at_us)
        new = np.flatnonzero(n_new)
        first_us[new] = _earlier(first_us[new], events.at_us[np.searchsorted(events.users, new)])
        moved = self.bank.factors(age_seconds(last_us[self.heavy], self.last_us[self.heavy]))
        return ProfileStates(
            self.bank,
            self.n_events + n_new,
            first_us,
            last_us,
            self.events,
            self.heavy,
            self.sums * moved[:, :, None].astype(np.float32),
            self.masses * moved,
            self.square_masses * moved,
        )._settle(events)

    def _settle(self, more: EventList) -> ProfileStates:
        """Keep `more` and the events there already as lists, or fold them into sums: by the user's number of events."""
        heavy = np.flatnonzero(self.n_events > self.bank.size)
        stay, leave = [], []
        for events in (self.events, more):
            leaving = self.n_events[events.users] > self.bank.size
            stay.append(events if not leaving.any() else events.take(~leaving))
            leave.append(events.take(leaving))
        light, folding = stay[0].join(stay[1]), leave[0].join(leave[1])
        if not len(folding):  # nobody new is heavy
            return replace(self, events=light)
        sums, masses, square_masses = self._folded(folding, heavy)
        row = np.searchsorted(heavy, self.heavy)
        sums[row] += self.sums
        masses[row] += self.masses
        square_masses[row] += self.square_masses
        return replace(self, events=light, heavy=heavy, sums=sums, masses=masses, square_masses=square_masses)

    def _folded(self, events: EventList, heavy: IntArray) -> tuple[npt.NDArray[np.float32], FloatArray, FloatArray]:
        """Sums and masses of events of heavy users, as of each user's last event."""
        position = np.searchsorted(heavy, events.users)
        factors = self.bank.factors(age_seconds(self.last_us[events.users], events.at_us))
        signed = events.weights[:, None] * factors
        sums = weighted_sums(position, np.arange(len(events)), signed, events.vectors, len(heavy))
        masses = _sums_by(position, np.abs(signed), len(heavy))
        return sums, masses, _sums_by(position, events.weights[:, None] ** 2 * factors, len(heavy))


def _sums_by(group: IntArray, values: FloatArray, n_groups: int) -> FloatArray:
    """(n, k) values summed by group: (n_groups, k) float64."""
    return np.stack([masses_by_user(group, column, n_groups) for column in values.T], axis=1)


def _earlier(a: IntArray, b: IntArray) -> IntArray:
    """The earlier of two times, `NEVER_US` counting as later than any."""
    return np.asarray(np.where(a == NEVER_US, b, np.where(b == NEVER_US, a, np.minimum(a, b))))
