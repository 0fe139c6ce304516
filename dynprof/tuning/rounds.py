"""From a grid to ranks: the shards come in rounds, and what is decided is dropped after each.

A point of the grid with ten candidates above its target is decided, and never looked at again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.retrieval import Ranks
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.duel import Asked, Duels
from dynprof.tuning.grid import Similarity

__all__ = ["LIMIT", "Ask", "CountParts", "rank_grid"]

LIMIT = 10
"""Better candidates from which on NDCG@10 is 0."""

_NUMBERS_AT_ONCE = 1 << 25
"""Of profiles: 128 MiB as float32."""
_ROUNDS = (1 / 16, 1 / 4)
"""Share of the shards after which the decided profiles are dropped."""

CountParts = Callable[[Duels, Asked, range], Iterable[Ranks]]
"""Counts of some profiles over each of some shards, in any order."""
Ask = Callable[[Sequence[Similarity]], Asked]
"""The tests, under some similarities."""


def rank_grid(
    sums: BankSums,
    coefficients: npt.NDArray[np.float64],
    prior_weights: npt.NDArray[np.float64],
    asked: Asked,
    count_parts: CountParts,
    n_parts: int,
) -> Ranks:
    """(n, m * s) places of the targets of n tests under m readouts and s similarities, exact below `LIMIT`.

    Args:
        sums: (n,) of the tests.
        coefficients: (m, K) readouts.
        prior_weights: (m,) kappas.
        asked: The tests.
        count_parts: Counts.
        n_parts: Number of shards.
    """
    n_similarities = len(asked.item_half_lives_s)
    size = max(1, _NUMBERS_AT_ONCE // (len(coefficients) * sums.sums.shape[2]))
    parts = []
    for start in range(0, len(sums), size):
        part = sums.take(slice(start, start + size))
        duels = Duels.of(part.directions(coefficients, prior_weights), part.targets, start, n_similarities)
        parts.append(_count(duels, asked, count_parts, n_parts))
    shape = (len(sums), len(coefficients) * n_similarities)
    above, tied = (np.concatenate([getattr(p, side) for p in parts]).reshape(shape) for side in ("above", "tied"))
    return Ranks(above, tied)


def _count(duels: Duels, asked: Asked, count_parts: CountParts, n_parts: int) -> Ranks:
    counts, remaining, rows = Ranks.zeros(duels.open.shape), duels, np.arange(len(duels.tests))
    done = 0
    for stop in (*(int(np.ceil(n_parts * share)) for share in _ROUNDS), n_parts):
        if stop > done and len(rows):
            for found in count_parts(remaining, asked, range(done, stop)):
                counts.above[rows] += found.above
                counts.tied[rows] += found.tied
            remaining, rows = duels.still_open(counts, LIMIT)
            done = stop
    return counts
