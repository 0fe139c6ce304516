"""Which log of live events a job works with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynprof.live.log import EventLog
from dynprof.live.open_log import open_log, own_log
from dynprof.live.tombstones import Tombstones
from dynprof.workspace import Workspace

__all__ = ["NO_LOG", "add_live_flag", "live_log", "present_log", "tombstones_at"]

NO_LOG = "none"
"""As an address: no log."""


def add_live_flag(made: argparse.ArgumentParser) -> None:
    """Which log; all jobs that read or write users' events have it."""
    named = "address of the log of live events, or none; default: the workspace's own, where there is one"
    made.add_argument("--live", help=named)


@contextmanager
def live_log(workspace: Workspace, uri: str | None) -> Iterator[EventLog | None]:
    """The log that a flag names; None where it says none, or nothing and the workspace has no log.

    Raises:
        ConfigError, LiveLogError: The address means nothing, or the log cannot be opened.
    """
    address = uri or present_log(workspace)
    if address is None or address == NO_LOG:
        yield None
        return
    log = open_log(address)
    try:
        yield log
    finally:
        log.close()


def present_log(workspace: Workspace) -> str | None:
    """Address of the workspace's own log where it is there; None without one."""
    address = own_log(workspace)
    return address if address and Path(address).exists() else None


def tombstones_at(workspace: Workspace, uri: str | None) -> Tombstones | None:
    """Who and what was erased, as the log knows it that a flag names; None without one."""
    with live_log(workspace, uri) as log:
        return None if log is None else Tombstones.of(log)
