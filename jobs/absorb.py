"""The log of live events into the corpus, through the same door as files: the first stage of `update` and `build`."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray

from dynprof.lineage import corpus_of, present_corpus
from dynprof.live.absorbed import absorbed_number, log_id
from dynprof.live.log import EventLog
from dynprof.live.open_log import LOG_FILE, open_log
from dynprof.live.rows import events_between, rows_of_events
from dynprof.snapshot import SNAPSHOTS, read_spec
from dynprof.workspace import Workspace
from jobs.command import ray_session
from jobs.update_segment import finish_segment, new_segment, settle_parts

__all__ = ["absorb", "add_live_flag", "live_log", "trim_log"]

LOG = logging.getLogger("dynprof.absorb")

LIVE = "live"
NO_LOG = "none"


def add_live_flag(made: argparse.ArgumentParser) -> None:
    """Which log; `jobs.update`, `jobs.build`, `jobs.erase` and `jobs.verify` have it."""
    named = "address of the log of live events, or none; default: the workspace's own, where there is one"
    made.add_argument("--live", help=named)


@contextmanager
def live_log(workspace: Workspace, uri: str | None) -> Iterator[EventLog | None]:
    """The log that a flag names; None where it says none, or nothing and the workspace has no log.

    Raises:
        ConfigError, LiveLogError: The address means nothing, or the log cannot be opened.
    """
    address = uri or own_log(workspace)
    if address is None or address == NO_LOG:
        yield None
        return
    log = open_log(address)
    try:
        yield log
    finally:
        log.close()


def own_log(workspace: Workspace) -> str | None:
    """Address of the workspace's own log; None without one."""
    if not workspace.is_local or not workspace.exists(LIVE, LOG_FILE):
        return None
    return str(Path(workspace.path(LIVE, LOG_FILE)))


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


def trim_log(workspace: Workspace, log: EventLog | None, snapshot: str) -> int:
    """Drop from a log what a finished snapshot's corpus has taken in; the number of events.

    Give the snapshot *before* the newest: whoever still serves that one, and starts again, finds its events in the log.
    """
    if log is None:
        return 0
    _, manifest = read_spec(workspace, snapshot)
    made_of = corpus_of(workspace, manifest["corpus_id"], whose=(SNAPSHOTS, snapshot), what="a snapshot")
    up_to = absorbed_number(made_of.manifest, log)
    return log.trim(up_to) if up_to else 0
