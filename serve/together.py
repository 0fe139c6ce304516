"""Questions that wait while others are answered are answered together: they share one pass over the items."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

from dynprof.sources import FoundItems, ItemQuery, ItemSource

__all__ = ["MOST_AT_ONCE", "Collector", "Steps", "finish"]

MOST_AT_ONCE = 16
"""Beyond it the product gains little, and the first of a batch waits for the last."""

Question = TypeVar("Question")
Answer = TypeVar("Answer")

Steps = Generator[ItemQuery, FoundItems, Answer]
"""An answer in the making: it yields what it wants searched, is sent what was found, and returns the answer."""


def finish(items: ItemSource, making: Sequence[Steps[Answer]]) -> list[Answer | Exception]:
    """All answers, in order; in the place of one that failed its error. Their searches are done together."""
    done: dict[int, Answer | Exception] = {}
    waiting = _advance(dict.fromkeys(range(len(making)), None), making, done)
    while waiting:
        found = items.search_all(list(waiting.values()))
        waiting = _advance(dict(zip(waiting, found, strict=True)), making, done)
    return [done[i] for i in range(len(making))]


def _advance(
    found: Mapping[int, FoundItems | None], making: Sequence[Steps[Answer]], done: dict[int, Answer | Exception]
) -> dict[int, ItemQuery]:
    """What those that go on want searched next, by their number; None was found for one that has not begun."""
    asked = {}
    for i, result in found.items():
        try:
            asked[i] = next(making[i]) if result is None else making[i].send(result)
        except StopIteration as end:
            done[i] = end.value
        except Exception as error:  # of this one alone
            done[i] = error
    return asked


class Collector(Generic[Question, Answer]):
    """Answers questions in one thread, at once while nobody else asks, else as many as wait.

    Args:
        answer: Gives an answer or an error for each of some questions, in order.
        most: Questions at once.
    """

    def __init__(
        self, answer: Callable[[list[Question]], Sequence[Answer | Exception]], *, most: int = MOST_AT_ONCE
    ) -> None:
        self._answer, self._most = answer, most
        self._waiting: deque[tuple[Question, Future[Answer]]] = deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="together")
        self._lock, self._working = Lock(), False

    def ask(self, question: Question) -> Future[Answer]:
        """The answer, when it is there. Cancelled before its turn, it is not worked on."""
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting.append((question, future))
            if not self._working:
                self._working = True
                self._thread.submit(self._work)
        return future

    def _work(self) -> None:
        while batch := self._next():
            try:
                answers = self._answer([question for question, _ in batch])
            except Exception as error:
                answers = [error] * len(batch)
            for (_, future), answer in zip(batch, answers, strict=True):
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def _next(self) -> list[tuple[Question, Future[Answer]]]:
        """The next ones to answer; none, and the work is done."""
        batch: list[tuple[Question, Future[Answer]]] = []
        with self._lock:
            while self._waiting and len(batch) < self._most:
                question, future = self._waiting.popleft()
                if future.set_running_or_notify_cancel():
                    batch.append((question, future))
            self._working = bool(batch)
        return batch
