"""From messages of a stream to the log: many at a time, erasures in their place, and what came of them in numbers."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

from dynprof.live.log import Outcome

__all__ = ["Erasure", "Feed", "TakeIn"]

LOG = logging.getLogger("dynprof.streams")

TakeIn = Callable[[Sequence[Mapping[str, Any]]], Sequence[Outcome]]
"""Checks rows under our names (docs/formats.md, Events) and makes them durable; returns what became of each."""

_SHOWN = 3


class Eraser(Protocol):
    """The part of a log that forgets."""

    def erase_user(self, user_id: str) -> int:
        """See `EventLog`."""

    def erase_event(self, event_id: str) -> bool:
        """See `EventLog`."""


@dataclass(frozen=True)
class Erasure:
    """A message that takes something back: one of both is given."""

    event_id: str | None = None
    user_id: str | None = None


class Feed:
    """Puts messages into a log, in order. What `take` has returned from is durable.

    A message may come again: the log knows events by their ids, so a consumer may always go back and repeat.

    Args:
        take_in: Into which log.
        eraser: The same log; None: messages that take something back are counted, and that is all.
    """

    def __init__(self, take_in: TakeIn, eraser: Eraser | None = None) -> None:
        self._take_in = take_in
        self._eraser = eraser
        self.counts: Counter[str] = Counter()

    def take(self, messages: Sequence[Mapping[str, Any] | Erasure]) -> None:
        """Make messages durable.

        Args:
            messages: Rows under our names, and erasures; an erasure finds the rows before it already there.

        Raises:
            LiveLogError: Whatever the log raises: some of the messages may be durable, others not; give them again.
        """
        for is_erasure, group in groupby(messages, lambda m: isinstance(m, Erasure)):
            if is_erasure:
                for erasure in group:
                    self._erase(erasure)
            else:
                self._append(list(group))

    def _append(self, rows: list[Any]) -> None:
        outcomes = self._take_in(rows)
        self.counts.update(outcome.status for outcome in outcomes)
        rejected = [o.reason for o in outcomes if o.status == "rejected"]
        if rejected:  # reasons, not rows: a log file is no place for what people wrote
            LOG.warning("rejected=%d reasons=%s", len(rejected), "; ".join(map(str, rejected[:_SHOWN])))

    def _erase(self, erasure: Any) -> None:
        self.counts["erasures"] += 1
        if self._eraser is None:
            return
        if erasure.user_id is not None:
            self.counts["erased"] += self._eraser.erase_user(erasure.user_id)
        if erasure.event_id is not None:
            self.counts["erased"] += self._eraser.erase_event(erasure.event_id)
