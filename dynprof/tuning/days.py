"""Another question to tune and test by: which of a day's new texts are this user's?

For people who post more than they repost, next-event retrieval has few tests, since a text of one's own is nothing that
could have been recommended. Here the profile is as of midnight, and the candidates are the texts that first appear in
the 24 hours after it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests

__all__ = ["DAY_US", "day_tests", "eligible_posts"]

DAY_US = 86_400_000_000


def eligible_posts(log: EventLog, window: Window) -> npt.NDArray[np.int64]:
    """Positions of the events of a window by which a text appeared first, with a positive weight; rising."""
    good = (log.event_us >= window.start_us) & (log.event_us < window.stop_us) & (log.weights > 0)
    return np.flatnonzero(good & (log.first_us[log.items] == log.event_us) & log.novel)


def day_tests(log: EventLog, positions: npt.NDArray[np.int64]) -> tuple[TestEvents, npt.NDArray[np.int64]]:
    """Tests of some events, in order of time.

    Args:
        log: All events.
        positions: (n,) from `eligible_posts`.

    Returns:
        The tests, as of the midnight (UTC) before each event, and (n,) the first item of its day. The user's other new
        texts of the day stay candidates of each other: they are as right, so ranks are a little too low for everybody.
    """
    tests = choose_tests(log, positions)
    midnight = tests.event_us // DAY_US * DAY_US
    first = np.searchsorted(log.first_us, midnight)
    stop = np.searchsorted(log.first_us, midnight + DAY_US)
    ends = [
        start + int(np.searchsorted(log.event_us[start:end], at))
        for start, end, at in zip(tests.history_start, tests.history_stop, midnight, strict=True)
    ]
    moved = replace(tests, event_us=midnight, catalogue=stop.astype(np.int64), history_stop=np.array(ends, np.int64))
    return moved, first.astype(np.int64)
