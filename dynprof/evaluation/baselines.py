"""Rankings that know no text: counts over the log. A profile that loses to them has earned nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.evaluation.contestant import Factory, Placed, Standing, place
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks

__all__ = ["COUNTS", "Newest", "Popular", "Random", "rank_baselines"]


class _Counts:
    """A contestant that counts in the log that it is shown; nothing is fitted."""

    name: str

    def __init__(self, fit: EventLog, settings: Mapping[str, Any]) -> None:
        del fit
        if settings:
            raise ConfigError(f"{self.name}: expected no settings, found {', '.join(settings)}.")

    def watch(self, log: EventLog, vectors: ItemVectors | None = None) -> Self:
        """See `Watches`."""
        del vectors
        self._log = log
        return self

    def standings(self, tests: TestEvents) -> Iterator[Standing]:
        """See `Sweep`."""
        raise NotImplementedError

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """See `Contestant`."""
        for (_, _, given), catalogue in zip(self.standings(tests), tests.catalogue, strict=True):
            yield given[:catalogue]


class Newest(_Counts):
    """What appeared last comes first."""

    name = "newest"

    def standings(self, tests: TestEvents) -> Iterator[Standing]:
        """See `Sweep`."""
        first_us = self._log.first_us
        appeared = first_us[tests.targets]
        starts, stops = (np.searchsorted(first_us, appeared, side=side) for side in ("left", "right"))
        for catalogue, start, stop in zip(tests.catalogue, starts, stops, strict=True):
            yield int(catalogue - stop), int(stop - start), first_us


class Popular(_Counts):
    """What had the most events comes first.

    The catalogue is what has at least one event, so it is enough to know how many items have how many events, and to
    move the items of each event from one number to the next.
    """

    name = "popular"

    def standings(self, tests: TestEvents) -> Iterator[Standing]:
        """See `Sweep`."""
        log = self._log
        late = np.flatnonzero(log.event_us >= (tests.event_us[0] if len(tests) else 0))
        late = late[np.argsort(log.event_us[late], kind="stable")]
        stops = np.searchsorted(log.event_us[late], tests.event_us, side="left")
        counts = np.bincount(log.items, minlength=log.n_items)
        n_counts = int(counts.max(initial=0)) + 1
        counts -= np.bincount(log.items[late], minlength=log.n_items)
        n_items_with = np.bincount(counts, minlength=n_counts)
        done = 0
        for stop, target in zip(stops, tests.targets, strict=True):
            items, n_more = np.unique(log.items[late[done:stop]], return_counts=True)
            np.subtract.at(n_items_with, counts[items], 1)
            counts[items] += n_more
            np.add.at(n_items_with, counts[items], 1)
            done = stop
            yield int(n_items_with[counts[target] + 1 :].sum()), int(n_items_with[counts[target]]), counts


class Random(_Counts):
    """All alike: what chance is worth, without drawing. Only its lists are drawn."""

    name = "random"

    def standings(self, tests: TestEvents) -> Iterator[Standing]:
        """See `Sweep`."""
        alike = np.zeros(self._log.n_items, np.bool_)
        for catalogue in tests.catalogue:
            yield 0, int(catalogue), alike

    def draw(self, tests: TestEvents, row: int) -> npt.NDArray[np.floating]:
        """See `Draws`."""
        event = int(tests.users[row]), int(tests.event_us[row]), int(tests.targets[row])
        return np.random.default_rng([abs(part) for part in event]).random(int(tests.catalogue[row]), np.float32)


COUNTS: dict[str, Factory] = {kind.name: kind for kind in (Newest, Popular, Random)}
"""By name, in the order of the table."""


def rank_baselines(log: EventLog, tests: TestEvents) -> Ranks:
    """Ranks of the targets under every count, one column each, in the order of `COUNTS`."""
    made = (kind(log, {}).watch(log) for kind in (Newest, Popular, Random))
    return Placed.beside([place(contestant, log, tests, list_size=0) for contestant in made]).ranks
