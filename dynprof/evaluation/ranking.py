"""The questions put to the candidates, and how what the parts answered becomes places and lists."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.evaluation.contestant import NOTHING, Placed
from dynprof.evaluation.histories import profiles_before
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.judging import Judged
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Queries, Ranks, ask
from dynprof.evaluation.weighing import Weighing

__all__ = ["Posed", "cut_rounds", "pose_tests", "settle_ranks"]

_NUMBERS_A_ROUND = 1 << 25
"""Of profiles: 128 MiB as float32, and four times that while they are computed if one bucket has all tests."""

_SHORT, _LONG = Decay("exponential", "7d"), Decay("exponential", "365d")


@dataclass(frozen=True)
class Posed:
    """n test events with their profiles: all that the shards need to judge their items.

    Attributes:
        queries: (n, m).
        drift: (n,) float64: 1 - cosine between the user's 7-day and 365-day profile, before the target is known; NaN
            without history, or where nobody asked.
    """

    queries: Queries
    drift: npt.NDArray[np.float64]


def cut_rounds(n_tests: int, n_decays: int, dim: int) -> Iterator[slice]:
    """Consecutive test events whose profiles are held at once; every round reads all vectors."""
    size = max(1, _NUMBERS_A_ROUND // (n_decays * dim))
    for start in range(0, n_tests, size):
        yield slice(start, min(start + size, n_tests))


def pose_tests(
    log: EventLog,
    vectors: ItemVectors,
    tests: TestEvents,
    decays: Sequence[Weighing],
    *,
    prior: npt.NDArray[np.float32],
    prior_weight: float,
    clocks: tuple[float | None, ...] = (None,),
    target_us: npt.NDArray[np.int64] | None = None,
    with_drift: bool = False,
) -> Posed:
    """The profiles of test events and the scores of their targets.

    Args:
        log: Events, at least those of the tested users.
        vectors: Of the log's items.
        tests: (n,) in that log.
        decays: (m,) those compared.
        prior: (n, dim) of each test's user.
        prior_weight: kappa >= 0.
        clocks: How items age, see `Queries`.
        target_us: (n,) time of each target's first event in the log of all users; needed where items age.
        with_drift: Whether drift is asked for.
    """
    all_of_them = [*decays, *((_SHORT, _LONG) if with_drift else ())]
    profiles = profiles_before(log, vectors, tests, all_of_them, prior=prior, prior_weight=prior_weight)
    drift = np.full(len(tests), np.nan)
    if with_drift:
        drift = np.where(tests.n_history > 0, _distances(profiles[:, -2], profiles[:, -1]), np.nan)
    own = profiles[:, : len(decays)]
    queries = ask(own, vectors.take(tests.targets), event_us=tests.event_us, target_us=target_us, clocks=clocks)
    return Posed(queries, drift)


def settle_ranks(
    log: EventLog, tests: TestEvents, silent: npt.NDArray[np.bool_], clocks: tuple[float | None, ...], found: Judged
) -> Placed:
    """Places and lists, from what all candidates together gave.

    Args:
        log: All events.
        tests: (n,) tests in it.
        silent: (n, m) as of `Queries`: under a plain cosine they tie all, and nothing was counted.
        clocks: As of `Queries`.
        found: (n, m x clocks).
    """
    n_seen = _n_seen(log, tests)
    quiet = np.stack([silent if clock is None else np.zeros_like(silent) for clock in clocks], axis=2)
    quiet = quiet.reshape(found.counts.above.shape)
    n_others = np.broadcast_to((tests.catalogue - n_seen - 1)[:, None], quiet.shape)
    ranks = Ranks(found.counts.above, np.where(quiet, n_others, found.counts.tied - 1))
    lists = found.items.copy()
    size = lists.shape[2]
    for row in np.flatnonzero(quiet.any(axis=1)).tolist() if size else ():
        excluded = tests.excluded(log, row)
        excluded = excluded[excluded != tests.targets[row]]
        first = np.arange(min(tests.catalogue[row], size + len(excluded)), dtype=np.int32)
        first = first[~np.isin(first, excluded)][:size]
        lists[row, quiet[row]] = np.append(first, np.full(size - len(first), NOTHING, np.int32))
    return Placed(ranks, lists)


def _n_seen(log: EventLog, tests: TestEvents) -> npt.NDArray[np.int64]:
    """(n,) number of items that are no candidates because the user had them."""
    if tests.include_seen:
        return np.zeros(len(tests), np.int64)
    novel = np.cumsum(np.append(0, log.novel))
    return np.asarray(novel[tests.history_stop] - novel[tests.history_start], np.int64)


def _distances(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(n,) 1 - cosine; 0 where a vector is 0."""
    a, b = one.astype(np.float64), other.astype(np.float64)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines = np.divide((a * b).sum(axis=1), norms, out=np.ones(len(a)), where=norms > 0)
    return np.asarray(np.maximum(1 - cosines, 0.0))
