"""The gauges of the newest monitor report, for whoever scrapes a replica."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock

from dynprof.drift.storage import newest_gauges
from dynprof.errors import DynprofError
from dynprof.workspace import Workspace

__all__ = ["MonitorGauges"]

LOG = logging.getLogger("dynprof.serve")

_KEPT_S = 30.0


class MonitorGauges:
    """Reads them at most every half minute. Safe to use from several threads.

    Args:
        workspace: Where reports are.
        clock: Seconds that never go back.
    """

    def __init__(self, workspace: Workspace, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._workspace, self._clock, self._lock = workspace, clock, Lock()
        self._text, self._until = b"", clock()

    def text(self) -> bytes:
        """In Prometheus' text format; empty without a report, the last known where storage does not answer."""
        with self._lock:
            if self._clock() >= self._until:
                self._until = self._clock() + _KEPT_S
                try:
                    self._text = newest_gauges(self._workspace)
                except (DynprofError, OSError, ValueError, KeyError):  # a scrape must not fail for a report
                    LOG.exception("monitor report not read")
            return self._text
