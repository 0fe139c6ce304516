"""Diversity: what choosing by hand gives, from the plain order at 0 to the most unlike items at 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.diversity import diversify


def candidates(seed: int, n: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 6))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.sort(rng.random(n))[::-1].copy(), vectors.astype(np.float32)


def by_hand(scores: npt.NDArray[np.float64], vectors: npt.NDArray[np.float32], k: int, d: float) -> list[int]:
    low, high = scores.min(), scores.max()
    chosen: list[int] = []
    while len(chosen) < min(k, len(scores)):
        values = {}
        for i in set(range(len(scores))) - set(chosen):
            alike = max(((1 + float(vectors[i] @ vectors[j])) / 2 for j in chosen), default=0.0)
            relevance = (scores[i] - low) / (high - low) if high > low else 1.0
            values[i] = (1 - d) * relevance - d * alike
        chosen.append(max(values, key=lambda i: (values[i], -i)))
    return chosen


@given(
    seed=st.integers(0, 50), n=st.integers(1, 25), k=st.integers(1, 30), d=st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])
)
@settings(max_examples=40)
def test_the_choice_is_that_of_maximal_marginal_relevance_by_hand(seed: int, n: int, k: int, d: float) -> None:
    scores, vectors = candidates(seed, n)
    assert diversify(scores, vectors, k, d).tolist() == by_hand(scores, vectors, k, d)


def test_zero_leaves_the_order_and_the_best_always_comes_first() -> None:
    scores, vectors = candidates(1, 20)
    assert diversify(scores, vectors, 5, 0.0).tolist() == [0, 1, 2, 3, 4]
    assert all(diversify(scores, vectors, 5, d)[0] == 0 for d in (0.3, 1.0))


def test_more_diversity_makes_the_chosen_less_alike() -> None:
    scores, vectors = candidates(2, 100)
    alike = []
    for d in (0.0, 0.5, 1.0):
        chosen = vectors[diversify(scores, vectors, 8, d)]
        alike.append(float((chosen @ chosen.T)[np.triu_indices(8, 1)].mean()))
    assert alike[0] > alike[1] > alike[2]


def test_the_same_text_twice_is_not_chosen_while_there_is_another() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    assert diversify(np.array([0.9, 0.89, 0.1]), vectors, 2, 0.8).tolist() == [0, 2]


@pytest.mark.parametrize("n", [0, 1])
def test_none_or_one_candidate_is_no_choice(n: int) -> None:
    assert diversify(np.ones(n), np.ones((n, 3), np.float32), 4, 0.5).tolist() == list(range(n))
