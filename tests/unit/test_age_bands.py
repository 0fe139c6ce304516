"""Age bands: every event is in one, and together they are the mass of the profile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.age_bands import BANDS, age_bands
from dynprof.decay import DECAY_KINDS, Decay, DecayKind
from dynprof.duration import parse_duration

AS_OF_US = 1_700_000_000_000_000


@given(
    seed=st.integers(0, 1000),
    n=st.integers(0, 30),
    kind=st.sampled_from(DECAY_KINDS),
    half_life=st.sampled_from(["1s", "36h", "1y"]),
)
@settings(max_examples=50)
def test_bands_hold_every_event_before_the_time_and_add_up_to_the_mass(
    seed: int, n: int, kind: DecayKind, half_life: str
) -> None:
    rng = np.random.default_rng(seed)
    ages_us = (10 ** rng.uniform(3, 13.8, n)).astype(np.int64) * rng.choice([1, 1, 1, -1], n)
    weights = rng.uniform(-5, 5, n)
    decay, early = Decay(kind, half_life, "1h", 0.001), ages_us > 0
    bands = age_bands(AS_OF_US - ages_us, weights, decay, AS_OF_US)
    mass = float((np.abs(weights) * decay.weights(ages_us / 1e6))[early].sum())
    assert sum(b.n_events for b in bands) == int(early.sum())
    assert sum(b.mass for b in bands) == pytest.approx(mass)
    assert sum(b.share for b in bands) == pytest.approx(1.0 if mass > 0 else 0.0)
    assert [b.up_to for b in bands] == [*BANDS, None]


@pytest.mark.parametrize("number", range(len(BANDS)))
def test_a_band_ends_just_before_its_upper_end(number: int) -> None:
    end_us = int(parse_duration(BANDS[number]) * 1e6)
    for age_us, band in ((end_us - 1, number), (end_us, number + 1)):
        bands = age_bands(np.array([AS_OF_US - age_us]), np.ones(1), Decay("static"), AS_OF_US)
        assert [b.n_events for b in bands] == [int(i == band) for i in range(len(BANDS) + 1)]
