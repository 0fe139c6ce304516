"""Intervals: resample users, since events of one user are not independent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["MIN_USERS", "N_DRAWS", "UserDraws", "bootstrap_means", "percentile_interval", "two_sided_p"]

MIN_USERS = 10
"""With fewer users no interval is given: the bootstrap's would be far too narrow."""

N_DRAWS = 10_000
"""The least p is 2 / (draws + 1), and Holm multiplies it by the number of methods: a thousand draws could not show that
one of fifty methods differs."""

_DRAWS_AT_ONCE = 4_000_000


class UserDraws:
    """Users drawn with replacement, again and again: every column is computed from the same draws, so differences of
    columns are paired.

    Memory: 2 bytes a draw and user.

    Args:
        users: (n,) user of each row of what will be resampled, n > 0.
        n_draws: How often all users are drawn.
        seed: Of the draws.
    """

    def __init__(self, users: npt.NDArray[np.integer], *, n_draws: int = N_DRAWS, seed: int = 0) -> None:
        distinct, self._user = np.unique(users, return_inverse=True)
        self.n_users = len(distinct)
        generator = np.random.default_rng(seed)
        uniform = np.full(self.n_users, 1 / self.n_users)
        size = max(_DRAWS_AT_ONCE // self.n_users, 1)
        sizes = [min(size, n_draws - done) for done in range(0, n_draws, size)]
        self._drawn = [generator.multinomial(self.n_users, uniform, size=s).astype(np.uint16) for s in sizes]

    def means(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Mean over the rows of the users of each draw.

        Args:
            values: (n, columns); NaN where an event has no value, it is then left out of that column.

        Returns:
            (n_draws, columns); NaN where a draw has no value of a column.
        """
        n_columns = values.shape[1]
        known = ~np.isnan(values)
        counted = np.ones((len(values), 1)) if known.all() else known.astype(np.float64)
        totals = np.zeros((self.n_users, n_columns + counted.shape[1]))
        np.add.at(totals, self._user, np.column_stack([np.where(known, values, 0.0), counted]))
        sums = np.concatenate([drawn.astype(np.float64) @ totals for drawn in self._drawn])
        counts = np.broadcast_to(sums[:, n_columns:], (len(sums), n_columns))
        out = np.full(counts.shape, np.nan)
        np.divide(sums[:, :n_columns], counts, out=out, where=counts > 0)
        return out


def bootstrap_means(
    values: npt.NDArray[np.float64], users: npt.NDArray[np.integer], *, n_replicates: int = 1_000, seed: int = 0
) -> npt.NDArray[np.float64]:
    """(n_replicates, columns) of (n, columns) values of (n,) users: `UserDraws` used once."""
    return UserDraws(users, n_draws=n_replicates, seed=seed).means(values)


def percentile_interval(
    replicates: npt.NDArray[np.float64], *, level: float = 0.95
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Lower and upper bound of each column: the middle `level` of the replicates, which are no NaN."""
    tail = 50 * (1 - level)
    low, high = np.percentile(replicates, [tail, 100 - tail], axis=0)
    return low, high


def two_sided_p(replicates: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(columns,) twice the smaller share of replicates of a difference that are not on its side of 0, at most 1.

    The observed data count as one draw more, so that no p is 0.
    """
    n = len(replicates)
    below, above = ((side + 1) / (n + 1) for side in ((replicates <= 0).sum(axis=0), (replicates >= 0).sum(axis=0)))
    return np.asarray(np.minimum(2 * np.minimum(below, above), 1.0))
