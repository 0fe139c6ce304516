"""The methods compared, the questions put to them, and how counts of the parts become ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.duration import format_duration
from dynprof.evaluation.baselines import COUNTS
from dynprof.evaluation.histories import profiles_before
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Queries, Ranks, ask, count_candidates

__all__ = ["Method", "Posed", "contest_methods", "cut_rounds", "pose_tests", "settle_ranks"]

_NUMBERS_A_ROUND = 1 << 25
"""Of profiles: 128 MiB as float32, and four times that while they are computed if one bucket has all tests."""


@dataclass(frozen=True)
class Method:
    """One line of the table.

    Attributes:
        name: Unique in the table, e.g. `exponential 30d`.
        kind: A decay kind, or `baseline`.
        half_life: Of the decay; None for `static` and baselines.
    """

    name: str
    kind: str
    half_life: str | None = None


@dataclass(frozen=True)
class Posed:
    """n test events with m profiles each: all that the shards need to be counted, and what to take off the counts.

    Attributes:
        queries: (n, m).
        excluded: (n, m) counts over the target and, where they are no candidates, the texts that the user had.
        n_excluded: (n,) int64 number of these texts.
    """

    queries: Queries
    excluded: Ranks
    n_excluded: npt.NDArray[np.int64]


def contest_methods(decays: tuple[Decay, ...]) -> tuple[Method, ...]:
    """The methods in the order of the columns of the ranks: decays, then baselines."""
    profiles = [Method(_decay_name(d), d.kind, None if d.half_life is None else str(d.half_life)) for d in decays]
    return (*profiles, *(Method(name, "baseline") for name in COUNTS))


def cut_rounds(n_tests: int, n_decays: int, dim: int) -> Iterator[slice]:
    """Consecutive test events whose profiles are held at once; every round reads all vectors."""
    size = max(1, _NUMBERS_A_ROUND // (n_decays * dim))
    for start in range(0, n_tests, size):
        yield slice(start, min(start + size, n_tests))


def pose_tests(
    log: EventLog,
    vectors: ItemVectors,
    tests: TestEvents,
    decays: Sequence[Decay],
    *,
    prior: npt.NDArray[np.float32],
    prior_weight: float,
) -> Posed:
    """The profiles of test events, the scores of their targets, and the counts over what is no candidate.

    Args:
        log: Events, at least those of the tested users.
        vectors: Of the log's items.
        tests: (n,) in that log.
        decays: (m,) those compared.
        prior: (n, dim) of each test's user.
        prior_weight: kappa >= 0.
    """
    profiles = profiles_before(log, vectors, tests, decays, prior=prior, prior_weight=prior_weight)
    queries = ask(profiles, vectors.take(tests.targets))
    excluded, n_excluded = Ranks.zeros(queries.scores.shape), np.zeros(len(tests), np.int64)
    for row in range(len(tests)):  # a matrix product each
        items = tests.excluded(log, row)
        n_excluded[row] = len(items)
        all_of_them = np.array([len(items)])
        of = ItemVectors(vectors.chunk, vectors.rows[items])
        one = slice(row, row + 1)
        found = count_candidates(queries.take(one), all_of_them, np.arange(len(items)), of)
        excluded.above[one], excluded.tied[one] = found.above, found.tied
    return Posed(queries, excluded, n_excluded)


def settle_ranks(posed: Posed, catalogue: npt.NDArray[np.int64], counted: Ranks) -> Ranks:
    """The ranks of the targets, from (n, m) counts over all shards."""
    ranks = counted - posed.excluded
    n_others = np.broadcast_to((catalogue - posed.n_excluded)[:, None], ranks.tied.shape)
    return Ranks(ranks.above, np.where(posed.queries.silent, n_others, ranks.tied))


def _decay_name(decay: Decay) -> str:
    if decay.half_life_s is None:
        return decay.kind
    return f"{decay.kind} {format_duration(decay.half_life_s)}"
