"""Whom a question is about: a user of the snapshot, somebody whom nobody knows, or a history that was posted."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.errors import AsOfError, UnknownUserError
from dynprof.history import History, WeightedTimes
from dynprof.sources import UserSource
from dynprof.user_profile import KnownUser, Prior, UserProfile

__all__ = ["Subject", "anybody", "known", "posted", "several", "user", "user_without"]

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Subject:
    """A profile that was read, and where the rest can be had.

    Attributes:
        user_id: None for a posted history.
        known: Whether the snapshot has the user; True for a posted history.
        decay: That it was read with.
        as_of_us: Its time, microseconds since 1970.
        read: The profile.
        bare: Reads it at any decay and time without the prior.
        prior: (dim,) what it was shrunk towards.
        prior_weight: kappa.
        times: When and how heavy the events were.
        history: The events with their vectors.
        seen: (n, 2) hashes of the texts of the events before `as_of_us`.
        is_whole: Whether the history is all that is known of the user: False where events were left out.
    """

    user_id: str | None
    known: bool
    decay: Decay
    as_of_us: int
    read: UserProfile
    bare: Callable[[Decay, int], UserProfile]
    prior: npt.NDArray[np.float32]
    prior_weight: float
    times: Callable[[], WeightedTimes]
    history: Callable[[], History]
    seen: Callable[[], Words]
    is_whole: bool = True


def user(users: UserSource, user_id: str, decay: Decay, as_of_us: int) -> Subject:
    """A user of the snapshot.

    Raises:
        UnknownUserError: There is no such user.
        AsOfError: The user is kept as sums, and the time is not after the last event.
    """
    return known(users, user_id, users.user(user_id), decay, as_of_us)


def known(users: UserSource, user_id: str, found: KnownUser, decay: Decay, as_of_us: int) -> Subject:
    """The same of a user who was found.

    Raises:
        AsOfError: As in `user`.
    """
    return _subject(users, user_id, found, found.profile(decay, as_of_us), decay, as_of_us)


def user_without(
    users: UserSource, user_id: str, history: History, event_ids: Collection[str], decay: Decay, as_of_us: int
) -> tuple[Subject, npt.NDArray[np.int64]]:
    """A user as if some events had never been, and the positions of the others in the user's history.

    Every other event is weighed anew, so the profile is exact for everybody. What the texts of those events were stays
    known: they are not recommended.

    Args:
        users: Where the user is.
        user_id: Who.
        history: All events of the user.
        event_ids: Of those that are left out; others that the user does not have change nothing.
        decay: f.
        as_of_us: Microseconds since 1970.

    Raises:
        UnknownUserError: There is no such user.
    """
    found = users.user(user_id)
    stays = np.flatnonzero([event_id not in event_ids for event_id in history.events["event_id"].to_pylist()])
    rest = history.take(stays)
    read_rest = partial(rest.profile, prior=found.prior, prior_kind=found.prior_kind)
    return Subject(
        user_id,
        True,
        decay,
        as_of_us,
        read_rest(decay, as_of_us, prior_weight=found.prior_weight),
        partial(read_rest, prior_weight=0.0),
        found.prior,
        found.prior_weight,
        times=lambda: rest,
        history=lambda: rest,
        seen=partial(users.seen, user_id, as_of_us),
        is_whole=False,
    ), stays


def several(users: UserSource, user_ids: Sequence[str], decay: Decay, as_of_us: int) -> list[Subject | Exception]:
    """Users of the snapshot, in order; in the place of one who cannot be read the error that `user` raises."""
    found: list[Subject | Exception] = []
    for user_id in user_ids:
        try:
            found.append(user(users, user_id, decay, as_of_us))
        except (UnknownUserError, AsOfError) as error:
            found.append(error)
    return found


def anybody(users: UserSource, user_id: str, decay: Decay, as_of_us: int) -> Subject:
    """The same, but somebody unknown is somebody without events and bio, not an error.

    Raises:
        UnknownUserError: The id is empty, which nobody's is.
        AsOfError: As in `user`.
    """
    try:
        return user(users, user_id, decay, as_of_us)
    except UnknownUserError:
        if not user_id:
            raise
        empty = History.empty(len(users.population))
        return posted(users, empty, np.empty((0, 2), np.uint64), None, decay, as_of_us, stranger=user_id)


def posted(
    users: UserSource,
    history: History,
    seen: Words,
    bio: npt.NDArray[np.float32] | None,
    decay: Decay,
    as_of_us: int,
    *,
    stranger: str | None = None,
) -> Subject:
    """A visitor: every event is weighed, no state is made.

    Args:
        users: For the prior of those without a bio.
        history: The visitor's events.
        seen: Hashes of their texts.
        bio: (dim,) vector of it; None without one.
        decay: f.
        as_of_us: Microseconds since 1970.
        stranger: The id of a user whom nobody knows.
    """
    kind: Prior = "population" if bio is None else "bio"
    prior = users.population if bio is None else bio
    read = history.profile(decay, as_of_us, prior=prior, prior_kind=kind, prior_weight=users.prior_weight)
    return Subject(
        stranger,
        stranger is None,
        decay,
        as_of_us,
        read,
        lambda decay, at_us: history.profile(decay, at_us, prior=prior, prior_kind=kind, prior_weight=0.0),
        prior,
        users.prior_weight,
        times=lambda: history,
        history=lambda: history,
        seen=lambda: seen,
    )


def _subject(
    users: UserSource, user_id: str, found: KnownUser, read: UserProfile, decay: Decay, as_of_us: int
) -> Subject:
    def times() -> WeightedTimes:
        if found.is_heavy:
            return users.times(user_id)
        return WeightedTimes(found.states.events.at_us, found.states.events.weights)

    return Subject(
        user_id,
        True,
        decay,
        as_of_us,
        read,
        lambda decay, at_us: replace(found, prior_weight=0.0).profile(decay, at_us),
        found.prior,
        found.prior_weight,
        times,
        history=lambda: users.history(user_id),
        seen=lambda: users.seen(user_id, as_of_us),
    )
