"""Small logs, test events and scores for the tests of the baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.baselines import BASELINES
from dynprof.evaluation import EventLog, TestEvents, Window, choose_tests, eligible_events
from dynprof.evaluation.item_vectors import ItemVectors

from .evaluation_data import DAY_US, Row, events_table, index, of_matrix, random_rows, vectors_of

START_US = 3 * DAY_US
"""Tests begin here; `random_rows` lie on five days, eight times a day."""

QUICK: dict[str, dict[str, float | None]] = {
    "item kNN": {"neighbours": 4, "shrink": 1.0, "half_life_s": 86_400.0},
    "item kNN (live)": {"neighbours": 4, "shrink": 1.0, "half_life_s": 86_400.0, "last": 5},
    "EASE": {"l2": 2.0},
    "iALS": {"factors": 5, "alpha": 3.0, "iterations": 3},
    "max similarity": {"last": 3},
}
"""Settings for worlds of thirty items."""


@dataclass(frozen=True)
class World:
    """A log with all the tests that begin at `START_US`."""

    log: EventLog
    tests: TestEvents
    vectors: ItemVectors

    @property
    def fit(self) -> EventLog:
        return self.log.before(START_US)

    def scores(self, name: str, settings: Mapping[str, float | None] | None = None) -> list[npt.NDArray[np.floating]]:
        """Of every test, kept."""
        made = BASELINES[name](self.fit, QUICK.get(name, {}) if settings is None else settings)
        return [np.array(row) for row in made.watch(self.log, self.vectors).scores(self.tests)]

    def past(self, row: int) -> list[int]:
        """Positions of the events of a test's user strictly before it, found by looking at all."""
        mine = (self.log.users == self.tests.users[row]) & (self.log.event_us < self.tests.event_us[row])
        return np.flatnonzero(mine).tolist()

    def liked(self, row: int) -> set[int]:
        """Items of that past with a positive weight."""
        return {int(self.log.items[p]) for p in self.past(row) if self.log.weights[p] > 0}


def world(seed: int = 0, *, n: int = 160, n_users: int = 6, n_texts: int = 30, include_seen: bool = True) -> World:
    """Random events, some of them dislikes."""
    rows = random_rows(seed, n, n_users, n_texts)
    return of_rows(rows, drawn_weights(rows), include_seen=include_seen)


def drawn_weights(rows: Sequence[Row]) -> list[float]:
    """One in eight is -1, others 1 or 2; by the event's id, so that it stays with the event."""
    return [(-1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0)[int(event_id[1:]) % 8] for event_id, *_ in rows]


def of_rows(rows: Sequence[Row], weights: Sequence[float] | None = None, *, include_seen: bool = True) -> World:
    log, names = index(events_table(rows, weights))
    eligible = eligible_events(log, Window(START_US, 10**18), include_seen=include_seen)
    tests = choose_tests(log, eligible, include_seen=include_seen)
    return World(log, tests, of_matrix(vectors_of(names.text_hashes)))
