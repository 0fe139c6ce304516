"""Weighted sums of vectors by user: the one kernel behind profiles, states and the exact path."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["weighted_sums"]

_SEGMENT = 4096
"""Events summed in float32 before the partial sums are added in float64: bounds the rounding of heavy users."""


def weighted_sums(
    users: npt.NDArray[np.integer],
    rows: npt.NDArray[np.integer],
    weights: npt.NDArray[np.floating],
    vectors: npt.NDArray[np.float32],
    n_users: int,
) -> npt.NDArray[np.float32]:
    """Sum over a user's events of weight x vector, for several weights an event at once.

    One sparse product per call: the (user, weight) pairs of a user are neighbouring rows, so that the user's vectors
    are read from memory once and from cache for every further weight.

    Args:
        users: (n,) user of each event, in [0, n_users), rising.
        rows: (n,) row of each event's vector in `vectors`; rows may be shared.
        weights: (n, n_weights).
        vectors: (m, dim) float32.
        n_users: Number of users, also those without an event (their sums are 0).

    Returns:
        (n_users, n_weights, dim) float32.
    """
    n_weights, dim = weights.shape[1], vectors.shape[1]
    starts, owners = _segments(users)
    matrix = _segment_matrix(starts, rows, weights, len(vectors))
    partial = (matrix @ vectors).reshape(len(owners), n_weights, dim)
    if len(owners) == n_users and np.array_equal(owners, np.arange(n_users)):
        return np.asarray(partial)
    out = np.zeros((n_users, n_weights, dim), np.float32)
    first = np.flatnonzero(np.diff(owners, prepend=-1))
    single = np.diff(first, append=len(owners)) == 1
    out[owners[first[single]]] = partial[first[single]]
    for start, stop in zip(first[~single], np.append(first, len(owners))[1:][~single], strict=True):
        out[owners[start]] = partial[start:stop].sum(0, dtype=np.float64)
    return out


def _segments(users: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cut events into runs of one user, none longer than `_SEGMENT`: starts (s + 1,) and the users (s,)."""
    n = len(users)
    run_starts = np.flatnonzero(np.diff(users, prepend=-1)).astype(np.int64)
    pieces = -(-np.diff(run_starts, append=n) // _SEGMENT)
    piece = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts = np.repeat(run_starts, pieces) + piece * _SEGMENT
    return np.append(starts, n), users[starts].astype(np.int64)


def _segment_matrix(
    starts: npt.NDArray[np.int64], rows: npt.NDArray[np.integer], weights: npt.NDArray[np.floating], n_rows: int
) -> csr_matrix:
    """(segments x n_weights, n_rows): row s * n_weights + k holds weight k of the events of segment s."""
    n_weights = weights.shape[1]
    lengths = np.repeat(np.diff(starts), n_weights)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    shift = np.repeat(starts[:-1], n_weights) - indptr[:-1]
    event = np.arange(indptr[-1]) + np.repeat(shift, lengths)
    kind = np.repeat(np.tile(np.arange(n_weights), len(starts) - 1), lengths)
    data = weights.astype(np.float32, copy=False)[event, kind]
    index = np.int32 if max(indptr[-1], n_rows) < 2**31 else np.int64
    indices = rows.astype(index, copy=False)[event]
    return csr_matrix((data, indices, indptr.astype(index)), shape=(len(lengths), n_rows), copy=False)
