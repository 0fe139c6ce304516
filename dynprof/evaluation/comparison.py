"""From ranks to numbers with intervals, and each method against the static profile on the same events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.evaluation.bootstrap import MIN_USERS, bootstrap_means, percentile_interval
from dynprof.evaluation.metrics import metric
from dynprof.evaluation.ranking import Method
from dynprof.evaluation.retrieval import Ranks

__all__ = ["REFERENCE", "Estimate", "Scores", "compare_methods"]

REFERENCE = "static"
"""The control: every event of the history weighs the same."""

Bounds = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Estimate:
    """A mean over test events and its 95 % interval; no bounds where there are too few users for an interval."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Scores:
    """One method's numbers.

    Attributes:
        method: Whose.
        metrics: By metric name.
        minus_reference: The same less the static profile's, paired by user; empty for the static profile itself.
    """

    method: Method
    metrics: dict[str, Estimate]
    minus_reference: dict[str, Estimate]


def compare_methods(
    ranks: Ranks,
    users: npt.NDArray[np.integer],
    methods: Sequence[Method],
    metrics: Sequence[str],
    *,
    n_replicates: int = 1_000,
    seed: int = 0,
) -> list[Scores]:
    """Every metric of every method, with intervals from one bootstrap over users.

    Args:
        ranks: (n, m), n > 0.
        users: (n,) user of each test event.
        methods: (m,), `REFERENCE` among them.
        metrics: Names for `dynprof.evaluation.metrics.metric`.
        n_replicates: Draws of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        ConfigError: An unknown metric, or no reference among the methods.
    """
    names = [m.name for m in methods]
    if REFERENCE not in names:
        raise ConfigError(f"methods: expected {REFERENCE!r} among them to compare with, found {', '.join(names)}.")
    reference = names.index(REFERENCE)
    # (n, methods, metrics), flat for the bootstrap: the columns of one draw stay paired.
    values = np.stack([metric(name)(ranks.above, ranks.tied) for name in metrics], axis=2)
    shape = values.shape[1:]
    means = values.mean(axis=0)
    own: Bounds | None = None
    paired: Bounds | None = None
    if len(np.unique(users)) >= MIN_USERS:
        flat = bootstrap_means(values.reshape(len(values), -1), users, n_replicates=n_replicates, seed=seed)
        replicates = flat.reshape(-1, *shape)
        own = percentile_interval(replicates)
        paired = percentile_interval(replicates - replicates[:, reference : reference + 1])
    return [
        Scores(
            method,
            _estimates(metrics, means, own, i),
            {} if i == reference else _estimates(metrics, means - means[reference], paired, i),
        )
        for i, method in enumerate(methods)
    ]


def _estimates(
    names: Sequence[str], means: npt.NDArray[np.float64], bounds: Bounds | None, row: int
) -> dict[str, Estimate]:
    def bound(side: int, column: int) -> float | None:
        return None if bounds is None else float(bounds[side][row, column])

    return {name: Estimate(float(means[row, j]), bound(0, j), bound(1, j)) for j, name in enumerate(names)}
