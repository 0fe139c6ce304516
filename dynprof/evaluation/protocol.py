"""What is asked: which events are predicted, from which history, among which candidates.

Next-event retrieval, prequential: an event at t is predicted from what happened strictly before t, test period
included, among all texts that appeared strictly before t. Never a sampled negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog

__all__ = ["TestEvents", "Window", "choose_tests", "cut_blocks", "eligible_events", "last_window"]


@dataclass(frozen=True)
class Window:
    """Test events lie in [start_us, stop_us), microseconds since 1970."""

    start_us: int
    stop_us: int


@dataclass(frozen=True)
class TestEvents:
    """Events to predict, in order of time. All arrays have n rows.

    Attributes:
        users: int32 number of the user.
        event_us: int64 microseconds; the profile is as of this time.
        targets: int32 number of the item.
        catalogue: int64 number of items that appeared strictly before: the candidates are items 0 to catalogue - 1,
            less those that `include_seen` leaves out.
        history_start: int64 position in the log of the user's first event.
        history_stop: int64 position one after the user's last event strictly before the time; equal when there is none.
        include_seen: True: what the user had before stays a candidate.
    """

    __test__ = False  # for pytest: not a class of tests

    users: npt.NDArray[np.int32]
    event_us: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int32]
    catalogue: npt.NDArray[np.int64]
    history_start: npt.NDArray[np.int64]
    history_stop: npt.NDArray[np.int64]
    include_seen: bool

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_history(self) -> npt.NDArray[np.int64]:
        """(n,) number of events in each history."""
        return self.history_stop - self.history_start

    def part(self, start: int, stop: int) -> TestEvents:
        """Rows start to stop - 1."""
        arrays = {f.name: getattr(self, f.name)[start:stop] for f in fields(self) if f.name != "include_seen"}
        return TestEvents(**arrays, include_seen=self.include_seen)


def last_window(log: EventLog, test_share: float) -> Window:
    """The window that starts at the time from which on at most `test_share` of the events lie, ties kept together.

    Where all events share one time, they all lie in the window.

    Raises:
        ConfigError: `test_share` is not in (0, 1).
    """
    if not 0 < test_share < 1:
        raise ConfigError(f"test share: expected a share of the events in (0, 1), found {test_share!r}.")
    if not len(log):
        return Window(0, 0)
    times = log.event_us[log.by_time]
    cut = min(int(np.ceil(len(times) * (1 - test_share))), len(times) - 1)
    if cut and times[cut - 1] == times[cut]:  # the cut would tear events of one time apart: the window begins after
        cut = min(int(np.searchsorted(times, times[cut], side="right")), len(times) - 1)
    start = times[cut]
    return Window(int(start), int(times[-1]) + 1)


def eligible_events(log: EventLog, window: Window, *, include_seen: bool = False) -> npt.NDArray[np.int64]:
    """Positions of the events that can be predicted, rising.

    An event counts when it lies in the window, has a positive weight (a dislike is nothing to recommend), and its item
    appeared strictly before it. Unless `include_seen`, it must also be the user's first event with that item.
    """
    good = (log.event_us >= window.start_us) & (log.event_us < window.stop_us) & (log.weights > 0)
    good &= log.first_us[log.items] < log.event_us
    if not include_seen:
        _, first = np.unique(log.users.astype(np.int64) * max(log.n_items, 1) + log.items, return_index=True)
        novel = np.zeros(len(log), bool)
        novel[first] = True
        good &= novel
    return np.flatnonzero(good)


def choose_tests(
    log: EventLog,
    event_ids: pa.StringArray,
    eligible: npt.NDArray[np.int64],
    *,
    max_events: int,
    seed: int = 0,
    include_seen: bool = False,
) -> TestEvents:
    """A sample of the eligible events that depends on their ids and the seed only, never on their order.

    Args:
        log: All events.
        event_ids: (n,) ids in the log's order.
        eligible: Positions from `eligible_events`.
        max_events: Largest sample; 0 for all.
        seed: Another seed, another sample.
        include_seen: As given to `eligible_events`.

    Raises:
        ConfigError: `max_events` is negative.
    """
    if max_events < 0:
        raise ConfigError(f"max events: expected a number >= 0 (0: all), found {max_events}.")
    chosen = eligible
    if 0 < max_events < len(eligible):
        keys = _draws(event_ids.take(pa.array(eligible)), seed)
        chosen = eligible[np.argsort(keys, kind="stable")[:max_events]]
    chosen = chosen[np.lexsort((chosen, log.event_us[chosen]))]
    event_us = log.event_us[chosen]
    return TestEvents(
        users=log.users[chosen],
        event_us=event_us,
        targets=log.items[chosen],
        catalogue=np.searchsorted(log.first_us, event_us, side="left"),
        history_start=np.searchsorted(log.users, log.users[chosen], side="left"),
        history_stop=_run_starts(log)[chosen],
        include_seen=include_seen,
    )


def cut_blocks(tests: TestEvents, *, max_tests: int = 256, max_history: int = 1_000_000) -> Iterator[tuple[int, int]]:
    """Bounds (start, stop) of consecutive test events, few enough in number and in history for one task."""
    ends = np.cumsum(tests.n_history)
    start = 0
    while start < len(tests):
        before = ends[start - 1] if start else 0
        within = int(np.searchsorted(ends, before + max_history, side="right"))
        stop = min(start + max_tests, max(within, start + 1))
        yield start, stop
        start = stop


def _run_starts(log: EventLog) -> npt.NDArray[np.int64]:
    """For every event the position of the first one of its user and time: where the history strictly before it ends."""
    new = np.diff(log.users, prepend=-1) != 0
    new[1:] |= np.diff(log.event_us) != 0
    return np.maximum.accumulate(np.where(new, np.arange(len(log)), 0))


def _draws(event_ids: pa.StringArray, seed: int) -> npt.NDArray[np.uint64]:
    key = seed.to_bytes(16, "little", signed=True)
    digests = b"".join(blake2b(i.encode(), digest_size=8, key=key).digest() for i in event_ids.to_pylist())
    return np.frombuffer(digests, np.dtype("<u8"))
