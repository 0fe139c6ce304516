"""The next item is made in a thread while this one is used: tokens of the next window during this one's products."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Iterator[T]:
    """The same items in the same order, each begun before the one before it is asked to give way.

    Tokenizers (Rust), Arrow and torch let go of Python's lock, so the two threads do run side by side.

    Args:
        items: At most one item more than was taken is ever made. An error in making one is raised in its place.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, thread_name_prefix="ahead") as thread:
        coming = thread.submit(_take, iterator)
        while taken := coming.result():
            coming = thread.submit(_take, iterator)
            yield taken[0]


def _take(iterator: Iterator[T]) -> tuple[T] | None:
    """The next item in a tuple; None at the end. A StopIteration may not cross into a generator."""
    for item in iterator:
        return (item,)
    return None
