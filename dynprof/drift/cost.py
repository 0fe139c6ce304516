"""What it costs in hits to serve a profile that is not of now: the same tests with each schedule's profile."""

from __future__ import annotations

import numpy as np

from dynprof.drift.bucket import BucketTrails
from dynprof.drift.schedules import SCHEDULES
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.trail import profiles_along
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Queries, ask

__all__ = ["ask_stale"]


def ask_stale(bucket: BucketTrails, tests: TestEvents, spec: MonitorSpec) -> Queries:
    """The questions of some tests, a profile a schedule. Whatever it is, the candidates are those of the test's time.

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
    return ask(profiles, bucket.vectors.take(tests.targets), event_us=tests.event_us)
