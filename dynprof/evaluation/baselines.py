"""Rankings that know no text. A profile that loses to them has earned nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks, rank_scores

__all__ = ["BASELINES", "Scorer", "rank_baselines"]

Scorer = Callable[[EventLog, TestEvents], Iterator[npt.NDArray[Any]]]
"""Yields, for each test event in turn, the scores of the items of its catalogue, from events strictly before it."""


def newest(log: EventLog, tests: TestEvents) -> Iterator[npt.NDArray[np.int64]]:
    """What appeared last comes first."""
    for catalogue in tests.catalogue:
        yield log.first_us[:catalogue]


def popular(log: EventLog, tests: TestEvents) -> Iterator[npt.NDArray[np.int64]]:
    """What had the most events comes first."""
    items = log.items[log.by_time]
    before = np.searchsorted(log.event_us[log.by_time], tests.event_us, side="left")
    counts = np.zeros(log.n_items, np.int64)
    done = 0
    for stop, catalogue in zip(before, tests.catalogue, strict=True):
        if stop - done > log.n_items:
            counts += np.bincount(items[done:stop], minlength=log.n_items)
        else:
            np.add.at(counts, items[done:stop], 1)
        done = stop
        yield counts[:catalogue]


def random(_: EventLog, tests: TestEvents) -> Iterator[npt.NDArray[np.int64]]:
    """All alike: what chance is worth, without drawing."""
    for catalogue in tests.catalogue:
        yield np.zeros(catalogue, np.int64)


BASELINES: dict[str, Scorer] = {"newest": newest, "popular": popular, "random": random}
"""By name, in the order of the table."""


def rank_baselines(
    log: EventLog, tests: TestEvents, excluded: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> Ranks:
    """Ranks of the targets under every baseline, one column each, in the order of `BASELINES`.

    Args:
        log: All events.
        tests: (n,) in order of time.
        excluded: From `dynprof.evaluation.retrieval.excluded_items`.
    """
    order = np.argsort(excluded[0], kind="stable")
    left_out = np.split(excluded[1][order], np.cumsum(np.bincount(excluded[0], minlength=len(tests)))[:-1])
    found = np.zeros((2, len(tests), len(BASELINES)), np.int64)
    for column, scorer in enumerate(BASELINES.values()):
        for row, scores in enumerate(scorer(log, tests)):
            found[:, row, column] = rank_scores(scores, int(tests.targets[row]), left_out[row])
    return Ranks(found[0], found[1])
