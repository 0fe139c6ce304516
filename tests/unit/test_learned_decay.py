"""A learned decay is a decay: read out of a bank without error, the same on every path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.decay import Decay
from dynprof.duration import parse_duration
from dynprof.errors import ConfigError
from dynprof.learned_decay import LearnedDecay
from dynprof.profile import exact_profiles
from dynprof.readout import HORIZON_S, UserReadouts, solve_readout
from dynprof.state import ProfileStates

DAY_S = 86_400.0


def decays(bank: Bank = DEFAULT_BANK) -> st.SearchStrategy[LearnedDecay]:
    share = st.one_of(st.just(0.0), st.floats(1e-3, 10))
    shares = st.lists(share, min_size=bank.size, max_size=bank.size).filter(lambda c: sum(c) > 0)
    return shares.map(lambda c: LearnedDecay.of(bank.half_lives_s, c))


@given(decays())
def test_it_starts_at_one_never_rises_and_is_half_at_its_half_life(decay: LearnedDecay) -> None:
    ages = np.concatenate([[0.0], np.geomspace(1, HORIZON_S, 400)])
    weights = decay.weights(ages)
    assert weights[0] == pytest.approx(1)
    assert (np.diff(weights) <= 1e-12).all()
    assert (weights >= 0).all()
    if decay.half_life_s is not None:
        assert decay.weights(decay.half_life_s) == pytest.approx(0.5, abs=1e-3)
    else:
        assert decay.weights(100 * HORIZON_S) > 0.49


@given(decays())
def test_its_own_bank_reads_it_without_error(decay: LearnedDecay) -> None:
    read = solve_readout(DEFAULT_BANK, decay)
    ages = np.geomspace(1, HORIZON_S, 300)
    assert read.sup_error == 0
    np.testing.assert_allclose(DEFAULT_BANK.factors(ages) @ read.coefficients, decay.weights(ages), atol=1e-12)


def test_another_bank_reads_it_with_an_error_that_it_knows() -> None:
    decay = LearnedDecay.of((0.3 * DAY_S, 77 * DAY_S), (0.5, 0.3, 0.2))
    assert decay.over(DEFAULT_BANK) is None
    read = solve_readout(DEFAULT_BANK, decay)
    ages = np.geomspace(1, HORIZON_S, 3_000)
    worst = np.abs(DEFAULT_BANK.factors(ages) @ read.coefficients - decay.weights(ages)).max()
    assert 0 < worst <= read.sup_error < 0.01


@given(decay=decays(), seed=st.integers(0, 1 << 30), idle_days=st.floats(0.001, 300))
def test_a_heavy_state_gives_the_exact_profile_within_its_bound(
    decay: LearnedDecay, seed: int, idle_days: float
) -> None:
    random = np.random.default_rng(seed)
    n, dim = 60, 8
    at_us = np.sort(random.integers(0, int(400 * DAY_S * 1e6), n))
    vectors = random.normal(size=(n, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    weights, users = random.uniform(-1, 2, n), np.zeros(n, np.int64)
    as_of_us = int(at_us[-1] + idle_days * DAY_S * 1e6)
    states = ProfileStates.from_events(users, at_us, weights, vectors, 1)
    assert len(states.heavy) == 1
    prior = np.full(dim, 0.1, np.float32)
    read = states.profile(decay, as_of_us, prior=prior, prior_weight=0.1)
    exact = exact_profiles(
        users,
        np.arange(n),
        at_us,
        weights,
        vectors,
        decay,
        n_users=1,
        as_of_us=as_of_us,
        prior=prior,
        prior_weight=0.1,
    )
    distance = np.linalg.norm(read.vectors[0].astype(np.float64) - exact.vectors[0])
    assert distance <= read.error_bound[0] + 1e-5
    assert read.mass[0] == pytest.approx(exact.mass[0], rel=1e-4, abs=1e-6)


def test_one_term_is_the_exponential_of_that_half_life() -> None:
    h = DEFAULT_BANK.half_lives_s[7]
    alone = LearnedDecay.of((h,), (1.0, 0.0))
    ages = np.geomspace(1, HORIZON_S, 100)
    np.testing.assert_allclose(alone.weights(ages), Decay("exponential", f"{h}s").weights(ages), rtol=1e-9)
    assert alone.half_life_s == pytest.approx(h, abs=1)


def test_a_constant_of_half_or_more_has_no_half_life() -> None:
    assert LearnedDecay.of((DAY_S,), (0.5, 0.5)).half_life is None
    half_life = LearnedDecay.of((DAY_S,), (0.6, 0.4)).half_life
    assert half_life is not None
    assert parse_duration(half_life) == pytest.approx(DAY_S * np.log2(6), abs=1)


@given(decays())
def test_json_is_the_identity(decay: LearnedDecay) -> None:
    assert LearnedDecay.from_json(decay.to_json()) == decay


@pytest.mark.parametrize("coefficients", [(), (1.0,), (-0.1, 1.1), (0.0, 0.0), (float("nan"), 1.0)])
def test_coefficients_that_are_no_decay_are_refused(coefficients: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="learned decay: expected 2"):
        LearnedDecay.of((DAY_S,), coefficients)


@pytest.mark.parametrize("stored", [{}, {"half_lives_s": [DAY_S]}, {"half_lives_s": 3, "coefficients": "x"}])
def test_json_that_is_no_decay_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="half_lives_s and coefficients"):
        LearnedDecay.from_json(stored)


def test_the_kind_alone_is_no_decay() -> None:
    with pytest.raises(ConfigError, match="found 'learned'"):
        Decay("learned", "1d")


def test_users_read_at_several_idle_times_share_the_coefficients() -> None:
    decay = LearnedDecay.of((DAY_S,), (0.7, 0.3))
    on = Bank((DAY_S,))
    idle_s, oldest_s = np.array([0.0, 40 * DAY_S]), np.array([1e6, 1e8])
    read = UserReadouts.solve(on, decay, idle_s=idle_s, oldest_s=oldest_s)
    np.testing.assert_array_equal(read.coefficients, [[0.7, 0.3]] * 2)
    assert (read.sup_error == 0).all()
