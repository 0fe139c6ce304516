"""Hit rate and NDCG of each schedule, and against real time on the same tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dynprof.drift.schedules import SCHEDULES
from dynprof.evaluation.bootstrap import MIN_USERS, bootstrap_means, percentile_interval
from dynprof.evaluation.metrics import metric
from dynprof.evaluation.retrieval import Ranks

__all__ = ["COST_METRICS", "cost_rows"]

COST_METRICS = ("hit_rate@10", "ndcg@10")


def cost_rows(ranks: Ranks, users: npt.NDArray[np.integer], *, seed: int) -> Iterator[dict[str, object]]:
    """One row a schedule and metric; bounds are null with too few users.

    Args:
        ranks: (n, schedules) of n > 0 tests.
        users: (n,) of each.
        seed: Of the bootstrap.
    """
    for name in COST_METRICS:
        values = metric(name)(ranks.above, ranks.tied)
        means, own, less = values.mean(axis=0), None, None
        if len(np.unique(users)) >= MIN_USERS:
            drawn = bootstrap_means(values, users, seed=seed)
            own, less = percentile_interval(drawn), percentile_interval(drawn - drawn[:, :1])
        for i, schedule in enumerate(SCHEDULES):
            yield {
                "schedule": schedule.name,
                "metric": name,
                "n_tests": len(users),
                "n_users": len(np.unique(users)),
                "value": float(means[i]),
                **_bounds("", own, i),
                "minus_real_time": float(means[i] - means[0]),
                **_bounds("minus_", less, i),
            }


def _bounds(
    prefix: str, sides: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None, i: int
) -> dict[str, float | None]:
    low, high = (None, None) if sides is None else (float(sides[0][i]), float(sides[1][i]))
    return {f"{prefix}low": low, f"{prefix}high": high}
