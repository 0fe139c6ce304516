"""Profiles of many users, each as of a time of its own, from the log itself: the exact path."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.weighing import RecentEvents, Weighing
from dynprof.profile import age_seconds, masses_by_user, shrink
from dynprof.sums import weighted_sums

__all__ = ["profiles_before", "sums_before"]

_PIECE = 32_768
"""Events of one history summed at once. Pieces are counted from the history's own start, so that a profile is the same
to the last bit whatever else is computed beside it."""

_EVENTS_AT_ONCE = 65_536
"""Events after which a group of pieces is full. At most one piece more is held: 75 MB of fp16 at 384 dimensions."""


def profiles_before(
    log: EventLog,
    vectors: ItemVectors,
    tests: TestEvents,
    decays: Sequence[Weighing],
    *,
    prior: npt.NDArray[np.float32],
    prior_weight: float,
) -> npt.NDArray[np.float32]:
    """The profile of each test event's user from the events strictly before it, for every decay.

    Args:
        log: Events, at least those of the tested users.
        vectors: Of the log's items, norm 1 (or 0).
        tests: (n,) test events.
        decays: Or `RecentEvents`. All are computed from one reading of the vectors.
        prior: (n, dim) bio or population mean, norm <= 1.
        prior_weight: kappa >= 0, in units of event weight. At 0 a user without history has the vector 0.

    Returns:
        (n, len(decays), dim) float32, not normalised.
    """
    n, n_liked = len(tests), np.cumsum(np.append(0, log.weights > 0))

    def weigh(owners: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return _weigh(log, n_liked, tests, owners, positions, decays)

    sums, masses = sums_before(log, vectors, tests, weigh, (len(decays), prior.shape[1]))
    zeros = np.zeros(n)  # sums without error, and no need for n_effective
    profiles = np.empty((n, len(decays), prior.shape[1]), np.float32)
    for k, decay in enumerate(decays):
        plain = isinstance(decay, RecentEvents)
        kappa = 0.0 if plain else prior_weight
        profiles[:, k] = shrink(sums[:, k], masses[:, k], zeros, zeros, prior=prior, prior_weight=kappa).vectors
        if plain and prior_weight:
            unknown = masses[:, k] == 0
            profiles[unknown, k] = prior[unknown]
    return profiles


def _weigh(
    log: EventLog,
    n_liked: npt.NDArray[np.int64],
    tests: TestEvents,
    owners: npt.NDArray[np.int64],
    positions: npt.NDArray[np.int64],
    decays: Sequence[Weighing],
) -> npt.NDArray[np.float64]:
    """(k, len(decays)) weights of events of histories; `n_liked[i]`: the number of liked events below position i."""
    ages = age_seconds(tests.as_of_us[owners], log.event_us[positions])
    after = n_liked[tests.history_stop[owners]] - n_liked[positions + 1]
    places = np.where(log.weights[positions] > 0, after, -1)
    own = log.weights[positions]
    return np.stack([d.weights(places) if isinstance(d, RecentEvents) else own * d.weights(ages) for d in decays], 1)


def sums_before(
    log: EventLog,
    vectors: ItemVectors,
    tests: TestEvents,
    weigh: Callable[[npt.NDArray[np.int64], npt.NDArray[np.int64]], npt.NDArray[np.float64]],
    shape: tuple[int, int],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Weighted sums over the events strictly before each test event: sum w e, and sum |w|.

    Args:
        log: Events, at least those of the tested users.
        vectors: Of the log's items.
        tests: (n,) test events.
        weigh: From (k,) numbers of tests and (k,) positions in their histories to (k, m) weights.
        shape: m and the dimension of the vectors.

    Returns:
        (n, m, dim) sums, each to the last bit whatever is computed beside it, and (n, m) masses.
    """
    n, (n_weights, dim) = len(tests), shape
    sums, masses = np.zeros((n, n_weights, dim)), np.zeros((n, n_weights))
    owners, starts, stops = _pieces(tests)
    for group in _groups(stops - starts):
        positions, piece = _ranges(starts[group], stops[group])
        decayed = weigh(owners[group][piece], positions)
        n_pieces = len(owners[group])
        distinct, rows = np.unique(log.items[positions], return_inverse=True)
        partial = weighted_sums(piece, rows, decayed, vectors.take(distinct), n_pieces)
        np.add.at(sums, owners[group], partial)
        for k in range(n_weights):
            np.add.at(masses[:, k], owners[group], masses_by_user(piece, np.abs(decayed[:, k]), n_pieces))
    return sums, masses


def _ranges(
    starts: npt.NDArray[np.int64], stops: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All integers of the ranges [start, stop), one range after the other, and the number of the range of each."""
    lengths = stops - starts
    owner = np.repeat(np.arange(len(lengths)), lengths)
    first = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + (starts - first)[owner], owner


def _pieces(tests: TestEvents) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut the histories: test event, start and stop of each piece."""
    counts = -(-tests.n_history // _PIECE)
    number, owners = _ranges(np.zeros_like(counts), counts)
    starts = tests.history_start[owners] + number * _PIECE
    return owners, starts, np.minimum(starts + _PIECE, tests.history_stop[owners])


def _groups(lengths: npt.NDArray[np.int64]) -> list[slice]:
    """Slices of consecutive pieces with about `_EVENTS_AT_ONCE` events together."""
    if not len(lengths):
        return []
    bounds = np.flatnonzero(np.diff((np.cumsum(lengths) - 1) // _EVENTS_AT_ONCE)) + 1
    return [slice(a, b) for a, b in zip([0, *bounds], [*bounds, len(lengths)], strict=True)]
