"""What it costs in hits to serve a profile that is not of now: the same tests with each schedule's profile."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.drift.bucket import BucketTrails
from dynprof.drift.schedules import SCHEDULES
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.trail import profiles_along
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import Posed
from dynprof.evaluation.retrieval import Ranks, ask, count_candidates

__all__ = ["pose_stale"]


def pose_stale(bucket: BucketTrails, tests: TestEvents, spec: MonitorSpec) -> Posed:
    """The questions of some tests, a profile a schedule, and the counts over what is no candidate.

    Whatever the schedule, the candidates are those of the test's own time.

    Args:
        bucket: Of the tested users.
        tests: (n,) in its log.
        spec: Whose first decay is served.
    """
    profiles = np.zeros((len(tests), len(SCHEDULES), bucket.priors.shape[1]), np.float32)
    for user in np.unique(tests.users).tolist():
        mine = np.flatnonzero(tests.users == user)  # in order of time
        trail = bucket.trail(user)
        for number, schedule in enumerate(SCHEDULES):
            as_of_us = schedule.last_update_us(tests.event_us[mine])
            counts = trail.before(as_of_us)
            prior, kappa = bucket.priors[user], spec.prior_weight
            made = profiles_along(trail, counts, as_of_us, spec.decays[0], prior=prior, prior_weight=kappa)
            profiles[mine, number] = made.vectors
    return _posed(bucket, tests, profiles)


def _posed(bucket: BucketTrails, tests: TestEvents, profiles: npt.NDArray[np.float32]) -> Posed:
    queries = ask(profiles, bucket.vectors.take(tests.targets))
    excluded, n_excluded = Ranks.zeros(queries.scores.shape), np.zeros(len(tests), np.int64)
    for row in range(len(tests)):  # a matrix product each
        items = tests.excluded(bucket.log, row)
        one, all_of_them = slice(row, row + 1), np.array([len(items)])
        of = ItemVectors(bucket.vectors.chunk, bucket.vectors.rows[items])
        found = count_candidates(queries.take(one), all_of_them, np.arange(len(items)), of)
        excluded.above[one], excluded.tied[one] = found.above, found.tied
        n_excluded[row] = len(items)
    return Posed(queries, excluded, n_excluded)
