"""Popular lately: the number of events in the last so many seconds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dynprof.baselines.contract import Baseline, Settings, settled
from dynprof.duration import SECONDS_PER_DAY, format_duration
from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["DEFAULTS", "RecentPopularity"]

DEFAULTS: Settings = {"window_s": SECONDS_PER_DAY}


class RecentPopularity(Baseline):
    """Score: number of events with the item at or after t - `window_s` and strictly before t. Nothing is fitted."""

    def __init__(self, fit: EventLog, settings: Settings, *, name: str | None = None) -> None:  # noqa: ARG002
        super().__init__()
        window_s = settled("popular", settings, DEFAULTS)["window_s"]
        if window_s is None or not 0 < window_s < np.inf:
            raise ConfigError(f"baseline 'popular': expected window_s, seconds > 0, found {window_s!r}.")
        self._window_us = round(window_s * 1e6)
        self.name = name or f"popular {format_duration(window_s)}"

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """As `Baseline.scores`. One sweep: an event enters the counts at its time and leaves them a window later."""
        if not len(tests):
            return
        log, starts = self.log, tests.event_us - self._window_us
        near = np.flatnonzero((log.event_us >= starts.min()) & (log.event_us < tests.event_us.max()))
        near = near[np.argsort(log.event_us[near], kind="stable")]
        times, items = log.event_us[near], log.items[near]
        begins, ends = (np.searchsorted(times, bound, side="left") for bound in (starts, tests.event_us))
        counts = np.zeros(log.n_items)
        first = last = 0
        for begin, end, catalogue in zip(begins, ends, tests.catalogue, strict=True):
            np.add.at(counts, items[last:end], 1)
            np.subtract.at(counts, items[first:begin], 1)
            first, last = begin, end
            yield counts[:catalogue]
