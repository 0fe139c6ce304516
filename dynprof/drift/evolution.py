"""One entity's embedding under every schedule: steps, maturity, norms, staleness."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.drift.schedules import REAL_TIME, SCHEDULES, Moments, Schedule
from dynprof.drift.trail import Trail, distances, profiles_along

__all__ = ["Evolution", "evolve", "maturity", "resultant_lengths"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evolution:
    """One entity with n interactions, one decay, one schedule. All arrays are (n,), by interaction.

    Attributes:
        norms: Of what stands right after it.
        away: 1 - cosine of that and the last embedding of all.
        stale: 1 - cosine of what was served just before it and what a perfect system would have served.
        steps: 1 - cosine of the embeddings after this and the one before it; NaN for the first, and where updates
            are rare.
    """

    norms: FloatArray
    away: FloatArray
    stale: FloatArray
    steps: FloatArray


def evolve(
    trail: Trail, decay: Decay, *, prior: Matrix, prior_weight: float, schedules: tuple[Schedule, ...] = SCHEDULES
) -> dict[str, Evolution]:
    """Replay the interactions of one entity; by name of the schedule.

    Args:
        trail: At least one interaction.
        decay: f.
        prior: (dim,) norm <= 1.
        prior_weight: kappa >= 0. At 0 there is nothing to serve before the first interaction: the zero vector.
        schedules: Which.
    """

    def read(moments: Moments) -> Matrix:
        counts, as_of_us = moments.counts, moments.as_of_us
        made = profiles_along(trail, counts, as_of_us, decay, prior=prior, prior_weight=prior_weight)
        return np.asarray(made.vectors[moments.row], np.float32)

    embeddings, perfect = read(REAL_TIME.after(trail)), read(REAL_TIME.before(trail))
    nothing = np.full(len(trail), np.nan)
    found = {}
    for schedule in schedules:
        if schedule.period_us is None:
            after, stale = embeddings, np.zeros(len(trail))
            steps = np.append(np.nan, distances(after[1:], after[:-1]))
        else:
            after = read(schedule.after(trail))
            stale, steps = distances(after, perfect), nothing  # nothing is updated between before and after
        norms = np.linalg.norm(after.astype(np.float64), axis=1)
        found[schedule.name] = Evolution(norms, distances(after, embeddings[-1:]), stale, steps)
    return found


def maturity(away: FloatArray, alphas: FloatArray) -> IntArray:
    """The first interaction from which on the embedding stays within each alpha of the last one.

    Args:
        away: (n,) 1 - cosine to the last embedding right after each interaction, n > 0.
        alphas: (k,) > 0.

    Returns:
        (k,) in 1 to n; n also where only an update after the last interaction gets there.

    Source: arXiv 2312.15265, where the first time is enough.
    """
    furthest_from_here = np.maximum.accumulate(away[::-1])[::-1]
    n_outside = (furthest_from_here[None, :] >= np.asarray(alphas)[:, None]).sum(axis=1)
    return np.asarray(np.minimum(n_outside + 1, len(away)), np.int64)


def resultant_lengths(vectors: Matrix) -> FloatArray:
    """(n,) length of the plain mean of the first 1, 2, ... n vectors: 1 when they agree, 1/sqrt(n) for chance.

    Source: Mardia, Jupp, Directional Statistics, 2000, 2.3.
    """
    reached = np.cumsum(vectors, axis=0, dtype=np.float64)
    return np.asarray(np.linalg.norm(reached, axis=1) / np.arange(1, len(vectors) + 1))
