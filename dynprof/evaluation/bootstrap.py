"""Intervals: resample users, since events of one user are not independent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["MIN_USERS", "bootstrap_means", "percentile_interval"]

MIN_USERS = 10
"""With fewer users no interval is given: the bootstrap's would be far too narrow."""

_DRAWS_AT_ONCE = 4_000_000


def bootstrap_means(
    values: npt.NDArray[np.float64], users: npt.NDArray[np.integer], *, n_replicates: int = 1_000, seed: int = 0
) -> npt.NDArray[np.float64]:
    """Means over the events of users drawn with replacement.

    Every column is computed from the same draws, so differences of columns are paired.

    Args:
        values: (n, columns), n > 0.
        users: (n,) user of each row.
        n_replicates: Number of draws.
        seed: Of the draws.

    Returns:
        (n_replicates, columns).
    """
    _, user = np.unique(users, return_inverse=True)
    n_users = int(user.max()) + 1
    totals = np.zeros((n_users, values.shape[1] + 1))
    np.add.at(totals, user, np.column_stack([values, np.ones(len(values))]))
    generator = np.random.default_rng(seed)
    uniform = np.full(n_users, 1 / n_users)
    rows: list[npt.NDArray[np.float64]] = []
    while (done := sum(map(len, rows))) < n_replicates:
        size = min(n_replicates - done, max(_DRAWS_AT_ONCE // n_users, 1))
        drawn = generator.multinomial(n_users, uniform, size=size).astype(np.float64)
        rows.append(drawn @ totals)
    replicates = np.concatenate(rows)
    return np.asarray(replicates[:, :-1] / replicates[:, -1:])


def percentile_interval(
    replicates: npt.NDArray[np.float64], *, level: float = 0.95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lower and upper bound of each column: the middle `level` of the replicates."""
    tail = 50 * (1 - level)
    low, high = np.percentile(replicates, [tail, 100 - tail], axis=0)
    return low, high
