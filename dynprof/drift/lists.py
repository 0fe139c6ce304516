"""What sampled users would be recommended now: asked as the evaluation asks, by test events that have no target."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.duration import parse_duration
from dynprof.evaluation.contestant import NOTHING
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Queries, ask
from dynprof.recommend import DEFAULT_ITEM_HALF_LIFE
from dynprof.scoring import Metric

__all__ = ["CLOCKS", "LIST_LENGTH", "LIST_METRICS", "ask_readers", "readers_of"]

LIST_LENGTH = 10
LIST_METRICS: tuple[Metric, ...] = ("cosine", "cosine_time")
CLOCKS = (None, parse_duration(DEFAULT_ITEM_HALF_LIFE))
"""How items age under each of them, see `Queries`."""


def readers_of(log: EventLog, users: npt.NDArray[np.integer], as_of_us: int) -> TestEvents:
    """Users who would be served now. What they had is no candidate; everything else that appeared is.

    Args:
        log: All events before the time.
        users: (n,) distinct numbers, each with an event.
        as_of_us: Now.
    """
    starts = np.flatnonzero(np.diff(log.users, prepend=-1))  # the events of a user are together
    stops = np.append(starts[1:], len(log))
    by_user = np.argsort(log.users[starts])
    run = by_user[np.searchsorted(log.users[starts], users, sorter=by_user)]
    n = len(users)
    return TestEvents(
        users=np.asarray(users, np.int32),
        event_us=np.full(n, as_of_us, np.int64),
        positions=stops[run],
        targets=np.full(n, NOTHING, np.int32),
        catalogue=np.full(n, log.n_items, np.int64),
        history_start=starts[run],
        history_stop=stops[run],
        include_seen=False,
    )


def ask_readers(readers: TestEvents, profiles: npt.NDArray[np.float32]) -> Queries:
    """The questions of (n,) readers with (n, dim) profiles: only the lists of the answer mean something."""
    no_target = np.zeros(profiles.shape, np.float16)
    times = readers.event_us
    return ask(profiles[:, None, :], no_target, event_us=times, target_us=times, clocks=CLOCKS)
