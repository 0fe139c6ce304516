"""Limits from A/A replays, and which measures are above theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from dynprof.drift.population import MEASURES, Moved, compare_populations
from dynprof.drift.trail import distances
from dynprof.errors import ConfigError

__all__ = ["FALSE_ALARMS", "Verdict", "judge", "limits", "parse_thresholds", "replay_measures"]

FloatArray = npt.NDArray[np.float64]

FALSE_ALARMS = 0.05
"""Share of comparisons in which nothing happened and yet some measure is above its limit."""

_NOMINAL = 0.005
"""What limits are asked for, to stay below `FALSE_ALARMS`: measures have longer tails than a normal variable, the more
so among few users. What comes of it: `benchmarks/monitor_alarms.py`, docs/monitoring.md."""

_MIN_REPLAYS = 5


@dataclass(frozen=True)
class Verdict:
    """One measure.

    Attributes:
        measure: Of `MEASURES`.
        value: Between the two snapshots.
        replay_mean: Over the A/A replays.
        replay_sd: Likewise.
        limit: Above it there is an alarm.
        alarm: Whether.
    """

    measure: str
    value: float
    replay_mean: float
    replay_sd: float
    limit: float
    alarm: bool


def replay_measures(replays: npt.NDArray[np.floating], *, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """The measures of every replay, its own turns against those of the other replays.

    Args:
        replays: (R, n, 2, dim) profiles of n users at both times.
        seed: As `compare_populations`.

    Returns:
        (R, len(MEASURES)), and (R * n,) the turns of all users in all replays.
    """
    turns = [distances(replay[:, 0], replay[:, 1]) for replay in replays]
    rows = []
    for number, replay in enumerate(replays):
        others = np.concatenate([own for i, own in enumerate(turns) if i != number])
        moved = compare_populations(replay[:, 0], replay[:, 1], own_reference=others, seed=seed)
        rows.append([moved.values[name] for name in MEASURES])
    return np.array(rows), np.concatenate(turns)


def limits(measured: FloatArray, *, false_alarms: float = FALSE_ALARMS) -> FloatArray:
    """(J,) what one more replay stays below, all measures together, but for a share of `false_alarms`.

    Args:
        measured: (R, J) R >= 5 replays.
        false_alarms: In (0, 1).

    Raises:
        ConfigError: Too few replays.

    Source: prediction limit of one more observation of a normal variable (Hahn, Meeker, Statistical Intervals, 1991),
    at Bonferroni's share of each measure.
    """
    n, n_measures = measured.shape
    if n < _MIN_REPLAYS:
        raise ConfigError(f"--replays: expected at least {_MIN_REPLAYS}, to know what is usual, found {n}.")
    reach = student.ppf(1 - false_alarms / n_measures, n - 1) * np.sqrt(1 + 1 / n)
    return np.asarray(measured.mean(axis=0) + reach * measured.std(axis=0, ddof=1), np.float64)


def judge(moved: Moved, measured: FloatArray, thresholds: Mapping[str, float]) -> list[Verdict]:
    """Each measure against its limit.

    Args:
        moved: Between the snapshots.
        measured: (R, J) from `replay_measures`.
        thresholds: Limits of one's own, by measure; they stand for the replays'.
    """
    found = limits(measured, false_alarms=_NOMINAL)
    verdicts = []
    for j, name in enumerate(MEASURES):
        value, limit = moved.values[name], thresholds.get(name, float(found[j]))
        mean, sd = float(measured[:, j].mean()), float(measured[:, j].std(ddof=1))
        verdicts.append(Verdict(name, value, mean, sd, limit, value > limit))
    return verdicts


def parse_thresholds(pairs: Sequence[str]) -> dict[str, float]:
    """`auc=0.6` and the like.

    Raises:
        ConfigError: Not `measure=number`, or an unknown measure.
    """
    found: dict[str, float] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = np.nan
        if name not in MEASURES or not np.isfinite(found[name]):
            raise ConfigError(f"--threshold: expected measure=number of {', '.join(MEASURES)}, found {pair!r}.")
    return found
