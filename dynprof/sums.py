"""Weighted sums of vectors by user: the one kernel behind profiles, states and the exact path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["weighted_sums"]

_SEGMENT = 4096
"""Events summed in float32 before the partial sums are added in float64: bounds the rounding of heavy users."""

_EVENTS_AT_ONCE = 512
"""Events whose vectors are brought together and widened at a time: with 384 dimensions 768 KiB, which stay in cache."""


def weighted_sums(
    users: npt.NDArray[np.integer],
    rows: npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating],
    vectors: npt.NDArray[np.floating],
    n_users: int,
) -> npt.NDArray[np.float32]:
    """Sum over a user's events of weight x vector, for several weights an event at once.

    One small matrix product a user, (n_weights, events) x (events, dim); users with equally many events go through
    one batched call, a cacheful of vectors at a time. Which users share a batch does not change a bit of the result.

    Args:
        users: (n,) user of each event, in [0, n_users), rising.
        rows: (n,) row of each event's vector in `vectors`; rows may be shared.
        weights: (n, n_weights).
        vectors: (m, dim) float16 or float32; widened to float32 piece by piece, never as a whole.
        n_users: Number of users, also those without an event (their sums are 0).

    Returns:
        (n_users, n_weights, dim) float32.
    """
    n_weights, dim = weights.shape[1], vectors.shape[1]
    out = np.zeros((n_users, n_weights, dim), np.float32)
    factors = weights.astype(np.float32, copy=False)
    if 0 < len(users) <= _EVENTS_AT_ONCE and users[0] == users[-1]:  # one user, as when a profile is asked for
        out[users[0]] = (factors[None].swapaxes(1, 2) @ vectors[rows][None].astype(np.float32, copy=False))[0]
        return out
    starts = np.flatnonzero(np.diff(users, prepend=-1))
    lengths, owners = np.diff(starts, append=len(users)), users[starts]
    for length in np.unique(lengths[lengths <= _EVENTS_AT_ONCE]):
        runs = np.flatnonzero(lengths == length)
        per_call = _EVENTS_AT_ONCE // length
        for first in range(0, len(runs), per_call):
            mine = runs[first : first + per_call]
            events = starts[mine, None] + np.arange(length)
            widened = vectors[rows[events]].astype(np.float32, copy=False)
            out[owners[mine]] = factors[events].swapaxes(1, 2) @ widened
    for run in np.flatnonzero(lengths > _EVENTS_AT_ONCE):
        stop = starts[run] + lengths[run]
        out[owners[run]] = sum(
            _segment_sum(slice(start, min(start + _SEGMENT, stop)), rows, factors, vectors)
            for start in range(starts[run], stop, _SEGMENT)
        )
    return out


def _segment_sum(
    events: slice, rows: npt.NDArray[np.integer], factors: npt.NDArray[np.float32], vectors: npt.NDArray[np.floating]
) -> npt.NDArray[np.float64]:
    """(n_weights, dim) of at most `_SEGMENT` events of one user."""
    product = factors[events].T @ vectors[rows[events]].astype(np.float32, copy=False)
    return np.asarray(product, np.float64)
