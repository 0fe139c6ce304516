"""How many candidates stand above a target under many profiles and similarities, counted no further than matters.

NDCG@k of a target is 0 from k better candidates on, so counting stops there. Counts are exact and do not depend
on blocks, shards or threads: scores that float32 cannot tell apart are computed again in float64, where a product of an
fp16 vector and a profile of multiples of 2^-24 does not round.

cosine_time of an item beats the target's where (1 + c) 2^((t - t_target)/h) > 1 + c_target: the time of the test is in
both scores and falls out, so nothing underflows however old the two are. `cosine` is the same with h infinite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks, ask
from dynprof.profile import MICROSECONDS

__all__ = ["Asked", "Duels", "count_duels"]

IntArray = npt.NDArray[np.int64]

_ITEMS_AT_ONCE = 512
_ROWS_AT_ONCE = 512
_PAIRS_AT_ONCE = 4_096
_OWN_ROUNDING = 2.0**-20
"""Of the bound in float32: it is at most 2 where it matters."""


@dataclass(frozen=True)
class Asked:
    """n test events, in order of time.

    Attributes:
        catalogue: (n,) int64: items below it are candidates,
        first_candidate: (n,) from this one on,
        left_out: but not those, (k,) int32, rising within a test,
        left_out_starts: which begin here, (n + 1,).
        appeared_us: (n,) when the target did.
        item_half_lives_s: (s,) of the similarities; infinite for `cosine`.
    """

    catalogue: IntArray
    first_candidate: IntArray
    left_out: npt.NDArray[np.int32]
    left_out_starts: IntArray
    appeared_us: IntArray
    item_half_lives_s: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls,
        log: EventLog,
        tests: TestEvents,
        item_half_lives_s: npt.NDArray[np.float64],
        *,
        first_candidate: IntArray | None = None,
        also_left_out: Sequence[npt.NDArray[np.int32]] | None = None,
    ) -> Asked:
        """What is asked by test events of a log, all of the catalogue being candidates unless told otherwise."""
        left_out = [np.unique(tests.excluded(log, row)) for row in range(len(tests))]
        if also_left_out is not None:
            left_out = [np.union1d(*both) for both in zip(left_out, also_left_out, strict=True)]
        starts = np.cumsum([0, *map(len, left_out)])
        joined = np.concatenate([*left_out, np.empty(0, np.int32)])
        first = np.zeros(len(tests), np.int64) if first_candidate is None else first_candidate
        return cls(tests.catalogue, first, joined, starts, log.first_us[tests.targets], item_half_lives_s)

    def barred(self, test: int, items: npt.NDArray[np.integer]) -> npt.NDArray[np.intp]:
        """Places in some rising items of those that are no candidates of a test."""
        mine = self.left_out[self.left_out_starts[test] : self.left_out_starts[test + 1]]
        mine = mine[np.searchsorted(mine, items[0]) : np.searchsorted(mine, items[-1], side="right")]
        place = np.searchsorted(items, mine)
        late = np.arange(np.searchsorted(items, self.catalogue[test]), len(items))
        early = np.arange(np.searchsorted(items, self.first_candidate[test]))
        return np.concatenate([place[items[place] == mine], late, early])


@dataclass(frozen=True)
class Duels:
    """m profiles, each of one test event, under s similarities.

    Attributes:
        profiles: (m, dim) float32 unit vectors of multiples of 2^-24, or zeros.
        tests: (m,) int64 whose each is, rising.
        scores: (m,) float64 exact cosine with the target.
        open: (m, s) what is still counted.
    """

    profiles: npt.NDArray[np.float32]
    tests: IntArray
    scores: npt.NDArray[np.float64]
    open: npt.NDArray[np.bool_]

    @classmethod
    def of(
        cls, directions: npt.NDArray[np.float32], targets: npt.NDArray[np.float16], first: int, n_similarities: int
    ) -> Duels:
        """All m readouts of n consecutive tests, the first of which has number `first`.

        Args:
            directions: (n, m, dim) of any length.
            targets: (n, dim).
            first: Number of the first test.
            n_similarities: s.
        """
        queries = ask(directions, targets)
        n, m = queries.cosines.shape
        tests = np.repeat(np.arange(first, first + n), m)
        profiles = queries.profiles.reshape(n * m, -1)
        return cls(profiles, tests, queries.cosines.reshape(-1), np.ones((n * m, n_similarities), np.bool_))

    def still_open(self, counted: Ranks, limit: int) -> tuple[Duels, IntArray]:
        """The rows that are not decided by counts so far, with their numbers."""
        undecided = self.open & (counted.above < limit)
        rows = np.flatnonzero(undecided.any(axis=1))
        return Duels(self.profiles[rows], self.tests[rows], self.scores[rows], undecided[rows]), rows


def count_duels(
    duels: Duels,
    asked: Asked,
    items: npt.NDArray[np.integer],
    of: ItemVectors,
    first_us: IntArray,
    *,
    limit: int,
) -> Ranks:
    """Of some items, count those that stand above or beside the targets: exactly below `limit`, then no further.

    Args:
        duels: What is compared.
        asked: The tests that they are of.
        items: (k,) rising numbers.
        of: Vectors of the items, by their place in `items`.
        first_us: (k,) when each appeared, rising.
        limit: Number of better candidates from which on more do not matter.

    Returns:
        (m, s) counts; the target itself is left out by `asked`.
    """
    counts = Ranks.zeros(duels.open.shape)
    stop = int(np.searchsorted(items, asked.catalogue.max(initial=0)))
    duels = replace(duels, open=duels.open.copy())
    # Newest first: they are the best candidates of cosine_time, and decide most.
    for end in range(stop, 0, -_ITEMS_AT_ONCE):
        part = slice(max(0, end - _ITEMS_AT_ONCE), end)
        _close_hopeless(duels, asked, int(first_us[end - 1]))
        within = asked.catalogue[duels.tests] > items[part.start]
        within &= asked.first_candidate[duels.tests] <= items[end - 1]
        rows = np.flatnonzero(duels.open.any(axis=1) & within)
        if len(rows):
            _count_block(duels, asked, rows, _Block(items[part], of.take(part), first_us[part]), counts)
            duels.open[rows] &= counts.above[rows] < limit
        if not duels.open.any():
            break
    return counts


@dataclass(frozen=True)
class _Block:
    items: npt.NDArray[np.integer]
    vectors: npt.NDArray[np.float16]
    first_us: IntArray


def _close_hopeless(duels: Duels, asked: Asked, newest_us: int) -> None:
    """Close what no item up to a time can win or tie, since a cosine is at most 1.001."""
    late_s = (asked.appeared_us[duels.tests] - newest_us) / MICROSECONDS
    for column, half_life_s in enumerate(asked.item_half_lives_s):
        if np.isfinite(half_life_s):
            needed = np.log2(np.maximum(1 + duels.scores, 1e-300)) + late_s / half_life_s
            duels.open[needed > 1.01, column] = False


def _count_block(duels: Duels, asked: Asked, rows: IntArray, block: _Block, counts: Ranks) -> None:
    columns = block.vectors.astype(np.float32).T
    slack = np.float32((len(columns) + 16) * 2.0**-24 + _OWN_ROUNDING)
    tests = np.unique(duels.tests[rows])
    barred = np.zeros((len(tests), len(block.items)), np.bool_)
    for number, test in enumerate(tests.tolist()):
        barred[number, asked.barred(test, block.items)] = True
    factors = [_factors(asked, tests, block, h) for h in asked.item_half_lives_s]
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        tile = rows[start : start + _ROWS_AT_ONCE]
        place = np.searchsorted(tests, duels.tests[tile])
        scores = duels.profiles[tile] @ columns
        scores[barred[place]] = -np.inf
        for column, factor in enumerate(factors):
            mine = np.flatnonzero(duels.open[tile, column])
            if not len(mine):
                continue
            if factor is None and (silent := ~duels.profiles[tile[mine]].any(axis=1)).any():  # it ties everything
                quiet = mine[silent]
                counts.tied[tile[quiet], column] += np.count_nonzero(~barred[place[quiet]], axis=1)
                mine = mine[~silent]
            own = duels.scores[tile[mine], None]
            bounds = own if factor is None else (1 + own) * factor[place[mine]] - 1
            bounds = np.minimum(bounds, 4.0).astype(np.float32)
            given = scores[mine]
            sure = given > bounds + slack
            counts.above[tile[mine], column] += np.count_nonzero(sure, axis=1)
            row, item = np.nonzero((given >= bounds - slack) & ~sure)
            _settle(duels, tile[mine[row]], item, block, factor, place[mine[row]], column, counts)


def _factors(asked: Asked, tests: IntArray, block: _Block, half_life_s: float) -> npt.NDArray[np.float64] | None:
    """(tests, items) how much more than 1 + the target's cosine an item needs for its age; None for any age."""
    if not np.isfinite(half_life_s):
        return None
    older_s = (asked.appeared_us[tests, None] - block.first_us[None, :]) / MICROSECONDS
    return np.asarray(np.exp2(np.clip(older_s / half_life_s, -1000, 1000)))


def _settle(
    duels: Duels,
    rows: IntArray,
    items: npt.NDArray[np.intp],
    block: _Block,
    factor: npt.NDArray[np.float64] | None,
    places: npt.NDArray[np.intp],
    column: int,
    counts: Ranks,
) -> None:
    """Compare without rounding what float32 cannot tell apart."""
    for start in range(0, len(rows), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        mine, at = rows[part], items[part]
        vectors = block.vectors[at].astype(np.float64)
        cosines = np.einsum("pd,pd->p", duels.profiles[mine].astype(np.float64), vectors)
        own = duels.scores[mine]
        difference = cosines - own if factor is None else (1 + cosines) - (1 + own) * factor[places[part], at]
        np.add.at(counts.above, (mine[difference > 0], column), 1)
        np.add.at(counts.tied, (mine[difference == 0], column), 1)
