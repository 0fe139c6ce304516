"""What tuning may know: a log that ends where the tests begin, and the events in it that are predicted or fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dynprof.evaluation.log import EventLog, EventNames
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, eligible_events, text_keys

__all__ = ["SealedLog", "fitting_window", "sample_tests", "seal"]


@dataclass(frozen=True)
class SealedLog:
    """A log without its end. Nothing that is made of it can depend on what was cut off.

    Attributes:
        log: Events strictly before `stop_us`, and the items that appeared before it.
        names: What its numbers stand for.
        validation: Where points of the grid are compared; it ends at `stop_us`.
    """

    log: EventLog
    names: EventNames
    validation: Window

    @property
    def stop_us(self) -> int:
        """First time that is not known."""
        return self.validation.stop_us

    def n_early(self, window: Window) -> int:
        """Number of items that appeared before a window; their mean vector is the prior of users without a bio."""
        return int(np.searchsorted(self.log.first_us, window.start_us))


def seal(log: EventLog, names: EventNames, validation: Window) -> SealedLog:
    """Cut a log off at the end of the validation window."""
    cut = log.before(validation.stop_us)
    kept = np.cumsum(np.append(0, log.event_us < validation.stop_us))
    starts = kept[names.bucket_starts]
    return SealedLog(cut, EventNames(names.user_ids, names.text_hashes[: cut.n_items], starts), validation)


def fitting_window(sealed: SealedLog) -> Window:
    """The stretch before the validation window with as many events, or all before it where there are fewer."""
    times = np.sort(sealed.log.event_us)
    start = int(np.searchsorted(times, sealed.validation.start_us))
    n = len(times) - start
    if start == 0:
        return Window(sealed.validation.start_us, sealed.validation.start_us)
    return Window(int(times[max(0, start - n)]), sealed.validation.start_us)


def sample_tests(
    sealed: SealedLog, window: Window, *, max_events: int, seed: int, include_seen: bool = False
) -> TestEvents:
    """Events of a window to predict. The sample depends on their texts, times and the seed alone.

    Args:
        sealed: The log.
        window: Where they lie.
        max_events: Largest number; 0 for all.
        seed: Of the sample.
        include_seen: As of `eligible_events`.
    """
    log = sealed.log
    eligible = eligible_events(log, window, include_seen=include_seen)
    keys = None
    if 0 < max_events < len(eligible):
        keys = text_keys(sealed.names.text_hashes, log.items[eligible], log.event_us[eligible], seed)
    return choose_tests(log, eligible, keys, max_events=max_events, include_seen=include_seen)
