"""What is asked: which events are predicted, from which history, among which candidates.

Next-event retrieval, prequential: an event at t is predicted from what happened strictly before t, test period
included, among all texts that appeared strictly before t. Never a sampled negative.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog
from dynprof.keys import hash_words

__all__ = [
    "AUTO",
    "TestEvents",
    "Window",
    "choose_tests",
    "draw_keys",
    "eligible_events",
    "last_window",
    "sample_size",
    "text_keys",
]

AUTO = "auto"
"""The sample that `sample_size` chooses."""

_MOST_TESTS, _FEWEST_TESTS = 2_000, 500
_SCORES_A_METHOD = 5_000_000_000
"""Test events times texts: at 384 dimensions and seven profiles about three minutes of two cores."""


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
        positions: int64 position of the event in the log.
        targets: int32 number of the item.
        catalogue: int64 number of items that appeared strictly before: the candidates are items 0 to catalogue - 1,
            less those that `include_seen` leaves out.
        history_start: int64 position in the log of the user's first event.
        history_stop: int64 position one after the user's last event strictly before the time; equal when there is none.
        include_seen: True: what the user had before stays a candidate.
        asked_us: int64 microseconds from which a history's ages count, where that is not `event_us`: tests that
            leave one out are put behind the end of the log.
    """

    __test__ = False  # for pytest: not a class of tests

    users: npt.NDArray[np.int32]
    event_us: npt.NDArray[np.int64]
    positions: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int32]
    catalogue: npt.NDArray[np.int64]
    history_start: npt.NDArray[np.int64]
    history_stop: npt.NDArray[np.int64]
    include_seen: bool
    asked_us: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.users)

    @property
    def n_history(self) -> npt.NDArray[np.int64]:
        """(n,) number of events in each history."""
        return self.history_stop - self.history_start

    @property
    def as_of_us(self) -> npt.NDArray[np.int64]:
        """(n,) time that the profile is as of."""
        return self.event_us if self.asked_us is None else self.asked_us

    def excluded(self, log: EventLog, row: int) -> npt.NDArray[np.int32]:
        """Items of the catalogue of one test that do not count: the target and what the user had before, distinct."""
        target = self.targets[row : row + 1]
        if self.include_seen:
            return target
        history = slice(self.history_start[row], self.history_stop[row])
        return np.concatenate([log.items[history][log.novel[history]], target])

    def take(self, rows: npt.NDArray[np.integer] | slice) -> TestEvents:
        """Some of the rows."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "include_seen"}
        taken: dict[str, Any] = {name: None if array is None else array[rows] for name, array in arrays.items()}
        return TestEvents(**taken, include_seen=self.include_seen)

    def within(self, log: EventLog, start: int) -> TestEvents:
        """The same tests in the log of their own bucket, whose events lie in the whole log from `start` on."""
        positions = self.positions - start
        return replace(
            self,
            positions=positions,
            users=log.users[positions],
            targets=log.items[positions],
            history_start=self.history_start - start,
            history_stop=self.history_stop - start,
        )


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
    times = np.sort(log.event_us)
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
        good &= log.novel
    return np.flatnonzero(good)


def sample_size(max_events: int | str, n_items: int) -> int:
    """Largest number of test events; 0 for all.

    `AUTO` asks for 2,000 up to 2.5 million texts and for fewer beyond, so that the work stops growing, but never for
    fewer than 500. Encoder and decays do not enter: they are compared on the same events.

    Raises:
        ConfigError: `max_events` is neither `AUTO` nor a number >= 0.
    """
    if max_events == AUTO:
        return int(np.clip(_SCORES_A_METHOD // max(n_items, 1), _FEWEST_TESTS, _MOST_TESTS))
    if isinstance(max_events, str) or max_events < 0:
        raise ConfigError(f"--max-events: expected {AUTO}, 0 (all) or a number > 0, found {max_events}.")
    return max_events


def draw_keys(event_ids: pa.StringArray, seed: int) -> npt.NDArray[np.uint64]:
    """A number for each id that depends on id and seed only: the smallest are the sample."""
    key = seed.to_bytes(16, "little", signed=True)
    digests = b"".join(blake2b(i.encode(), digest_size=8, key=key).digest() for i in event_ids.to_pylist())
    return np.frombuffer(digests, np.dtype("<u8"))


def text_keys(
    text_hashes: pa.FixedSizeBinaryArray, items: npt.NDArray[np.integer], at_us: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.uint64]:
    """`draw_keys` without ids, which would have to be read: a number that depends on text, time and seed only.

    Args:
        text_hashes: What numbers of items stand for, 16 bytes each.
        items: (n,) numbers, repeated or not.
        at_us: (n,) microseconds since 1970.
        seed: Of the sample.
    """
    distinct, place = np.unique(items, return_inverse=True)
    words = hash_words(text_hashes.take(distinct))[place]
    mixed = words[:, 0] ^ _mix(words[:, 1] ^ _mix(at_us.astype(np.uint64)))
    return _mix(mixed ^ _mix(np.full(len(items), np.uint64(seed & (2**64 - 1)))))


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", the finaliser of SplitMix64."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def choose_tests(
    log: EventLog,
    eligible: npt.NDArray[np.int64],
    keys: npt.NDArray[np.uint64] | None = None,
    *,
    max_events: int = 0,
    include_seen: bool = False,
) -> TestEvents:
    """A sample of the eligible events that depends on their ids and the seed only, never on their order.

    Args:
        log: All events.
        eligible: Positions from `eligible_events`.
        keys: (len(eligible),) from `draw_keys` or `text_keys`; None takes all.
        max_events: Size of the sample where there are keys.
        include_seen: As given to `eligible_events`.
    """
    chosen = eligible
    if keys is not None:
        # Two users may have an event of the same id.
        chosen = eligible[np.lexsort((eligible, log.users[eligible], keys))[:max_events]]
    chosen = chosen[np.lexsort((chosen, log.users[chosen], log.event_us[chosen]))]
    event_us = log.event_us[chosen]
    new_user = np.diff(log.users, prepend=-1) != 0
    new_time = new_user | (np.diff(log.event_us, prepend=0) != 0)
    return TestEvents(
        users=log.users[chosen],
        event_us=event_us,
        positions=chosen,
        targets=log.items[chosen],
        catalogue=np.searchsorted(log.first_us, event_us, side="left"),
        history_start=_last_before(new_user, chosen),
        history_stop=_last_before(new_time, chosen),
        include_seen=include_seen,
    )


def _last_before(starts: npt.NDArray[np.bool_], positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The last start at or before each position."""
    found = np.flatnonzero(starts)
    return np.asarray(found[np.searchsorted(found, positions, side="right") - 1], np.int64)
