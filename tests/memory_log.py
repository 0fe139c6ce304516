"""A log that lives in memory and can be told to fail: it remembers ids, as every log does."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from dynprof.live.log import Outcome


class LogDownError(OSError):
    """What a log raises that takes nothing any more."""


class MemoryLog:
    """Events by id, each counted how often it was accepted."""

    def __init__(self) -> None:
        self.rows: dict[str, Mapping[str, Any]] = {}
        self.seen: set[str] = set()
        self.erased_users: list[str] = []
        self.n_calls = 0
        self.fail_before: int | None = None
        self.fail_after: int | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def take_in(self, rows: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Keep rows; fails before or after the call of a number, as a crash would."""
        self.may_go_on.wait(60)
        self.n_calls += 1
        if self.n_calls == self.fail_before:
            raise LogDownError("the log is down")
        outcomes = [self._take(row) for row in rows]
        if self.n_calls == self.fail_after:
            raise LogDownError("the log is down, and nobody heard that it had everything")
        return outcomes

    def _take(self, row: Mapping[str, Any]) -> Outcome:
        event_id = row["event_id"]
        if not row.get("user_id"):
            return Outcome(event_id, "rejected", "user_id: expected an id, found nothing")
        if event_id in self.seen:
            return Outcome(event_id, "duplicate")
        self.seen.add(event_id)
        self.rows[event_id] = row
        return Outcome(event_id, "accepted")

    def erase_user(self, user_id: str) -> int:
        """Forget a user's rows."""
        mine = [i for i, row in self.rows.items() if row["user_id"] == user_id]
        self.erased_users.append(user_id)
        return sum(self.erase_event(i) for i in mine)

    def erase_event(self, event_id: str) -> bool:
        """Forget a row; its id stays known."""
        return self.rows.pop(event_id, None) is not None
