"""Group commit: callers that come while a write is under way share the next one, and its one wait for the disk."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["GroupCommit"]

Job = TypeVar("Job")
Result = TypeVar("Result")


class _Ticket(Generic[Job, Result]):
    """One caller's job and what came of it."""

    def __init__(self, job: Sequence[Job]) -> None:
        self.job = job
        self.results: list[Result] | None = None
        self.error: BaseException | None = None

    @property
    def done(self) -> bool:
        return self.results is not None or self.error is not None


class GroupCommit(Generic[Job, Result]):
    """Nobody waits for company: the first caller writes at once, those who come meanwhile are the next group.

    Args:
        write: Takes the jobs of a group and gives a result for each. Never called twice at a time.
        turn: Held while writing; whoever else writes to the same place takes it too.
        most: Jobs of a group, unless one caller alone brings more.
    """

    def __init__(self, write: Callable[[list[Job]], list[Result]], turn: threading.Lock, *, most: int) -> None:
        self._write = write
        self._turn = turn
        self._most = most
        self._door = threading.Lock()
        self._waiting: deque[_Ticket[Job, Result]] = deque()

    def submit(self, job: Sequence[Job]) -> list[Result]:
        """Return when the group of this job is written.

        Raises:
            BaseException: What `write` raised; everybody in the group gets it.
        """
        ticket: _Ticket[Job, Result] = _Ticket(job)
        with self._door:
            self._waiting.append(ticket)
        with self._turn:
            while not ticket.done:
                group = self._next_group()
                if not group:  # whoever had taken this ticket was interrupted before it could write
                    raise RuntimeError("the write was interrupted in another thread; nothing of it is promised")
                self._serve(group)
        if ticket.error is not None:
            raise ticket.error
        return ticket.results or []

    def _next_group(self) -> list[_Ticket[Job, Result]]:
        group: list[_Ticket[Job, Result]] = []
        size = 0
        with self._door:
            while self._waiting and (not group or size + len(self._waiting[0].job) <= self._most):
                group.append(self._waiting.popleft())
                size += len(group[-1].job)
        return group

    def _serve(self, group: list[_Ticket[Job, Result]]) -> None:
        try:
            results = self._write([job for ticket in group for job in ticket.job])
        except BaseException as error:  # an interrupt too: those who wait must not wait for ever
            for ticket in group:
                ticket.error = error
            return
        start = 0
        for ticket in group:
            ticket.results = results[start : start + len(ticket.job)]
            start += len(ticket.job)
