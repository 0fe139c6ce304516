"""The interactions of one entity, and its profile at many moments of its own past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.profile import Profiles, age_seconds, shrink

__all__ = ["Trail", "distances", "profiles_along", "unit"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Matrix = npt.NDArray[np.float32]

_BLOCK = 256
"""Interactions weighed at once. A memoryless decay carries the sum of the earlier ones on: none is weighed twice."""


@dataclass(frozen=True)
class Trail:
    """The interactions of one user or item, oldest first.

    Attributes:
        at_us: (n,) int64 microseconds since 1970, never falling.
        weights: (n,) before decay; may be negative.
        vectors: (n, dim) float32, norm 1 (or 0).
    """

    at_us: IntArray
    weights: FloatArray
    vectors: Matrix

    def __len__(self) -> int:
        return len(self.at_us)

    def first(self, n: int) -> Trail:
        """The first n interactions."""
        return Trail(self.at_us[:n], self.weights[:n], self.vectors[:n])

    def before(self, as_of_us: IntArray) -> IntArray:
        """(k,) number of interactions strictly before each time."""
        return np.asarray(np.searchsorted(self.at_us, as_of_us, side="left"), np.int64)


def profiles_along(
    trail: Trail, counts: IntArray, as_of_us: IntArray, decay: Decay, *, prior: Matrix, prior_weight: float
) -> Profiles:
    """The exact profile from the first interactions, as of several times.

    Args:
        trail: n interactions.
        counts: (k,) how many of them count, never falling, in [0, n].
        as_of_us: (k,) when; at or after the last that counts.
        decay: f.
        prior: (dim,) norm <= 1.
        prior_weight: kappa >= 0.

    Returns:
        Of k rows.
    """
    k, dim = len(counts), trail.vectors.shape[1]
    sums, mass, square = np.zeros((k, dim)), np.zeros(k), np.zeros(k)
    carried, carried_mass, carried_square = np.zeros(dim), 0.0, 0.0
    for start in range(0, int(counts.max(initial=0)), _BLOCK):
        stop = min(start + _BLOCK, len(trail))
        mine = slice(*np.searchsorted(counts, [start + 1, stop + 1]))
        first = start if decay.is_memoryless else 0
        # One row more: the block as of its own last interaction, to be carried on.
        when = np.append(as_of_us[mine], trail.at_us[stop - 1])
        weights = trail.weights[first:stop] * decay.weights(age_seconds(when[:, None], trail.at_us[None, first:stop]))
        weights[np.arange(first, stop) >= np.append(counts[mine], stop)[:, None]] = 0.0
        total = (weights.astype(np.float32) @ trail.vectors[first:stop]).astype(np.float64)
        own, own_square = np.abs(weights).sum(axis=1), np.square(weights).sum(axis=1)
        if decay.is_memoryless and start:
            fade = decay.weights(age_seconds(when, trail.at_us[start - 1]))
            total += fade[:, None] * carried
            own, own_square = own + fade * carried_mass, own_square + fade**2 * carried_square
        sums[mine], mass[mine], square[mine] = total[:-1], own[:-1], own_square[:-1]
        carried, carried_mass, carried_square = total[-1], own[-1], own_square[-1]
    return shrink(sums, mass, square, np.zeros(k), prior=prior, prior_weight=prior_weight)


def distances(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> FloatArray:
    """1 - cosine of each row of (n, dim) with that of another, in [0, 2]; a zero vector is at distance 1."""
    return np.asarray(1 - np.clip(np.einsum("nd,nd->n", unit(a), np.broadcast_to(unit(b), a.shape)), -1, 1), np.float64)


def unit(vectors: npt.NDArray[np.floating]) -> FloatArray:
    """Rows at length 1; zeros stay zeros."""
    wide = np.asarray(vectors, np.float64)
    norms = np.linalg.norm(wide, axis=-1, keepdims=True)
    return np.asarray(np.divide(wide, norms, out=np.zeros_like(wide), where=norms > 0), np.float64)
