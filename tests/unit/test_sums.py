"""The kernel against the dense sum written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.sums import weighted_sums


def dense_sums(users, rows, weights, vectors, n_users) -> np.ndarray:
    """The definition, in float64."""
    out = np.zeros((n_users, weights.shape[1], vectors.shape[1]))
    np.add.at(out, users, weights[:, :, None] * vectors[rows].astype(np.float64)[:, None, :])
    return out


def unit(rng: np.random.Generator, n: int, dim: int) -> np.ndarray:
    vectors = rng.normal(size=(n, dim)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@settings(max_examples=150)
@given(
    seed=st.integers(0, 10_000),
    n_users=st.integers(1, 12),
    n=st.integers(0, 60),
    n_rows=st.integers(1, 10),
    n_weights=st.integers(1, 4),
    dim=st.integers(1, 9),
    types=st.sampled_from([(np.int64, np.float64), (np.int32, np.float32)]),
)
def test_any_users_rows_and_weights_give_the_dense_sum(seed, n_users, n, n_rows, n_weights, dim, types):
    rng = np.random.default_rng(seed)
    users = np.sort(rng.integers(0, n_users, n)).astype(types[0])  # some users have no event
    rows = rng.integers(0, n_rows, n).astype(types[0])  # rows are shared
    weights = rng.choice([-1.0, 0.0, 0.3, 1.0, 5.0], (n, n_weights)).astype(types[1])
    vectors = unit(rng, n_rows, dim)
    found = weighted_sums(users, rows, weights, vectors, n_users)
    assert found.shape == (n_users, n_weights, dim)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, dense_sums(users, rows, weights, vectors, n_users), atol=5e-6)


@pytest.mark.parametrize("counts", [[20_000], [3, 20_000, 0, 4_096, 4_097, 8_192, 1]])
def test_a_user_of_many_segments_is_summed_to_a_millionth_of_the_mass(counts):
    rng = np.random.default_rng(1)
    users = np.repeat(np.arange(len(counts)), counts)
    vectors = unit(rng, 500, 16) / 2 + 0.2  # all lean one way: the sum is of the size of the mass
    rows = rng.integers(0, 500, len(users))
    weights = rng.uniform(0.1, 1, (len(users), 3))
    found = weighted_sums(users, rows, weights, vectors, len(counts))
    exact = dense_sums(users, rows, weights, vectors, len(counts))
    mass = np.bincount(users, weights[:, 0], len(counts))[:, None, None]
    assert (np.abs(found - exact) <= 1e-6 * mass + 1e-6).all()
    error, length = np.linalg.norm(found - exact, axis=2), np.linalg.norm(exact, axis=2)
    assert (error <= 1e-6 * length).all()


def test_a_users_sum_does_not_depend_on_who_else_is_there():
    rng = np.random.default_rng(2)
    users, rows = np.repeat([0, 1, 2], [50, 5_000, 70]), rng.integers(0, 40, 5_120)
    weights, vectors = rng.normal(size=(5_120, 2)), unit(rng, 40, 8)
    together = weighted_sums(users, rows, weights, vectors, 4)
    for user in range(3):
        mine = users == user
        alone = weighted_sums(np.zeros(mine.sum(), np.int64), rows[mine], weights[mine], vectors, 1)
        np.testing.assert_array_equal(together[user], alone[0])
    assert not together[3].any()


@pytest.mark.parametrize(("n_users", "n_rows"), [(0, 0), (0, 3), (3, 0), (3, 3)])
def test_no_events_sum_to_zero(n_users, n_rows):
    none = np.empty(0, np.int64)
    found = weighted_sums(none, none, np.empty((0, 2)), np.ones((n_rows, 4), np.float32), n_users)
    assert found.shape == (n_users, 2, 4)
    assert not found.any()


def test_the_input_is_left_as_it_was():
    rng = np.random.default_rng(3)
    given_ = np.arange(3), np.arange(3), rng.normal(size=(3, 2)).astype(np.float32), unit(rng, 3, 4)
    before = [a.copy() for a in given_]
    weighted_sums(*given_, 3)[:] = 7
    for a, b in zip(given_, before, strict=True):
        np.testing.assert_array_equal(a, b)


@given(seed=st.integers(0, 10_000), counts=st.lists(st.integers(0, 30), min_size=1, max_size=6), half=st.booleans())
def test_a_user_alone_has_to_the_last_bit_the_sum_that_the_user_has_among_others(seed, counts, half):
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(len(counts)), counts)
    vectors, rows = unit(rng, 20, 48), rng.integers(0, 20, len(users))
    vectors = vectors.astype(np.float16) if half else vectors
    weights = rng.normal(size=(len(users), 2))
    together = weighted_sums(users, rows, weights, vectors, len(counts))
    for user in range(len(counts)):
        mine = users == user
        alone = weighted_sums(np.zeros(mine.sum(), np.int64), rows[mine], weights[mine], vectors, 1)
        np.testing.assert_array_equal(alone[0], together[user])
