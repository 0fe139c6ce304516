"""Each user's last event is the test, and everything else is the past, whenever it was. It leaks, and says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from dynprof.evaluation.log import EventLog, EventNames
from dynprof.evaluation.protocol import Window

__all__ = ["leave_one_out"]


def leave_one_out(log: EventLog, names: EventNames) -> tuple[EventLog, EventNames, Window]:
    """The log with each user's last event moved behind the end, where one window holds them all.

    So whatever asks for what happened strictly before a test gets all that is not left out. Items are numbered anew by
    their first event that is not left out; those without one come last, and are no candidates. Positions stay.
    """
    if not len(log):
        return log, names, Window(0, 0)
    end = int(log.event_us.max()) + 1
    event_us = log.event_us.copy()
    event_us[np.flatnonzero(np.diff(log.users, append=-1))] = end
    first_us = np.full(log.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first_us, log.items, event_us)
    order = np.argsort(first_us, kind="stable")
    number = np.empty(log.n_items, np.int32)
    number[order] = np.arange(log.n_items, dtype=np.int32)
    moved = replace(log, event_us=event_us, items=number[log.items], first_us=first_us[order])
    named = replace(names, text_hashes=names.text_hashes.take(pa.array(order)))
    return moved, named, Window(end, end + 1)
