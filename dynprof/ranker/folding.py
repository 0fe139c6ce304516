"""Profiles of a user at many times: the events are folded one by one, and read where a time asks for it.

What comes out does not depend on which times are asked for: every sum is made of the same additions in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dynprof.bank import Bank
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.profile import MICROSECONDS
from dynprof.ranker.content import Content

__all__ = ["fold_contents"]

_VECTORS_AT_ONCE = 4_096


def fold_contents(log: EventLog, vectors: ItemVectors, tests: TestEvents, bank: Bank) -> list[Content]:
    """What `Content` has of the user of each test, from all events strictly before it, but for the last item.

    Args:
        log: Events.
        vectors: Of its items.
        tests: Those asked for; tests of one user are read from one fold.
        bank: Half-lives.
    """
    found: list[Content | None] = [None] * len(tests)
    order = np.lexsort((tests.event_us, tests.users))
    for rows in np.split(order, np.flatnonzero(np.diff(tests.users[order])) + 1):
        if len(rows):
            for row, content in zip(rows.tolist(), _fold(log, vectors, tests, rows, bank), strict=True):
                found[row] = content
    return [content for content in found if content is not None]


def _fold(
    log: EventLog, vectors: ItemVectors, tests: TestEvents, rows: npt.NDArray[np.int64], bank: Bank
) -> Iterator[Content]:
    """The contents of one user's tests, by time."""
    start, last_stop = int(tests.history_start[rows[0]]), int(tests.history_stop[rows[-1]])
    dim = vectors.take(slice(0, 0)).shape[1]
    sums, masses = np.zeros((bank.size, dim)), np.zeros(bank.size)
    at_us = log.event_us[start:last_stop]
    factors = bank.factors(np.diff(at_us, prepend=at_us[:1]) / MICROSECONDS)
    read = _vectors(vectors, log.items[start:last_stop])
    folded = 0
    for row in rows.tolist():
        for event in range(folded, int(tests.history_stop[row]) - start):
            weight = log.weights[start + event]
            sums *= factors[event][:, None]
            sums += weight * next(read)
            masses *= factors[event]
            masses += abs(weight)
            folded = event + 1
        aged = bank.factors((tests.event_us[row] - at_us[folded - 1 : folded]) / MICROSECONDS)
        yield Content.of(sums, masses * aged[0] if folded else masses.copy(), None)


def _vectors(vectors: ItemVectors, items: npt.NDArray[np.int32]) -> Iterator[npt.NDArray[np.float64]]:
    for start in range(0, len(items), _VECTORS_AT_ONCE):
        yield from vectors.take(items[start : start + _VECTORS_AT_ONCE]).astype(np.float64)
