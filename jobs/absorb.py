"""The log of live events into the corpus, through the same door as files: the first stage of `update` and `build`."""

from __future__ import annotations

import logging
from typing import Any

import ray

from dynprof.lineage import CorpusView, present_corpus
from dynprof.live.absorbed import absorbed_number, log_id
from dynprof.live.log import EventLog
from dynprof.live.rows import events_between, rows_of_events
from dynprof.workspace import Workspace
from jobs.command import ray_session
from jobs.update_segment import finish_segment, new_segment, settle_parts

__all__ = ["absorb", "trim_log"]

LOG = logging.getLogger("dynprof.absorb")


def absorb(workspace: Workspace, log: EventLog | None) -> dict[str, Any]:
    """Make a segment of the events that the log has beyond what the corpus took in.

    Killed before the segment's manifest is there, nothing happened; after it, the events are in the corpus, and the
    next call begins behind them. The log is only read.

    Returns:
        The segment's manifest; {} where there was nothing.
    """
    if log is None:
        return {}
    view, up_to = present_corpus(workspace), log.last_number()
    after = absorbed_number(view.manifest, log)
    events = list(events_between(log, after, up_to))
    if not events:
        return {}
    name = new_segment(workspace, view, f"log-{up_to:012d}")
    with ray_session():
        counts = settle_parts(workspace, view, name, [ray.put(rows_of_events(events, view.n_buckets))])
    LOG.info("segment=%s live=%d new=%d up_to=%d", name, len(events), counts["n_events"], up_to)
    read = {"n_rows_read": len(events), "n_ignored": 0, "n_quarantined": 0, "inputs": {}, "input_id": f"log-{up_to}"}
    return finish_segment(workspace, view, name, {**counts, **read, "absorbed": {log_id(log): up_to}})


def trim_log(log: EventLog | None, corpus: CorpusView) -> int:
    """Drop from a log what a corpus has taken in, of which a finished snapshot exists; the number of events.

    Give the corpus of the snapshot *before* the newest: whoever still serves that one, and starts again, finds its
    events in the log.
    """
    up_to = 0 if log is None else absorbed_number(corpus.manifest, log)
    return log.trim(up_to) if log is not None and up_to else 0
