"""Users who met the same items as one user, how strongly, and how long before or after."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.ranker.past import Past, minutes
from dynprof.ranker.traces import slices, sums

__all__ = ["LAG_EDGES", "N_LAGS", "Affinity", "lag_of"]

FloatArray = npt.NDArray[np.float64]

LAG_EDGES = np.array([1.5, 5.5, 10.5, 20.5, 40.5, 80.5, 160.5, 1440.5])
"""Minutes between what another user did and what this one did. Accounts that follow each other do so after a habitual
time. Between whole minutes, since many sources know no seconds."""

N_LAGS = len(LAG_EDGES) + 1

_OTHERS_AN_ITEM = 60  # the latest; of an item that everybody has, more would say nothing
_LONG_D, _SHORT_D = 30.0, 1.0  # half-lives in days
_CLOSE_MINUTES = 60.0


def lag_of(lags: FloatArray) -> npt.NDArray[np.int64]:
    """(n,) number in [0, `N_LAGS`) of the bin of each lag in minutes, >= 0."""
    return np.digitize(lags, LAG_EDGES)


@dataclass(frozen=True)
class Affinity:
    """How strongly k other users are tied to one.

    A common item counts 1 / log2(2 + others' events on it), decayed by the age of this user's event.

    Attributes:
        users: (k,) int32 numbers, rising.
        long: (k,) with a half-life of 30 days.
        short: (k,) of one day.
        close: (k,) long, halved by every hour between the two events.
        ahead: (k,) long, only where the other was first.
        by_lag: (k, `N_LAGS`) `ahead` by how long before.
        latest: (k,) number of common items among this user's last five.
        last: (k,) whether the last one is common.
    """

    users: npt.NDArray[np.int32]
    long: FloatArray
    short: FloatArray
    close: FloatArray
    ahead: FloatArray
    by_lag: FloatArray
    latest: FloatArray
    last: FloatArray

    @classmethod
    def of(cls, past: Past) -> Affinity:
        """To the user of a past, from what everybody did strictly before its time."""
        traces = past.traces
        stops = traces.stops_of_items(past.items, past.as_of_us)
        starts = traces.item_starts[past.items]
        positions, event = slices(np.maximum(starts, stops - _OTHERS_AN_ITEM), stops)
        others = traces.item_users[positions]
        kept = others != past.user
        positions, event, others = positions[kept], event[kept], others[kept]
        rarity = 1 / np.log2(2 + np.bincount(event, minlength=len(past)))[event]
        days = past.ages[event] / (24 * 60)
        lag = minutes(past.at_us[event] - traces.item_at_us[positions])
        long = rarity * np.exp2(-days / _LONG_D)
        users, row = np.unique(others, return_inverse=True)
        k = len(users)

        def total(weights: FloatArray) -> FloatArray:
            return sums(row, weights, k)

        by_lag = sums(row * N_LAGS + lag_of(np.maximum(lag, 0)), long * (lag > 0), k * N_LAGS)
        latest = np.unique(np.stack([row, event])[:, event >= len(past) - 5], axis=1)[0]
        return cls(
            users,
            total(long),
            total(rarity * np.exp2(-days / _SHORT_D)),
            total(long * np.exp2(-np.abs(lag) / _CLOSE_MINUTES)),
            total(long * (lag > 0)),
            by_lag.reshape(k, N_LAGS),
            np.bincount(latest, minlength=k).astype(np.float64),
            (total((event == len(past) - 1).astype(np.float64)) > 0).astype(np.float64),
        )

    def find(self, users: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """(n,) row of each user, and whether there is one; rows of others are 0."""
        row = np.minimum(np.searchsorted(self.users, users), max(len(self.users) - 1, 0))
        found = self.users[row] == users if len(self.users) else np.zeros(len(users), np.bool_)
        return np.where(found, row, 0), found
