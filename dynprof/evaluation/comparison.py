"""From values of test events to numbers with intervals, each method against its reference on the same events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.bootstrap import MIN_USERS, UserDraws, percentile_interval, two_sided_p
from dynprof.evaluation.holm import holm

__all__ = ["NO_REFERENCE", "Compared", "compare"]

FloatArray = npt.NDArray[np.float64]

NO_REFERENCE = -1
"""For a method that is compared with none: it is the reference."""


@dataclass(frozen=True)
class Compared:
    """One metric of m methods over the same test events; all arrays (m,) float64, NaN where a number does not exist.

    Attributes:
        value: Mean over the test events that have a value.
        low: 95 % interval over users.
        high: The same.
        difference: Mean of value less the reference's, over the test events where both have one.
        difference_low: 95 % interval, paired.
        difference_high: The same.
        relative: `difference` over the reference's value.
        p: Two-sided, that there is no difference.
        p_holm: The same, corrected for the number of methods that are compared.
        effect: Mean of the users' mean differences over their standard deviation.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    difference: FloatArray
    difference_low: FloatArray
    difference_high: FloatArray
    relative: FloatArray
    p: FloatArray
    p_holm: FloatArray
    effect: FloatArray


def compare(
    values: FloatArray,
    users: npt.NDArray[np.integer],
    references: npt.NDArray[np.integer],
    draws: UserDraws | None,
) -> Compared:
    """Means, intervals and paired differences of one metric. Without draws, or of too few users, only means.

    Args:
        values: (n, m), n > 0; NaN where a test event has no value.
        users: (n,) user of each test event.
        references: (m,) column that each is compared with, or `NO_REFERENCE`.
        draws: Of the same users; None for no intervals.
    """
    compared = references != NO_REFERENCE
    differences = np.where(compared, values - values[:, np.where(compared, references, 0)], np.nan)
    value, difference = _means(values), _means(differences)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = difference / value[np.where(compared, references, 0)]
    low, high, difference_low, difference_high, p = np.full((5, values.shape[1]), np.nan)
    effect = p.copy()
    if draws is not None and draws.n_users >= MIN_USERS:
        low, high = percentile_interval(draws.means(values))
        if compared.any():
            paired = draws.means(differences[:, compared])
            difference_low[compared], difference_high[compared] = percentile_interval(paired)
            p[compared] = np.where(np.isnan(difference_low[compared]), np.nan, two_sided_p(paired))
            effect = _effect(differences, users)
    tested = np.flatnonzero(~np.isnan(p))
    p_holm = np.full(len(p), np.nan)
    p_holm[tested] = holm(p[tested])
    relative = np.where(np.isfinite(relative), relative, np.nan)
    return Compared(value, low, high, difference, difference_low, difference_high, relative, p, p_holm, effect)


def _means(values: FloatArray) -> FloatArray:
    """(m,) mean of what is no NaN; NaN where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    return np.divide(np.where(known, values, 0.0).sum(axis=0), count, out=np.full(len(count), np.nan), where=count > 0)


def _effect(differences: FloatArray, users: npt.NDArray[np.integer]) -> FloatArray:
    """(m,) mean over users of their mean difference, over its standard deviation; NaN where that is 0."""
    _, user = np.unique(users, return_inverse=True)
    known = ~np.isnan(differences)
    sums, counts = (np.zeros((int(user.max()) + 1, differences.shape[1])) for _ in range(2))
    np.add.at(sums, user, np.where(known, differences, 0.0))
    np.add.at(counts, user, known)
    by_user = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    found = np.full(sums.shape[1], np.nan)
    for column in range(len(found)):
        mine = by_user[~np.isnan(by_user[:, column]), column]
        if len(mine) > 1 and (spread := mine.std(ddof=1)) > 0:
            found[column] = mine.mean() / spread
    return found
