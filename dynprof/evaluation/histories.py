"""Profiles of many users, each as of a time of its own, from the log itself: the exact path."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.profile import age_seconds, masses_by_user, shrink
from dynprof.sums import weighted_sums

__all__ = ["mean_vector", "profiles_before", "ranges"]

FloatArray = npt.NDArray[np.float64]

_PIECE = 32_768
"""Events of one history summed at once. Pieces are counted from the history's own start, so that a profile is the same
to the last bit whatever else is computed beside it."""

_EVENTS_AT_ONCE = 65_536
"""Events whose vectors are held as float32 at once: 100 MB at 384 dimensions."""


def profiles_before(
    log: EventLog,
    vectors: npt.NDArray[np.float16],
    tests: TestEvents,
    decays: Sequence[Decay],
    *,
    prior: npt.NDArray[np.float32],
    prior_weight: float,
) -> npt.NDArray[np.float32]:
    """The profile of each test event's user from the events strictly before it, for every decay.

    Args:
        log: All events.
        vectors: (n_items, dim), norm 1 (or 0).
        tests: (n,) test events.
        decays: All are computed from one reading of the vectors.
        prior: (n, dim) bio or population mean, norm <= 1.
        prior_weight: kappa >= 0, in units of event weight. At 0 a user without history has the vector 0.

    Returns:
        (n, len(decays), dim) float32, not normalised.
    """
    n, dim = len(tests), vectors.shape[1]
    sums = np.zeros((n, len(decays), dim))
    masses = np.zeros((n, len(decays)))
    owners, starts, stops = _pieces(tests)
    for group in _groups(stops - starts):
        positions, piece = ranges(starts[group], stops[group])
        ages = age_seconds(tests.event_us[owners[group][piece]], log.event_us[positions])
        decayed = np.stack([log.weights[positions] * d.weights(ages) for d in decays], axis=1)
        n_pieces = len(owners[group])
        partial = weighted_sums(piece, log.items[positions], decayed, vectors, n_pieces)
        np.add.at(sums, owners[group], partial)
        for k in range(len(decays)):
            np.add.at(masses[:, k], owners[group], masses_by_user(piece, np.abs(decayed[:, k]), n_pieces))
    zeros = np.zeros(n)  # sums without error, and no need for n_effective
    shrunk = [
        shrink(sums[:, k], masses[:, k], zeros, zeros, prior=prior, prior_weight=prior_weight).vectors
        for k in range(len(decays))
    ]
    return np.stack(shrunk, axis=1)


def mean_vector(vectors: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """(dim,) mean of (n, dim) vectors; zeros where n = 0."""
    total = np.zeros(vectors.shape[1])
    for start in range(0, len(vectors), _EVENTS_AT_ONCE):
        total += vectors[start : start + _EVENTS_AT_ONCE].sum(axis=0, dtype=np.float64)
    return np.asarray(total / max(len(vectors), 1), np.float32)


def ranges(
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
    number, owners = ranges(np.zeros_like(counts), counts)
    starts = tests.history_start[owners] + number * _PIECE
    return owners, starts, np.minimum(starts + _PIECE, tests.history_stop[owners])


def _groups(lengths: npt.NDArray[np.int64]) -> list[slice]:
    """Slices of consecutive pieces with about `_EVENTS_AT_ONCE` events together."""
    if not len(lengths):
        return []
    bounds = np.flatnonzero(np.diff((np.cumsum(lengths) - 1) // _EVENTS_AT_ONCE)) + 1
    return [slice(a, b) for a, b in zip([0, *bounds], [*bounds, len(lengths)], strict=True)]
