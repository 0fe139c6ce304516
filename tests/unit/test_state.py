"""Laws of the mergeable state: any order, any split, any time of reading, within the stated error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.decay import DECAY_KINDS, Decay
from dynprof.errors import AsOfError, ConfigError
from dynprof.profile import MICROSECONDS, exact_profiles, mass_of_one
from dynprof.readout import solve_readout
from dynprof.state import ProfileStates
from dynprof.state_io import priors_from_table, states_from_table, states_to_batch

N_USERS, DIM = 6, 8
DAY_US = 86_400 * MICROSECONDS
EPOCH_US = 1_500_000_000 * MICROSECONDS


@dataclass
class Log:
    """Events of a few users: one with many, one with none."""

    users: np.ndarray
    at_us: np.ndarray
    weights: np.ndarray
    vectors: np.ndarray

    def take(self, index) -> tuple[np.ndarray, ...]:
        return self.users[index], self.at_us[index], self.weights[index], self.vectors[index]


def make_log(seed: int, n: int, *, years: float = 8) -> Log:
    rng = np.random.default_rng(seed)
    users = np.minimum(rng.geometric(0.5, n) - 1, N_USERS - 2)  # the last user has no events
    at_us = EPOCH_US - (rng.uniform(0, years * 365, n) * DAY_US).astype(np.int64)
    vectors = rng.normal(size=(n, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Log(users, at_us, rng.choice([1.0, 0.5, 2.0, -1.0], n), vectors)


def fold(log: Log, index=slice(None)) -> ProfileStates:
    return ProfileStates.from_events(*log.take(index), N_USERS)


def assert_same_states(a: ProfileStates, b: ProfileStates) -> None:
    np.testing.assert_array_equal(a.n_events, b.n_events)
    np.testing.assert_array_equal(a.first_us, b.first_us)
    np.testing.assert_array_equal(a.last_us, b.last_us)
    np.testing.assert_array_equal(a.heavy, b.heavy)
    np.testing.assert_array_equal(a.events.users, b.events.users)
    np.testing.assert_array_equal(a.events.at_us, b.events.at_us)
    scale = max(1.0, float(np.abs(a.masses).max(initial=0)))
    np.testing.assert_allclose(a.sums, b.sums, atol=2e-6 * scale)
    np.testing.assert_allclose(a.masses, b.masses, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(a.square_masses, b.square_masses, rtol=1e-9, atol=1e-12)


logs = st.builds(make_log, st.integers(0, 10_000), st.integers(0, 120))


@settings(max_examples=40)
@given(log=logs, seed=st.integers(0, 99), n_parts=st.integers(1, 6))
def test_any_order_and_any_split_of_events_give_the_same_state(log, seed, n_parts):
    shuffled = np.random.default_rng(seed).permutation(len(log.users))
    merged = ProfileStates.empty(N_USERS, DIM)
    for part in np.array_split(shuffled, n_parts):
        merged = merged.merge(fold(log, part))
    assert_same_states(merged, fold(log))


@settings(max_examples=40)
@given(log=logs, seed=st.integers(0, 99), size=st.integers(1, 40))
def test_a_stream_of_late_and_early_events_equals_the_batch(log, seed, size):
    shuffled = np.random.default_rng(seed).permutation(len(log.users))
    streamed = ProfileStates.empty(N_USERS, DIM)
    for start in range(0, len(shuffled), size):
        streamed = streamed.add(*log.take(shuffled[start : start + size]))
    assert_same_states(streamed, fold(log))


@settings(max_examples=25)
@given(a=logs, b=logs, c=logs)
def test_merge_is_associative_and_commutative_and_empty_is_neutral(a, b, c):
    a, b, c = fold(a), fold(b), fold(c)
    assert_same_states(a.merge(b), b.merge(a))
    assert_same_states(a.merge(b).merge(c), a.merge(b.merge(c)))
    assert_same_states(a.merge(ProfileStates.empty(N_USERS, DIM)), a)


@pytest.mark.parametrize("half_life", ["1d", "7d", "30d", "365d"])
@pytest.mark.parametrize("kind", DECAY_KINDS)
@pytest.mark.parametrize("idle_days", [0.01, 3, 200])
def test_the_state_reads_out_within_its_error_bound_of_the_exact_path(kind, half_life, idle_days):
    log, decay = make_log(7, 150), Decay(kind, half_life)
    as_of_us = EPOCH_US + int(idle_days * DAY_US)
    state = fold(log)
    assert 0 < len(state.heavy) < N_USERS - 1  # both forms are read
    prior = np.full(DIM, 0.1, np.float32)
    read = state.profile(decay, as_of_us, prior=prior, prior_weight=0.5)
    order = np.lexsort((log.at_us, log.users))
    users, at_us, weights, vectors = log.take(order)
    exact = exact_profiles(
        users,
        np.arange(len(users)),
        at_us,
        weights,
        vectors,
        decay,
        n_users=N_USERS,
        as_of_us=as_of_us,
        prior=prior,
        prior_weight=0.5,
    )
    rounding = 1e-6
    assert (np.linalg.norm(read.vectors - exact.vectors, axis=1) <= read.error_bound + rounding).all()
    assert (np.abs(read.mass - exact.mass) <= read.error_bound * (read.mass + 0.5) + rounding * (1 + exact.mass)).all()
    light = np.setdiff1d(np.arange(N_USERS), state.heavy)
    np.testing.assert_allclose(read.n_effective[light], exact.n_effective[light], rtol=1e-9)
    assert (read.error_bound[light] == 0).all()


@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("exponential", 3e-4),
        ("inverse_linear", 1.6e-5),
        ("inverse_sqrt", 1.6e-5),
        ("hyperbolic", 1.6e-5),
        ("logarithmic", 1.6e-5),
        ("gaussian", 1e-2),
        ("linear", 5e-2),
        ("static", 1e-12),
    ],
)
@pytest.mark.parametrize("half_life", ["1d", "7d", "30d", "90d", "365d"])
def test_the_error_of_a_weight_is_as_small_as_the_design_says(kind, most, half_life):
    state = ProfileStates.empty(1, DIM)
    decay = Decay(kind, half_life)
    bound = state.error_bound(decay)
    assert bound <= most
    # An independent grid, denser where the fit's own is not: the bound holds there as well.
    ages = np.random.default_rng(0).uniform(0, 1, 20_000) ** 4 * 10 * 365.25 * 86_400
    readout = solve_readout(DEFAULT_BANK, decay)
    assert np.abs(DEFAULT_BANK.factors(ages) @ readout.coefficients - decay.weights(ages)).max() <= bound + 1e-12


def test_an_offset_and_a_floor_are_read_out_with_an_honest_bound():
    decay = Decay("exponential", "30d", offset="7d", floor=0.1)
    readout = solve_readout(DEFAULT_BANK, decay)
    ages = np.linspace(0, 10 * 365.25 * 86_400, 200_001)
    error = np.abs(DEFAULT_BANK.factors(ages) @ readout.coefficients - decay.weights(ages)).max()
    assert 1e-4 < error <= readout.sup_error


def test_waiting_scales_an_exponential_profile_and_turns_nothing():
    log = make_log(3, 300)
    state, decay = fold(log), Decay("exponential", "7d")
    soon = state.profile(decay, EPOCH_US + DAY_US)
    late = state.profile(decay, EPOCH_US + 701 * DAY_US)
    np.testing.assert_allclose(late.vectors, soon.vectors, atol=1e-6)
    np.testing.assert_allclose(late.mass, soon.mass * 2.0**-100, rtol=1e-9)
    np.testing.assert_allclose(late.n_effective, soon.n_effective, rtol=1e-6)


@settings(max_examples=25)
@given(log=logs, extra=logs, as_of_days=st.floats(0, 3000))
def test_nothing_at_or_after_as_of_matters_for_users_that_can_be_read_then(log, extra, as_of_days):
    as_of_us = EPOCH_US - int(as_of_days * DAY_US)
    past = log.at_us < as_of_us
    future = extra.at_us >= as_of_us
    few = np.flatnonzero(future)[:3]
    state = ProfileStates.from_events(*log.take(past), N_USERS).add(*extra.take(few))
    decay = Decay("inverse_linear", "30d")
    light = np.setdiff1d(np.arange(N_USERS), state.heavy)
    if len(state.heavy):
        with pytest.raises(AsOfError) if (state.last_us[state.heavy] >= as_of_us).any() else _nothing():
            state.profile(decay, as_of_us)
        return
    before = ProfileStates.from_events(*log.take(past), N_USERS).profile(decay, as_of_us)
    np.testing.assert_allclose(state.profile(decay, as_of_us).vectors[light], before.vectors[light], atol=1e-6)


def _nothing():
    from contextlib import nullcontext

    return nullcontext()


def test_an_event_at_exactly_as_of_does_not_count():
    state = ProfileStates.from_events([0], [EPOCH_US], [1.0], np.eye(1, DIM, dtype=np.float32), 1)
    assert state.profile(Decay("static"), EPOCH_US).mass[0] == 0
    assert state.profile(Decay("static"), EPOCH_US + 1).mass[0] == 1


def test_a_user_without_events_is_the_prior():
    state = ProfileStates.empty(2, DIM)
    prior = np.stack([np.eye(DIM)[0], np.eye(DIM)[1]])
    read = state.profile(Decay("exponential"), EPOCH_US, prior=prior, prior_weight=0.1)
    np.testing.assert_allclose(read.vectors, prior, atol=1e-7)
    assert (read.mass == 0).all()
    assert (read.n_effective == 0).all()
    assert not state.profile(Decay("exponential"), EPOCH_US).vectors.any()


def test_idle_users_drift_to_their_prior_because_mass_falls():
    state = ProfileStates.from_events([0], [EPOCH_US], [1.0], np.eye(1, DIM, dtype=np.float32), 1)
    prior = np.eye(DIM, dtype=np.float32)[1]
    shares = [
        state.profile(Decay("exponential", "7d"), EPOCH_US + d * DAY_US, prior=prior, prior_weight=0.1).vectors[0, 1]
        for d in (1, 7, 70)
    ]
    assert shares == sorted(shares)
    assert shares[1] == pytest.approx(0.1 / 0.6, rel=1e-5)


@pytest.mark.parametrize("half_life_d", [3, 14])
def test_a_planted_change_of_topic_is_seen_about_one_half_life_later(half_life_d):
    change_us, per_day = EPOCH_US, 12
    at_us = change_us + (np.arange(-400 * per_day, 100 * per_day) * DAY_US) // per_day
    vectors = np.where((at_us < change_us)[:, None], np.eye(DIM)[0], np.eye(DIM)[1]).astype(np.float32)
    decay = Decay("exponential", f"{half_life_d}d")

    def leans_to_new(after_days: float) -> bool:
        as_of_us = change_us + int(after_days * DAY_US)
        seen = at_us < as_of_us
        state = ProfileStates.from_events(np.zeros(seen.sum()), at_us[seen], np.ones(seen.sum()), vectors[seen], 1)
        old, new = state.profile(decay, as_of_us).vectors[0, :2]
        return bool(new > old)

    assert not leans_to_new(0.9 * half_life_d)
    assert leans_to_new(1.1 * half_life_d)


def test_saving_and_loading_states_is_the_identity():
    log = make_log(5, 300)
    log.vectors = log.vectors.astype(np.float16)
    log.weights = log.weights.astype(np.float32).astype(np.float64)
    state = fold(log)
    has_prior = np.arange(N_USERS) % 2 == 0
    priors = np.tile(np.eye(1, DIM, dtype=np.float16), (N_USERS, 1))
    batch = states_to_batch(state, [f"u{i}" for i in range(N_USERS)], priors, has_prior)
    again = states_from_table(batch, DEFAULT_BANK, DIM)
    for name in ("n_events", "first_us", "last_us", "heavy", "sums", "masses", "square_masses"):
        np.testing.assert_array_equal(getattr(again, name), getattr(state, name))
    for name in ("users", "at_us", "weights", "vectors"):
        np.testing.assert_array_equal(getattr(again.events, name), getattr(state.events, name))
    population = np.full(DIM, 0.25, np.float32)
    np.testing.assert_array_equal(priors_from_table(batch, population)[0], priors[0])
    np.testing.assert_array_equal(priors_from_table(batch, population)[1], population)
    one = states_from_table(batch.slice(int(state.heavy[0]), 1), DEFAULT_BANK, DIM)
    np.testing.assert_array_equal(one.sums[0], state.sums[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_weight_that_is_not_finite_is_refused(bad):
    with pytest.raises(ConfigError, match="weights"):
        ProfileStates.from_events([0], [EPOCH_US], [bad], np.eye(1, DIM, dtype=np.float32), 1)


def test_states_of_other_banks_or_users_do_not_merge():
    a = ProfileStates.empty(2, DIM)
    for other in (
        ProfileStates.empty(3, DIM),
        ProfileStates.empty(2, 4),
        ProfileStates.empty(2, DIM, bank=Bank((1.0,))),
    ):
        with pytest.raises(ConfigError, match="merge"):
            a.merge(other)


def test_a_heavy_user_cannot_be_read_before_the_last_event():
    log = make_log(1, 300)
    with pytest.raises(AsOfError, match="last event"):
        fold(log).profile(Decay("exponential"), EPOCH_US - 3000 * DAY_US)


@pytest.mark.parametrize("half_lives", [(), (2.0, 1.0), (0.0, 1.0), (1.0, float("inf"))])
def test_a_bank_needs_rising_finite_half_lives(half_lives):
    with pytest.raises(ConfigError, match="half_lives_s"):
        Bank(half_lives)


def test_a_light_user_is_read_alike_alone_and_beside_a_heavy_one():
    vectors = np.tile(np.array([[0.6, 0.8001]], np.float16), (61, 1))  # rounded, a little longer than 1
    users = np.array([0] + [1] * 60)
    at_us = np.arange(61, dtype=np.int64) * 1_000_000
    both = ProfileStates.from_events(users, at_us, np.ones(61), vectors, 2)
    alone = ProfileStates.from_events(users[:1], at_us[:1], np.ones(1), vectors[:1], 1)
    assert both.heavy.tolist() == [1]
    read = [states.profile(Decay("static"), 10**9).vectors[0] for states in (both, alone)]
    np.testing.assert_array_equal(*read)
    assert np.linalg.norm(read[0]) > 1


@given(log=logs, days=st.floats(0, 3000), kind=st.sampled_from(DECAY_KINDS))
def test_the_mass_of_one_is_to_the_bit_that_of_many(log, days, kind):
    events, decay = fold(log).events, Decay(kind, None if kind == "static" else "30d")
    as_of_us = EPOCH_US - round(days * DAY_US)
    for user in np.unique(events.users):
        mine = events.take(events.users == user)
        read = ProfileStates.from_events(np.zeros(len(mine)), mine.at_us, mine.weights, mine.vectors, 1).profile(
            decay, as_of_us
        )
        assert mass_of_one(mine.at_us, mine.weights, decay, as_of_us) == (read.mass[0], read.n_effective[0])
