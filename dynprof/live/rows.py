"""Live events as the rows that files are read to: what lets a log through the same door."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from dynprof.corpus import MERGED, mixed_events
from dynprof.live.log import EventLog, LiveEvent
from dynprof.schema import RAW_EVENTS

__all__ = ["events_between", "rows_of_events"]

_CHANGES_AT_ONCE = 50_000


def events_between(log: EventLog, after: int, up_to: int) -> Iterator[LiveEvent]:
    """Events of the changes after a number, up to another one."""
    while changes := log.read(after, _CHANGES_AT_ONCE):
        yield from (c.event for c in changes if c.event is not None and c.number <= up_to)
        after = changes[-1].number
        if after >= up_to:
            return


def rows_of_events(events: Sequence[LiveEvent], n_buckets: int) -> pa.Table:
    """Of MERGED."""
    columns = {
        "event_id": [e.event_id for e in events],
        "user_id": [e.user_id for e in events],
        "timestamp": [e.at_us for e in events],
        "event_type": [e.event_type for e in events],
        "item_id": [e.item_id for e in events],
        "text": [e.text for e in events],
        "weight": [e.weight for e in events],
        "language": [e.language for e in events],
    }
    raw = pa.table([pa.array(columns[f.name], f.type) for f in RAW_EVENTS], schema=RAW_EVENTS)
    return pa.concat_tables([MERGED.empty_table(), mixed_events(raw, n_buckets)])
