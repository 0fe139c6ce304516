"""Another question to tune and test by: which of a day's new texts are this user's?

For people who post more than they repost, next-event retrieval has few tests, since a text of one's own is nothing that
could have been recommended. Here the profile is as of midnight, and the candidates are the texts that first appear in
the 24 hours after it, but for the user's other ones: those are as right as the target.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests

__all__ = ["DAY_US", "DayTests", "day_tests", "eligible_posts"]

DAY_US = 86_400_000_000


@dataclass(frozen=True)
class DayTests:
    """n tests as of the midnight (UTC) before each event, in order of time.

    Attributes:
        tests: Their catalogue ends with the day.
        first_candidate: (n,) first item of the day.
        own: n arrays of items that the user had on that day; the target may be among them.
    """

    tests: TestEvents
    first_candidate: npt.NDArray[np.int64]
    own: list[npt.NDArray[np.int32]]


def eligible_posts(log: EventLog, window: Window) -> npt.NDArray[np.int64]:
    """Positions of the events of a window by which a text appeared first, with a positive weight; rising."""
    good = (log.event_us >= window.start_us) & (log.event_us < window.stop_us) & (log.weights > 0)
    return np.flatnonzero(good & (log.first_us[log.items] == log.event_us) & log.novel)


def day_tests(log: EventLog, positions: npt.NDArray[np.int64]) -> DayTests:
    """Tests of some events of `log`: (n,) positions from `eligible_posts`."""
    tests = choose_tests(log, positions)
    midnight = tests.event_us // DAY_US * DAY_US
    first = np.searchsorted(log.first_us, midnight)
    stop = np.searchsorted(log.first_us, midnight + DAY_US)
    ends = np.flatnonzero(np.diff(log.users, append=-1))
    ends = ends[np.searchsorted(ends, tests.positions)] + 1  # of the user's events
    history_stop, own = [], []
    for start, end, at in zip(tests.history_start, ends, midnight, strict=True):
        before, after = start + np.searchsorted(log.event_us[start:end], [at, at + DAY_US])
        history_stop.append(before)
        own.append(log.items[before:after])
    moved = replace(
        tests, event_us=midnight, catalogue=stop.astype(np.int64), history_stop=np.array(history_stop, np.int64)
    )
    return DayTests(moved, first.astype(np.int64), own)
