"""What every method answers: a score for each item of a test's catalogue, from what happened strictly before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks

__all__ = [
    "LIST_SIZE",
    "NOTHING",
    "Contestant",
    "Draws",
    "Factory",
    "Placed",
    "Standing",
    "Sweep",
    "Watches",
    "place",
]

LIST_SIZE = 50
"""Length of the lists that are kept of every test event."""

NOTHING = -1
"""Where a list has no item: there were fewer candidates."""

Standing = tuple[int, int, npt.NDArray[Any]]
"""Number of items of the catalogue above the target and beside it (it itself among them), and the scores of all items,
to be used before the next is asked for."""


class Contestant(Protocol):
    """A method under test. What it fitted, it fitted before the window of the tests.

    It pickles: it is made in one process and scores in others, where it is first shown the log if it `Watches`.
    """

    name: str

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """For each test event in turn (catalogue,) scores, greater is better, of items 0 to catalogue - 1.

        Nothing at or after the event's time may change a score. The array may be used again for the next one.
        """
        ...


@runtime_checkable
class Sweep(Protocol):
    """A contestant that knows the target's place without looking at every item."""

    def standings(self, tests: TestEvents) -> Iterator[Standing]:
        """For each test event in turn, from events strictly before it."""
        ...


@runtime_checkable
class Draws(Protocol):
    """A contestant whose scores all tie, so that its list is drawn. An expected place needs no drawing."""

    def draw(self, tests: TestEvents, row: int) -> npt.NDArray[Any]:
        """(catalogue,) scores of one test event for its list, whatever is asked beside it."""
        ...


@runtime_checkable
class Watches(Protocol):
    """A contestant that is handed the log where it scores, so that no copy of the log travels with what it fitted."""

    def watch(self, log: EventLog, vectors: ItemVectors | None = None) -> Any:
        """Take the log that the test events are of, and the vectors of its items where `needs_vectors` is true.

        Of the log a score uses only what is strictly before the event that it is for.
        """
        ...


Factory = Callable[[EventLog, Mapping[str, Any]], Contestant]
"""Makes a contestant for one window from the log before the window's start, `log.before(window.start_us)`, and settings
by name, `{"neighbours": 100}`; what they leave out has the contestant's default.

Raises `ConfigError` where the method cannot be had (a package is missing, the catalogue is too large): its row stays
empty and the report says why.
"""


@dataclass(frozen=True)
class Placed:
    """Where the targets of n test events stand, and what stands first.

    Attributes:
        ranks: (n, m) places of the targets under m methods.
        lists: (n, m, `LIST_SIZE`) int32 items, best first, ties by the lower number; `NOTHING` beyond the candidates.
            (n, m, 0) where none were asked for.
    """

    ranks: Ranks
    lists: npt.NDArray[np.int32]

    def columns(self, methods: Sequence[int]) -> Placed:
        """Some of the methods."""
        return Placed(Ranks(self.ranks.above[:, methods], self.ranks.tied[:, methods]), self.lists[:, methods])

    def rows(self, tests: npt.NDArray[np.integer]) -> Placed:
        """Some of the test events."""
        return Placed(Ranks(self.ranks.above[tests], self.ranks.tied[tests]), self.lists[tests])

    @classmethod
    def beside(cls, parts: Sequence[Placed]) -> Placed:
        """The methods of all parts, on the same test events."""
        above, tied = (np.hstack([getattr(p.ranks, side) for p in parts]) for side in ("above", "tied"))
        return cls(Ranks(above, tied), np.concatenate([p.lists for p in parts], axis=1))

    @classmethod
    def below(cls, parts: Sequence[Placed]) -> Placed:
        """The test events of all parts, under the same methods."""
        above, tied = (np.vstack([getattr(p.ranks, side) for p in parts]) for side in ("above", "tied"))
        return cls(Ranks(above, tied), np.concatenate([p.lists for p in parts]))


def place(contestant: Contestant, log: EventLog, tests: TestEvents, *, list_size: int = LIST_SIZE) -> Placed:
    """Rank the targets of test events, and list the best candidates; what `tests.excluded` names is no candidate.

    Args:
        contestant: Who scores.
        log: The log that the tests are of.
        tests: (n,) test events.
        list_size: Of the lists; 0 for none.
    """
    ranks = Ranks.zeros((len(tests), 1))
    lists = np.full((len(tests), 1, list_size), NOTHING, np.int32)
    for row, (above, beside, given) in enumerate(_standings(contestant, tests)):
        target = int(tests.targets[row])
        excluded = tests.excluded(log, row)
        own, left_out = given[target], given[excluded]  # the target among them: it is not beside itself
        ranks.above[row] = above - np.count_nonzero(left_out > own)
        ranks.tied[row] = beside - np.count_nonzero(left_out == own)
        if list_size:
            listed = contestant.draw(tests, row) if isinstance(contestant, Draws) else given[: tests.catalogue[row]]
            best = _best(listed, excluded[excluded != target], list_size)
            lists[row, 0, : len(best)] = best
    return Placed(ranks, lists)


def _standings(contestant: Contestant, tests: TestEvents) -> Iterator[Standing]:
    if isinstance(contestant, Sweep):
        yield from contestant.standings(tests)
        return
    for given, target in zip(contestant.scores(tests), tests.targets, strict=True):
        own = given[target]
        yield int(np.count_nonzero(given > own)), int(np.count_nonzero(given == own)), given


def _best(scores: npt.NDArray[Any], excluded: npt.NDArray[np.integer], size: int) -> npt.NDArray[np.intp]:
    """The first `size` candidates by falling score, then by rising number."""
    allowed = np.ones(len(scores), np.bool_)
    allowed[excluded] = False
    candidates = np.flatnonzero(allowed)
    mine = scores[candidates]
    if len(candidates) > size:
        worst = np.partition(mine, len(mine) - size)[len(mine) - size]
        better, beside = np.flatnonzero(mine > worst), np.flatnonzero(mine == worst)
        kept = np.concatenate([better, beside[: size - len(better)]])
        candidates, mine = candidates[kept], mine[kept]
    return candidates[np.lexsort((candidates, -mine.astype(np.float64)))]
