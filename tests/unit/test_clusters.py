"""Groups of directions: found where they are, the same for the same vectors, and none where there are none."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.clusters import sensible_clusters, spherical_k_means


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def around(axes: np.ndarray, n: int, spread: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """n directions around each of some axes, and which."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(len(axes)), n)
    return unit(axes[of] + spread * rng.normal(size=(len(of), axes.shape[1]))), of


@settings(max_examples=20)
@given(st.integers(2, 6), st.integers(0, 5))
def test_planted_groups_are_found_and_told_apart(n_groups: int, seed: int) -> None:
    vectors, planted = around(np.eye(12)[:n_groups], 30, 0.05, seed)
    found = sensible_clusters(vectors, most=8)
    assert len(found) == n_groups
    groups = found.assign(vectors)
    assert all(len(set(groups[planted == g])) == 1 for g in range(n_groups))
    assert found.separation(vectors) > 0.8


def test_vectors_that_are_alike_are_one_group() -> None:
    vectors = np.tile(unit(np.ones((1, 8))), (20, 1))
    assert len(sensible_clusters(vectors, most=8)) == 1
    assert len(spherical_k_means(vectors, 5)) == 1


def test_one_vector_is_one_group_and_zeros_break_nothing() -> None:
    assert len(sensible_clusters(unit(np.ones((1, 4))), most=8)) == 1
    vectors = np.vstack([np.zeros((3, 4), np.float32), unit(np.ones((3, 4)))])
    found = spherical_k_means(vectors, 2)
    assert np.isfinite(found.centers).all() and len(found.assign(vectors)) == 6


@settings(max_examples=20)
@given(st.integers(1, 7), st.integers(0, 20))
def test_the_same_vectors_give_the_same_groups_largest_first(k: int, seed: int) -> None:
    vectors = unit(np.random.default_rng(seed).normal(size=(40, 6)))
    a, b = spherical_k_means(vectors, k), spherical_k_means(vectors.copy(), k)
    np.testing.assert_array_equal(a.centers, b.centers)
    assert len(a) <= k
    np.testing.assert_allclose(np.linalg.norm(a.centers, axis=1), 1, atol=1e-5)
