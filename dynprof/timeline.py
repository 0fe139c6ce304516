"""How a profile moved: the exact profile at several times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.history import History
from dynprof.profile import Profiles, age_seconds, shrink
from dynprof.sums import weighted_sums

__all__ = ["ProfilePath", "profile_path"]

FloatArray = npt.NDArray[np.float64]

_EVENTS_AT_ONCE = 65_536  # a weight for each of them and each time: 52 MB at 100 times


@dataclass(frozen=True)
class ProfilePath:
    """Profiles of one user at p times.

    Attributes:
        profiles: Of the p times.
        n_events: (p,) events before each.
        steps: (p,) 1 - cosine to the profile at the time before; NaN at the first, and where one of both is 0.
        drifts: (p,) 1 - cosine to the profile at the first time; NaN where one of both is 0.
    """

    profiles: Profiles
    n_events: npt.NDArray[np.int64]
    steps: FloatArray
    drifts: FloatArray


def profile_path(
    history: History,
    decay: Decay,
    times_us: npt.NDArray[np.int64],
    *,
    prior: npt.NDArray[np.floating],
    prior_weight: float,
) -> ProfilePath:
    """Read the exact profile at several times, in one pass over the events.

    Args:
        history: Of the user.
        decay: f.
        times_us: (p,) rising, p > 0; events at or after a time do not count in it.
        prior: (dim,).
        prior_weight: kappa >= 0.
    """
    n_times, dim = len(times_us), history.vectors.shape[1]
    sums, mass, square_mass = np.zeros((n_times, dim)), np.zeros(n_times), np.zeros(n_times)
    for start in range(0, len(history), _EVENTS_AT_ONCE):
        part = slice(start, start + _EVENTS_AT_ONCE)
        weights = _weights(history, decay, times_us, part)
        everyone = np.zeros(len(weights), np.int64)
        sums += weighted_sums(everyone, history.rows[part], weights, history.vectors, 1)[0]
        mass += np.abs(weights).sum(0)
        square_mass += (weights**2).sum(0)
    read = shrink(sums, mass, square_mass, np.zeros(n_times), prior=prior, prior_weight=prior_weight)
    before = np.vstack([np.full(dim, np.nan), read.vectors[:-1]])
    return ProfilePath(
        read,
        np.searchsorted(history.at_us, times_us, "left"),
        _turn(before, read.vectors),
        _turn(read.vectors[:1], read.vectors),
    )


def _weights(history: History, decay: Decay, times_us: npt.NDArray[np.int64], part: slice) -> FloatArray:
    """(n, p) decayed weight of some events at each time."""
    at_us = history.at_us[part, None]
    decayed = history.weights[part, None] * decay.weights(age_seconds(0, at_us - times_us))
    return np.where(at_us < times_us, decayed, 0.0)


def _turn(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> FloatArray:
    """1 - cosine, row by row, in [0, 2]; NaN where one is 0 or NaN."""
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    norms = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    cosines = np.divide((x * y).sum(1), norms, out=np.full(len(y), np.nan), where=norms > 0)
    return np.asarray(1 - np.clip(cosines, -1, 1))
