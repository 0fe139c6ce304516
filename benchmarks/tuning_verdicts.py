"""Tuned profiles against static ones, test by test: means, lifts, intervals, and a line for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.bootstrap import MIN_USERS, bootstrap_means, percentile_interval
from dynprof.tuning.search import Tried

__all__ = ["Judged", "rows_of", "together"]

_SLICES = ("stable", "middle", "high drift")
_WANTED = {"all": 0.0, "high drift": 0.08, "stable": -0.01}


@dataclass(frozen=True)
class Judged:
    """Tests of one window or several.

    Attributes:
        users: (n,) of each test.
        thirds: (n,) of `drift_slices`.
        values: (n, n_choices, 2) of the tuned and of the static profile.
    """

    users: npt.NDArray[np.int64]
    thirds: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


def together(windows: Sequence[Judged]) -> Judged:
    """All tests of several windows, at least one; a user of two of them is one user."""
    return Judged(*(np.concatenate([getattr(w, name) for w in windows]) for name in ("users", "thirds", "values")))


def rows_of(judged: Judged, name: str, chosen: dict[str, Tried]) -> list[dict[str, Any]]:
    """Tuned against static, on all tests and on the slices of drift."""
    rows = []
    parts = {"all": np.ones(len(judged.users), bool), **{s: judged.thirds == i for i, s in enumerate(_SLICES)}}
    for number, (label, tried) in enumerate(chosen.items()):
        for part, mine in parts.items():
            if mine.any():
                tuned, static = judged.values[mine, number].T
                rows.append({"window": name, "choice": label, "slice": part})
                rows[-1] |= compare(tuned, static, judged.users[mine])
                say(rows[-1], tried)
    return rows


def say(row: dict[str, Any], tried: Tried) -> None:
    """One line for people."""
    wanted = _WANTED.get(row["slice"])
    lift = row["relative"]
    said = "" if wanted is None or lift is None else ("reached" if lift >= wanted else "MISSED")
    interval = row.get("relative_interval") or row.get("difference") or ["-", "-"]
    shown = " ".join(f"{x:+.3f}" if isinstance(x, float) else x for x in interval)
    print(
        f"{row['window']:10} {row['choice']:18} {row['slice']:10} n={row['n']:5} users={row['n_users']:4} "
        f"static={row['static']:.4f} tuned={row['tuned']:.4f} lift={lift if lift is None else f'{lift:+.1%}'} "
        f"[{shown}] {said} ({tried.reading.name}, {tried.similarity.name})",
        flush=True,
    )


def compare(tuned: npt.NDArray[Any], static: npt.NDArray[Any], users: npt.NDArray[Any]) -> dict[str, Any]:
    """Means, paired difference and relative lift, with intervals from a bootstrap over users."""
    found: dict[str, Any] = {
        "n": len(users),
        "n_users": len(np.unique(users)),
        "static": float(static.mean()),
        "tuned": float(tuned.mean()),
        "relative": float(tuned.mean() / static.mean() - 1) if static.mean() > 0 else None,
    }
    if found["n_users"] >= MIN_USERS:
        drawn = bootstrap_means(np.column_stack([tuned, static]), users)
        low, high = percentile_interval((drawn[:, 0] - drawn[:, 1])[:, None])
        found["difference"] = [float(low[0]), float(high[0])]
        if (drawn[:, 1] > 0).all():
            low, high = percentile_interval((drawn[:, 0] / drawn[:, 1] - 1)[:, None])
            found["relative_interval"] = [float(low[0]), float(high[0])]
    return found
