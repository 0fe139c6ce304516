"""The drift of one user: that just after the last event, whatever silence follows or lies between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dynprof.decay import Decay
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.surprise import own_z
from dynprof.drift.trail import Trail, distances
from dynprof.drift.users import user_row
from dynprof.profile import exact_profiles

DAY_US = 86_400 * 1_000_000
DIM = 8
SPEC = MonitorSpec("s", "c", "f", 60 * DAY_US, {}, 0.1, (Decay("exponential", "30d"),), history=5)
SHORT_HALF_LIFE_US = 7 * DAY_US


def posts(seed: int, n: int, *, days: int) -> Trail:
    rng = np.random.default_rng(seed)
    raw = rng.standard_normal((n, DIM))
    at_us = np.sort(rng.integers(0, days * DAY_US, n))
    return Trail(at_us, rng.uniform(0.5, 2, n), (raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float32))


def drift_of(trail: Trail, as_of_us: int) -> tuple[float, float]:
    row = user_row("u", trail, replace(SPEC, as_of_us=as_of_us), np.zeros((2, DIM), np.float32), DAY_US)
    return float(str(row["drift"])), float(str(row["z_own"]))


def by_definition(trail: Trail) -> tuple[float, float]:
    """From the exact path: d just after the last event of each day with an event, and z of the last d."""
    days = trail.at_us // DAY_US
    moments = [int(trail.at_us[days == day].max()) + 1 for day in np.unique(days)]
    users, rows = np.zeros(len(trail), np.int64), np.arange(len(trail))
    short, long = (
        np.vstack([
            exact_profiles(
                users, rows, trail.at_us, trail.weights, trail.vectors, decay,
                n_users=1, as_of_us=moment, prior=np.zeros(DIM), prior_weight=0.0,
            ).vectors
            for moment in moments
        ])
        for decay in (SPEC.short_decay, SPEC.long_decay)
    )  # fmt: skip
    series = distances(short, long)
    return float(series[-1]), float(own_z(series, least=SPEC.history, floor=0.01)[-1])


@pytest.mark.parametrize("half_lives", [0, 1, 150, 1_000])
def test_silence_changes_no_drift_however_long_it_is(half_lives: int) -> None:
    trail = posts(1, 90, days=30)
    found = drift_of(trail, int(trail.at_us[-1]) + 1 + half_lives * SHORT_HALF_LIFE_US)
    assert found == pytest.approx(by_definition(trail), abs=1e-5)
    assert 0.01 < found[0] < 0.9


def test_silences_of_a_thousand_half_lives_between_the_days_are_no_earlier_turns() -> None:
    daily = posts(2, 60, days=12)
    trail = replace(daily, at_us=daily.at_us + daily.at_us // DAY_US * 1_000 * SHORT_HALF_LIFE_US)
    assert drift_of(trail, int(trail.at_us[-1]) + DAY_US) == pytest.approx(by_definition(trail), abs=1e-4)


def test_an_event_without_weight_breaks_no_silence_and_a_user_of_such_events_has_no_drift() -> None:
    trail = posts(4, 60, days=20)
    late = int(trail.at_us[-1]) + 1_000 * SHORT_HALF_LIFE_US
    twice = np.append(np.arange(60), 0)
    seen = Trail(np.append(trail.at_us, late), np.append(trail.weights, 0.0), trail.vectors[twice])
    assert drift_of(seen, late + 1) == drift_of(trail, late + 1)
    assert np.isnan(drift_of(replace(trail, weights=np.zeros(60)), late)).all()
