"""Item kNN that is counted, not fitted: two items are similar by the users who had both strictly before the test."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dynprof.baselines.contract import Baseline, Settings, settled
from dynprof.baselines.interactions import latest_of_each
from dynprof.baselines.item_knn import checked, first_few
from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["DEFAULTS", "ItemKnnLive"]

DEFAULTS: Settings = {"neighbours": 200, "shrink": 10.0, "half_life_s": None, "last": 100}


class ItemKnnLive(Baseline):
    """As `ItemKnn`, with the users counted who had the items before the test, over the user's `last` distinct items.

    Time a test: the number of events of all users who share one of those items with the user.
    """

    name = "item kNN (live)"

    def __init__(self, fit: EventLog, settings: Settings) -> None:
        super().__init__()
        del fit  # nothing is fitted
        chosen = settled(self.name, settings, DEFAULTS)
        self._neighbours, self._shrink, self._half_life_s = checked(self.name, chosen)
        last = chosen["last"]
        if last is None or last < 1 or last != int(last):
            raise ConfigError(f"baseline {self.name!r}: expected last, a whole number >= 1, found {last!r}.")
        self._last = int(last)

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """As `Baseline.scores`. One sweep: a pair of user and item counts from its first positive event on."""
        met = _Met(self.log)
        for row, catalogue in enumerate(tests.catalogue):
            now_us = int(tests.event_us[row])
            met.move_to(now_us)
            latest = latest_of_each(self.log, tests, row, self._last)
            ages_s = (now_us - self.log.event_us[latest]) / 1e6
            weights = np.ones(len(latest)) if self._half_life_s is None else np.exp2(-ages_s / self._half_life_s)
            yield self._score(met, self.log.items[latest], weights)[:catalogue]

    def _score(
        self, met: _Met, mine: npt.NDArray[np.int32], weights: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        scores = np.zeros(self.log.n_items)
        if not len(mine):
            return scores
        common = met.by_item[mine] @ met.by_user
        for row, item in enumerate(mine):
            entries = slice(common.indptr[row], common.indptr[row + 1])
            items, both = common.indices[entries], common.data[entries]
            items, both = items[both > 0], both[both > 0]  # a pair that is still to come is an entry of 0
            similarity = both / (np.sqrt(met.n_users[item] * met.n_users[items]) + self._shrink)
            items, similarity = first_few(items, similarity, int(item), self._neighbours)
            scores[items] += weights[row] * similarity
        return scores


class _Met:
    """Who met what strictly before a time that moves on: all pairs of the log are entries, those to come are 0.

    Attributes:
        by_user: (n_users, n_items) of 0 and 1.
        by_item: Its transpose.
        n_users: (n_items,) number of users who met each item.
    """

    def __init__(self, log: EventLog) -> None:
        good = np.flatnonzero(log.weights > 0)
        keys = log.users[good].astype(np.int64) * max(1, log.n_items) + log.items[good]
        first = good[np.unique(keys, return_index=True)[1]]  # by user, then item; time rises within a user
        users, items, met_us = log.users[first], log.items[first], log.event_us[first]
        by_item = np.argsort(items, kind="stable")
        shape = (int(log.users.max(initial=-1)) + 1, log.n_items)
        self.by_user = _of_zeros(users, items, shape)
        self.by_item = _of_zeros(items[by_item], users[by_item], shape[::-1])
        self.n_users = np.zeros(log.n_items)
        self._place = np.empty(len(first), np.int64)
        self._place[by_item] = np.arange(len(first))
        self._coming = np.argsort(met_us, kind="stable")
        self._coming_us, self._items, self._done = met_us[self._coming], items, 0

    def move_to(self, time_us: int) -> None:
        """Count what is strictly before a time, no earlier than the one before."""
        stop = int(np.searchsorted(self._coming_us, time_us))
        new = self._coming[self._done : stop]
        self.by_user.data[new] = 1
        self.by_item.data[self._place[new]] = 1
        np.add.at(self.n_users, self._items[new], 1)
        self._done = max(self._done, stop)


def _of_zeros(rows: npt.NDArray[np.int32], columns: npt.NDArray[np.int32], shape: tuple[int, int]) -> sparse.csr_matrix:
    """Entries of 0 at rising rows, in their order."""
    starts = np.searchsorted(rows, np.arange(shape[0] + 1))
    return sparse.csr_matrix((np.zeros(len(rows)), columns, starts), shape)
