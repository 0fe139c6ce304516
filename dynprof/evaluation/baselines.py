"""Rankings that know no text. A profile that loses to them has earned nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks

__all__ = ["BASELINES", "Baseline", "rank_baselines"]

Standing = tuple[int, int, npt.NDArray[Any]]
Baseline = Callable[[EventLog, TestEvents], Iterator[Standing]]
"""Yields for each test event in turn, from events strictly before it: the number of items of the catalogue above the
target and beside it (it itself among them), and the score of every item, to be used before the next is asked for."""


def newest(log: EventLog, tests: TestEvents) -> Iterator[Standing]:
    """What appeared last comes first."""
    appeared = log.first_us[tests.targets]
    starts, stops = (np.searchsorted(log.first_us, appeared, side=side) for side in ("left", "right"))
    for catalogue, start, stop in zip(tests.catalogue, starts, stops, strict=True):
        yield int(catalogue - stop), int(stop - start), log.first_us


def popular(log: EventLog, tests: TestEvents) -> Iterator[Standing]:
    """What had the most events comes first.

    The catalogue is what has at least one event, so it is enough to know how many items have how many events, and to
    move the items of each event from one number to the next.
    """
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


def random(log: EventLog, tests: TestEvents) -> Iterator[Standing]:
    """All alike: what chance is worth, without drawing."""
    alike = np.zeros(log.n_items, np.bool_)
    for catalogue in tests.catalogue:
        yield 0, int(catalogue), alike


BASELINES: dict[str, Baseline] = {"newest": newest, "popular": popular, "random": random}
"""By name, in the order of the table."""


def rank_baselines(log: EventLog, tests: TestEvents) -> Ranks:
    """Ranks of the targets under every baseline, one column each, in the order of `BASELINES`.

    Args:
        log: All events.
        tests: (n,) in order of time.
    """
    found = Ranks.zeros((len(tests), len(BASELINES)))
    for column, baseline in enumerate(BASELINES.values()):
        for row, (above, beside, scores) in enumerate(baseline(log, tests)):
            left_out = scores[tests.excluded(log, row)]
            score = scores[tests.targets[row]]
            found.above[row, column] = above - np.count_nonzero(left_out > score)
            found.tied[row, column] = beside - np.count_nonzero(left_out == score)
    return found
