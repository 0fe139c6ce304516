"""One block of test events under every method: the unit of work that a cluster spreads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.duration import format_duration
from dynprof.evaluation.baselines import BASELINES, rank_baselines
from dynprof.evaluation.histories import profiles_before
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks, excluded_items, rank_profiles

__all__ = ["Contest", "Method", "contest_methods", "rank_block"]


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
class Contest:
    """Everything that ranking any block of test events needs: arrays only, shared by all tasks without a copy.

    Attributes:
        log: All events.
        vectors: (n_items, dim) float16.
        tests: All test events.
        priors: (n_priors, dim) float32, norm <= 1.
        prior_rows: (len(tests),) row in `priors` of each test event's user.
        prior_weight: kappa >= 0.
        decays: Those compared.
    """

    log: EventLog
    vectors: npt.NDArray[np.float16]
    tests: TestEvents
    priors: npt.NDArray[np.float32]
    prior_rows: npt.NDArray[np.integer]
    prior_weight: float
    decays: tuple[Decay, ...]


def contest_methods(decays: tuple[Decay, ...]) -> tuple[Method, ...]:
    """The methods in the order of the columns of `rank_block`: decays, then baselines."""
    profiles = [Method(_decay_name(d), d.kind, None if d.half_life is None else str(d.half_life)) for d in decays]
    return (*profiles, *(Method(name, "baseline") for name in BASELINES))


def rank_block(contest: Contest, start: int, stop: int) -> Ranks:
    """Ranks of the test events start to stop - 1 under every method; does not depend on where blocks are cut.

    Returns:
        Ranks of shape (stop - start, number of `contest_methods`).
    """
    tests = contest.tests.part(start, stop)
    profiles = profiles_before(
        contest.log,
        contest.vectors,
        tests,
        contest.decays,
        prior=contest.priors[contest.prior_rows[start:stop]],
        prior_weight=contest.prior_weight,
    )
    excluded = excluded_items(contest.log, tests)
    ours = rank_profiles(profiles, contest.vectors, tests, excluded)
    theirs = rank_baselines(contest.log, tests, excluded)
    return Ranks(np.hstack([ours.above, theirs.above]), np.hstack([ours.tied, theirs.tied]))


def _decay_name(decay: Decay) -> str:
    if decay.half_life_s is None:
        return decay.kind
    return f"{decay.kind} {format_duration(decay.half_life_s)}"
