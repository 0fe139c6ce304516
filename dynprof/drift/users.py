"""Everything about one sampled user that needs no other user: the row, the replays, the sudden windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.drift.replays import replay_pairs
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.surprise import Windows, cut_windows, own_z, surprise, turn_z
from dynprof.drift.trail import Trail, distances, profiles_along, unit
from dynprof.keys import buckets

__all__ = ["MIN_POSTS", "SuddenWindow", "came_from", "sudden_windows", "user_row"]

Matrix = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MIN_POSTS = 3
"""Interactions that a sudden window has at least: one odd post turns nobody."""

_POSTS_SHOWN = 5
_LEAST_SURPRISE = 2.0
_DRIFT_FLOOR = 0.01
_SEEDS = 1 << 31


@dataclass(frozen=True)
class SuddenWindow:
    """A window in which the user turned.

    Attributes:
        start_us: Its beginning.
        n_events: Interactions in it.
        surprise: See `dynprof.drift.surprise.surprise`.
        z: Of its cube root, against the user's earlier windows.
        posts: Places in the trail of the interactions that did it, the largest part first.
        parts: <e - p, m - p> of each.
    """

    start_us: int
    n_events: int
    surprise: float
    z: float
    posts: IntArray
    parts: FloatArray


def user_row(user_id: str, trail: Trail, spec: MonitorSpec, priors: Matrix, block_us: int) -> dict[str, object]:
    """The row of `USERS`.

    Args:
        user_id: Whose.
        trail: At least one interaction.
        spec: The question.
        priors: (2, dim) in the earlier snapshot and in this one.
        block_us: See `reordered`.
    """
    n, now = np.array([len(trail)]), np.array([spec.as_of_us])
    last = profiles_along(trail, n, now, spec.decays[0], prior=priors[1], prior_weight=spec.prior_weight).vectors[0]
    drift, z_own = _drift(trail, spec)
    span, replays = spec.span, None
    if span is not None and spec.replays and trail.at_us[0] < span.as_of_us:
        replays = replay_pairs(
            trail,
            (span.as_of_us, spec.as_of_us),
            span.decay,
            prior=priors,
            prior_weight=spec.prior_weight,
            stretch=span.stretch,
            block_us=block_us,
            n_replays=spec.replays,
            seed=(spec.seed, int(buckets(pa.array([user_id]), _SEEDS)[0])),
        )
    return {
        "user_id": user_id,
        "n_events": len(trail),
        "norm": float(np.linalg.norm(last)),
        "drift": drift,
        "z_own": z_own,
        "profile": last,
        "replays": None if replays is None else replays.astype(np.float16).reshape(-1),
    }


def _drift(trail: Trail, spec: MonitorSpec) -> tuple[float, float]:
    """1 - cosine of the short and the long profile, and its z against those after the user's earlier windows.

    Each is read just after the last interaction that weighs anything. Both sides are exponential and without prior, so
    idling turns neither: the distance is that of any later time, and no silence is so long that weights round to 0.

    Returns:
        NaN and NaN where no interaction weighs anything.
    """
    heavy = trail.weights != 0
    trail = Trail(trail.at_us[heavy], trail.weights[heavy], trail.vectors[heavy])
    if not len(trail):
        return np.nan, np.nan
    counts = np.append(cut_windows(trail.at_us, spec.window_us).first[1:], len(trail))
    as_of_us = trail.at_us[counts - 1]
    nothing = np.zeros(trail.vectors.shape[1], np.float32)
    sides = [
        profiles_along(trail, counts, as_of_us, decay, prior=nothing, prior_weight=0.0).vectors
        for decay in (spec.short_decay, spec.long_decay)
    ]
    series = distances(*sides)
    return float(series[-1]), float(own_z(series, least=spec.history, floor=_DRIFT_FLOOR)[-1])


def sudden_windows(trail: Trail, spec: MonitorSpec) -> list[SuddenWindow]:
    """The windows whose surprise is above what the user's earlier windows explain, in order of time."""
    windows = cut_windows(trail.at_us, spec.window_us)
    if len(windows.start_us) <= spec.history:
        return []
    nothing = np.zeros(trail.vectors.shape[1], np.float32)
    before = profiles_along(trail, windows.first, windows.start_us, spec.decays[0], prior=nothing, prior_weight=0.0)
    sums = np.add.reduceat(trail.vectors, windows.first, axis=0, dtype=np.float64)
    means = sums / windows.counts[:, None]
    found = surprise(before, means, windows.counts)
    z = turn_z(found, least=spec.history)
    sudden = (z > spec.sudden_z) & (found > _LEAST_SURPRISE) & (windows.counts >= MIN_POSTS)
    return [
        _described(trail, windows, int(i), before.vectors[i], means[i], float(found[i]), float(z[i]))
        for i in np.flatnonzero(sudden)
    ]


def _described(
    trail: Trail, windows: Windows, i: int, profile: Matrix, mean: FloatArray, value: float, z: float
) -> SuddenWindow:
    first, n = int(windows.first[i]), int(windows.counts[i])
    parts = (trail.vectors[first : first + n] - profile) @ (mean - profile)
    best = np.argsort(-parts, kind="stable")[:_POSTS_SHOWN]
    return SuddenWindow(int(windows.start_us[i]), n, value, z, first + best, parts[best])


def came_from(trail: Trail, positions: IntArray, spec: MonitorSpec, decay: int, prior: Matrix) -> FloatArray:
    """(k, dim) the user's profile just before some interactions, at length 1: what items are made of."""
    as_of_us = trail.at_us[positions]
    counts = trail.before(as_of_us)
    made = profiles_along(trail, counts, as_of_us, spec.decays[decay], prior=prior, prior_weight=spec.prior_weight)
    return unit(made.vectors)
