"""What a replica does with live events: takes them in, erases, exports. No HTTP in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dynprof.live.intake import Known, take_in
from dynprof.live.log import EventLog, LiveEvent, Outcome

__all__ = ["LiveLimits", "LiveService", "TooBusyError"]


@dataclass(frozen=True)
class LiveLimits:
    """What one request, and all of them together, may bring.

    Attributes:
        body_bytes: Of one request.
        events: In one request.
        waiting_events: Of all requests that wait for the log at one moment; the next one is refused.
    """

    body_bytes: int = 8 << 20
    events: int = 1_000
    waiting_events: int = 20_000


class TooBusyError(Exception):
    """More events wait for the log than may."""


class LiveService:
    """The log of a replica, with whoever wants to know at once that something was written. Safe in several threads.

    Args:
        log: The log; closed by whoever opened it.
        limits: See there.
        known: Looks events up in the corpus of the snapshot; None where none can be there.
        on_change: Called after events were accepted, such as `LiveEncoder.wake` and the overlay's.
        on_erase: Called after something was erased, before the request is answered.
        snapshot_of: What the snapshot holds of a user, for the export; None where it holds nothing.
        clock: Unix seconds.
    """

    def __init__(
        self,
        log: EventLog,
        *,
        limits: LiveLimits | None = None,
        known: Known | None = None,
        on_change: Sequence[Callable[[], None]] = (),
        on_erase: Sequence[Callable[[], None]] = (),
        snapshot_of: Callable[[str], Mapping[str, Any] | None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.log = log
        self.limits = limits or LiveLimits()
        self._known = known
        self._on_change, self._on_erase = on_change, on_erase
        self._snapshot_of = snapshot_of
        self._clock = clock
        self._counting = threading.Lock()
        self._n_waiting = 0

    def take_in(self, records: Sequence[Any]) -> list[Outcome]:
        """Make events durable; what became of each, in order.

        Raises:
            TooBusyError: Too many wait already. Nothing was written.
            LiveLogError: None of them is promised.
        """
        with self._room_for(len(records)):
            outcomes = take_in(self.log, records, now=self._clock(), known=self._known)
        if any(outcome.status == "accepted" for outcome in outcomes):
            self._changed()
        return outcomes

    def erase_user(self, user_id: str) -> int:
        """Erase a user for good; how many events of the log that were.

        Raises:
            LiveLogError: The user may be erased, but the erasure is not finished. Ask again.
        """
        try:
            return self.log.erase_user(user_id)
        finally:  # also where only the last bytes could not be removed
            self._erased()

    def erase_event(self, event_id: str) -> bool:
        """Erase an event for good; whether the log had it.

        Raises:
            LiveLogError: As in `erase_user`.
        """
        try:
            return self.log.erase_event(event_id)
        finally:
            self._erased()

    def export(self, user_id: str) -> tuple[list[LiveEvent], Mapping[str, Any] | None] | None:
        """What is kept of a user: events of the log, and what the snapshot has. None where there is neither."""
        if self.log.keyed(user_id) in self.log.erased_users():
            return None
        events = self.log.events_of(user_id)
        snapshot = self._snapshot_of(user_id) if self._snapshot_of else None
        return (events, snapshot) if events or snapshot is not None else None

    @contextmanager
    def _room_for(self, n_events: int) -> Iterator[None]:
        with self._counting:
            if self._n_waiting and self._n_waiting + n_events > self.limits.waiting_events:
                raise TooBusyError(
                    f"expected at most {self.limits.waiting_events:,} to wait for the log, found {self._n_waiting:,}"
                )
            self._n_waiting += n_events
        try:
            yield
        finally:
            with self._counting:
                self._n_waiting -= n_events

    def _changed(self) -> None:
        for tell in self._on_change:
            tell()

    def _erased(self) -> None:
        for tell in (*self._on_change, *self._on_erase):
            tell()
