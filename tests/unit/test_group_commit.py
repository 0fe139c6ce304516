"""Callers that come together are written together, each gets what is its own, and nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dynprof.live.group_commit import GroupCommit


class Store:
    """Doubles numbers, a group at a time; the first group waits until it is let go."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.began, self.go_on = threading.Event(), threading.Event()
        self.error: BaseException | None = None

    def write(self, jobs: list[int]) -> list[int]:
        self.groups.append(jobs)
        self.began.set()
        assert self.go_on.wait(30)
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        return [2 * job for job in jobs]


def waiting(group: GroupCommit[int, int], n: int) -> None:
    """Return when so many callers stand in line."""
    while len(group._waiting) < n:
        threading.Event().wait(0.001)


def together(store: Store, jobs: list[list[int]], most: int) -> list[list[int] | BaseException]:
    """One caller at first, and while it writes all others."""
    group = GroupCommit(store.write, threading.Lock(), most=most)

    def ask(job: list[int]) -> list[int] | BaseException:
        try:
            return group.submit(job)
        except BaseException as error:
            return error

    with ThreadPoolExecutor(len(jobs)) as pool:
        asked = [pool.submit(ask, jobs[0])]
        assert store.began.wait(30)
        for n, job in enumerate(jobs[1:], 1):
            asked.append(pool.submit(ask, job))
            waiting(group, n)
        store.go_on.set()
        return [one.result(30) for one in asked]


def test_those_who_come_while_one_writes_are_written_together_and_get_their_own() -> None:
    store = Store()
    assert together(store, [[1], [2, 3], [4]], most=100) == [[2], [4, 6], [8]]
    assert store.groups == [[1], [2, 3, 4]]


def test_a_group_has_its_size_unless_one_caller_alone_brings_more() -> None:
    store = Store()
    assert together(store, [[0], [1, 2], [3, 4], [5, 6, 7, 8, 9], [10]], most=4)[3] == [10, 12, 14, 16, 18]
    assert store.groups == [[0], [1, 2, 3, 4], [5, 6, 7, 8, 9], [10]]


@pytest.mark.parametrize("error", [OSError("the disk is full"), KeyboardInterrupt()])
def test_an_error_reaches_everybody_of_its_group_and_nobody_else(error: BaseException) -> None:
    store = Store()
    group = GroupCommit(store.write, threading.Lock(), most=100)
    store.go_on.set()
    store.error = error
    with pytest.raises(type(error)):
        group.submit([1])
    assert group.submit([2]) == [4]
    failing = Store()
    failing.error = error
    assert together(failing, [[1], [2], [3]], most=100) == [error, [4], [6]]


def test_a_caller_whose_write_was_interrupted_in_another_thread_does_not_wait_for_ever() -> None:
    group: GroupCommit[int, int] = GroupCommit(lambda jobs: jobs, threading.Lock(), most=10)
    group._next_group = list  # type: ignore[method-assign]  # its ticket was taken, and never served
    with pytest.raises(RuntimeError, match="interrupted in another thread"):
        group.submit([1])
