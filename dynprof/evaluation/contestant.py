"""What every method answers: a score for each item of a test's catalogue, from what happened strictly before it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks

__all__ = ["LIST_SIZE", "NOTHING", "Contestant", "Placed", "place"]

LIST_SIZE = 50
"""Length of the lists that are kept of every test event."""

NOTHING = -1
"""Where a list has no item: there were fewer candidates."""


class Contestant(Protocol):
    """A method under test. What it fitted, it fitted before the window of the tests."""

    name: str

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """For each test event in turn (catalogue,) scores, greater is better, of items 0 to catalogue - 1.

        Nothing at or after the event's time may change a score. The array may be used again for the next one.
        """
        ...


@dataclass(frozen=True)
class Placed:
    """Where the targets of n test events stand, and what stands first.

    Attributes:
        ranks: (n, 1) places of the targets.
        lists: (n, `LIST_SIZE`) int32 items, best first, ties by the lower number; `NOTHING` beyond the candidates.
    """

    ranks: Ranks
    lists: npt.NDArray[np.int32]


def place(contestant: Contestant, log: EventLog, tests: TestEvents) -> Placed:
    """Rank the targets of test events, and list the best candidates; what `tests.excluded` names is no candidate.

    Args:
        contestant: Who scores.
        log: The log that the tests are of.
        tests: (n,) test events.
    """
    ranks = Ranks.zeros((len(tests), 1))
    lists = np.full((len(tests), LIST_SIZE), NOTHING, np.int32)
    for row, given in enumerate(contestant.scores(tests)):
        target = int(tests.targets[row])
        excluded = tests.excluded(log, row)
        own = given[target]
        left_out = given[excluded]  # the target among them: it is not beside itself
        ranks.above[row] = np.count_nonzero(given > own) - np.count_nonzero(left_out > own)
        ranks.tied[row] = np.count_nonzero(given == own) - np.count_nonzero(left_out == own)
        best = _best(given, excluded[excluded != target])
        lists[row, : len(best)] = best
    return Placed(ranks, lists)


def _best(scores: npt.NDArray[np.floating], excluded: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
    """The first `LIST_SIZE` candidates by falling score, then by rising number."""
    allowed = np.ones(len(scores), np.bool_)
    allowed[excluded] = False
    candidates = np.flatnonzero(allowed)
    mine = scores[candidates]
    if len(candidates) > LIST_SIZE:
        worst = np.partition(mine, len(mine) - LIST_SIZE)[len(mine) - LIST_SIZE]
        better, beside = np.flatnonzero(mine > worst), np.flatnonzero(mine == worst)
        kept = np.concatenate([better, beside[: LIST_SIZE - len(better)]])
        candidates, mine = candidates[kept], mine[kept]
    return candidates[np.lexsort((candidates, -mine))]
