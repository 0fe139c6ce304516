"""Windows in which an entity turned faster than its own history explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.profile import Profiles

__all__ = ["MIN_SCATTER", "Windows", "cut_windows", "own_z", "robust_z", "share_z", "surprise", "turn_z"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MIN_SCATTER = 0.05
"""Least standard deviation of a cube root in a z: a history that happened to repeat itself explains little."""

_MIN_ODDS_SCATTER = 0.25
"""The same of log odds."""

_MAD_TO_SD = 1.4826

_FAR = 3.0
"""Robust scatters beyond which an earlier value is pulled in."""


@dataclass(frozen=True)
class Windows:
    """Stretches of equal length in which something happened, in order of time; k of them.

    Attributes:
        start_us: (k,) int64.
        first: (k,) int64 place of the first interaction.
        counts: (k,) int64 number of interactions.
    """

    start_us: IntArray
    first: IntArray
    counts: IntArray


def cut_windows(at_us: IntArray, length_us: int) -> Windows:
    """The windows of interactions at (n,) times, never falling; multiples of the length since 1970."""
    start_us, first, counts = np.unique(at_us // length_us * length_us, return_index=True, return_counts=True)
    return Windows(start_us, first, counts)


def surprise(before: Profiles, means: npt.NDArray[np.floating], counts: IntArray) -> FloatArray:
    """How far the mean of a window lies from the profile before it, in units of what chance would do.

    With sigma^2 the scatter of single vectors around the profile, |m - p|^2 is sigma^2 (1/k + 1/n_effective) on average
    for k vectors that are drawn as before; for k that agree on something else it is about k times as much.

    Args:
        before: (w,) profiles as of the windows' beginnings, without prior.
        means: (w, dim) mean vector of each window.
        counts: (w,) interactions in it.

    Returns:
        (w,) ratio, about 1 for no surprise; NaN where the profile rests on fewer than two equal interactions.
    """
    n = before.n_effective
    known = n > 1.5
    n = np.where(known, n, 2.0)
    profiles = before.vectors.astype(np.float64)
    scatter = np.maximum(1 - np.square(profiles).sum(axis=1), 1e-3) / (1 - 1 / n)
    moved = np.square(np.asarray(means, np.float64) - profiles).sum(axis=1)
    return np.where(known, moved / (scatter * (1 / np.maximum(counts, 1) + 1 / n)), np.nan)


def own_z(values: FloatArray, *, least: int, floor: FloatArray | float = MIN_SCATTER) -> FloatArray:
    """Each value against those before it: (v - median) / scatter of one more, NaN for the first `least`.

    The scatter is the greater of the robust one and that of the values with the far ones pulled in. Of a dozen values,
    or of skewed ones, the robust one alone often comes out at half of what it is: one window in 300 of people who never
    turn was "five scatters" away. An earlier turn, pulled in, does not hide the next.

    Args:
        values: (n,) in order of time; NaN counts as no history.
        least: Values before it that are needed, > 0.
        floor: Least scatter, one or (n,).
    """
    z = np.full(len(values), np.nan)
    floors = np.broadcast_to(np.asarray(floor, np.float64), values.shape)
    for i in range(least, len(values)):  # each has another past
        past = values[:i][np.isfinite(values[:i])]
        if len(past) >= least:
            middle = np.median(past)
            robust = _MAD_TO_SD * np.median(np.abs(past - middle))
            near = np.clip(past, middle - _FAR * robust, middle + _FAR * robust)
            scatter = max(robust, float(near.std(ddof=1))) * np.sqrt(1 + 1 / len(past))
            z[i] = (values[i] - middle) / max(scatter, floors[i])
    return z


def turn_z(surprises: FloatArray, *, least: int) -> FloatArray:
    """(n,) `own_z` of the cube roots of surprises: a sum of squares to the third part is about normal.

    Source: Wilson, Hilferty, The distribution of chi-square, 1931.
    """
    return own_z(np.cbrt(surprises), least=least)


def robust_z(values: FloatArray) -> FloatArray:
    """(n,) values against all of them; 0 where all are alike. NaN stays NaN."""
    if not np.isfinite(values).any():
        return np.full(len(values), np.nan)
    away = values - np.nanmedian(values)
    spread = _MAD_TO_SD * np.nanmedian(np.abs(away))
    return np.asarray(away / spread if spread > 0 else np.where(np.isfinite(values), 0.0, np.nan), np.float64)


def share_z(counts: IntArray, totals: IntArray, *, least: int) -> FloatArray:
    """Each window's share of all interactions against those before it: z of the log odds.

    Args:
        counts: (w,) of the topic, in order of time.
        totals: (w,) of all.
        least: Windows before it that are needed.
    """
    inside, outside = counts + 0.5, totals - counts + 0.5
    sampling = np.sqrt(1 / inside + 1 / outside)
    return own_z(np.log(inside / outside), least=least, floor=np.maximum(sampling, _MIN_ODDS_SCATTER))
