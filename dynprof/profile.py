"""What a profile is: the shrunk, decayed mean of a user's events. One formula for every path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.sums import weighted_sums

__all__ = ["MICROSECONDS", "Profiles", "age_seconds", "exact_profiles", "mass_of_one", "masses_by_user", "shrink"]

FloatArray = npt.NDArray[np.float64]

MICROSECONDS = 1_000_000
"""Times inside dynprof are int64 microseconds since 1970: strict comparison with `as_of` needs whole numbers."""


@dataclass(frozen=True)
class Profiles:
    """Profiles of n users as of one time.

    Attributes:
        vectors: (n, dim) float32, (sum w e + kappa prior) / (sum |w| + kappa); norm <= 1. 0 where the divisor is
            0, or below the least float32, 1e-45: about 150 half-lives idle without a prior.
        mass: (n,) sum |w|.
        n_effective: (n,) (sum |w|)^2 / sum w^2: how many equal events would carry the same information; 0 for none.
        error_bound: (n,) bound on the length of `vectors` minus the exact ones; 0 on the exact path.
    """

    vectors: npt.NDArray[np.float32]
    mass: FloatArray
    n_effective: FloatArray
    error_bound: FloatArray


def age_seconds(as_of_us: int | npt.NDArray[np.int64], event_us: npt.NDArray[np.int64]) -> FloatArray:
    """Ages in seconds, float64."""
    return np.asarray(as_of_us - event_us, np.float64) / MICROSECONDS


def masses_by_user(users: npt.NDArray[np.integer], weights: FloatArray, n_users: int) -> FloatArray:
    """Sum of weights by user, float64 also where there is no event at all."""
    return np.bincount(users, weights, n_users).astype(np.float64)


def mass_of_one(at_us: npt.NDArray[np.int64], weights: FloatArray, decay: Decay, as_of_us: int) -> tuple[float, float]:
    """`mass` and `n_effective` of one user's few events, to the bit as they are in `Profiles`, without a vector."""
    early = at_us < as_of_us
    decayed = (weights * decay.weights(age_seconds(as_of_us, at_us)))[early].tolist()
    mass, square_mass = sum(map(abs, decayed), 0.0), sum((w * w for w in decayed), 0.0)
    return mass, mass * mass / square_mass if square_mass > 0 else 0.0


def shrink(
    sums: npt.NDArray[np.floating],
    mass: FloatArray,
    square_mass: FloatArray,
    sum_error: FloatArray,
    *,
    prior: npt.NDArray[np.floating],
    prior_weight: float,
) -> Profiles:
    """Profiles from sums: p = (sum w e + kappa prior) / (sum |w| + kappa).

    Args:
        sums: (n, dim) sum w e; or (n, n_decays, dim), and the rest alike.
        mass: (n,) sum |w|.
        square_mass: (n,) sum w^2.
        sum_error: (n,) bound on the error of `mass` and of the length of `sums`.
        prior: Norm <= 1, of a shape that broadcasts to that of `sums`: (dim,) for all, (n, dim) for each user.
        prior_weight: kappa >= 0, in units of event weight.
    """
    mass, square_mass = np.maximum(mass, 0.0), np.maximum(square_mass, 0.0)
    total = mass + prior_weight
    faint = total < np.finfo(np.float32).tiny  # 1 / total is no float32 any more
    scale = np.divide(1.0, total, out=np.zeros_like(total), where=total >= np.finfo(np.float32).smallest_subnormal)
    vectors = np.add(sums, np.multiply(prior, prior_weight, dtype=np.float32), dtype=np.float32)
    vectors *= np.where(faint, 1.0, scale)[..., None].astype(np.float32)
    vectors[faint] *= scale[faint, None]
    n_effective = np.divide(mass**2, square_mass, out=np.zeros_like(mass), where=square_mass > 0)
    # |p' - p| <= (|sums' - sums| + |p| |mass' - mass|) / (mass' + kappa). The true p lies in the unit ball, so pulling
    # p' back into it only brings the two closer, and they are at most 2 apart.
    inexact = (sum_error > 0) | faint  # the others are left alone, whoever is read beside them
    if inexact.any():
        vectors[inexact] /= np.maximum(1.0, np.linalg.norm(vectors[inexact], axis=-1, keepdims=True))
    bound = np.where(sum_error > 0, 2.0, 0.0)
    np.divide(2 * sum_error, total, out=bound, where=(sum_error > 0) & (total > 0))
    return Profiles(vectors, mass, n_effective, np.minimum(bound, 2.0))


def exact_profiles(
    users: npt.NDArray[np.integer],
    rows: npt.NDArray[np.integer],
    event_us: npt.NDArray[np.int64],
    weights: FloatArray,
    vectors: npt.NDArray[np.float32],
    decay: Decay,
    *,
    n_users: int,
    as_of_us: int,
    prior: npt.NDArray[np.floating],
    prior_weight: float,
) -> Profiles:
    """Weigh every event of the log: no error, the judge of the state.

    Args:
        users: (n,) user of each event, rising.
        rows: (n,) row of each event's vector.
        event_us: (n,) int64 microseconds; events at or after `as_of_us` do not count.
        weights: (n,) weight of each event before decay; may be negative.
        vectors: (m, dim) float32, norm 1 (or 0).
        decay: f.
        n_users: Number of users.
        as_of_us: Time of the profile, microseconds.
        prior: (dim,) or (n_users, dim).
        prior_weight: kappa >= 0.
    """
    decayed = np.where(event_us < as_of_us, weights * decay.weights(age_seconds(as_of_us, event_us)), 0.0)
    sums = weighted_sums(users, rows, decayed[:, None], vectors, n_users)[:, 0]
    mass = masses_by_user(users, np.abs(decayed), n_users)
    square_mass = masses_by_user(users, decayed**2, n_users)
    return shrink(sums, mass, square_mass, np.zeros(n_users), prior=prior, prior_weight=prior_weight)
