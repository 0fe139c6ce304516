"""The sheet: axes of the largest spread, the same for the same vectors, and codes that lose no point."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.atlas import MOST_POINTS, Codes, Projection, Sheet, Topics, coded, evenly
from dynprof.word_labels import Background


@settings(max_examples=20)
@given(st.integers(0, 30), st.integers(3, 9))
def test_the_axes_are_those_of_a_full_decomposition(seed: int, dim: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(50, dim)) * np.arange(1, dim + 1)
    found = Projection.fit(vectors)
    centered = vectors - vectors.mean(0)
    values = np.linalg.svd(centered, compute_uv=False) ** 2
    np.testing.assert_allclose(found.explained, values[:2] / values.sum(), rtol=1e-8)
    np.testing.assert_allclose(found.place(vectors).astype(float).var(0) * 50, values[:2], rtol=1e-4)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(2), atol=1e-9)


def test_an_order_of_rows_turns_no_axis_round() -> None:
    vectors = np.random.default_rng(3).normal(size=(60, 5)) * [4, 3, 1, 1, 1]
    there, back = Projection.fit(vectors), Projection.fit(vectors[::-1])
    np.testing.assert_allclose(there.place(vectors), back.place(vectors), atol=1e-4)


@pytest.mark.parametrize("vectors", [np.zeros((0, 4)), np.zeros((3, 4)), np.ones((3, 4)), np.ones((2, 1))])
def test_vectors_that_do_not_spread_lie_in_the_middle(vectors: np.ndarray) -> None:
    found = Projection.fit(vectors)
    np.testing.assert_allclose(found.place(vectors), 0, atol=1e-6)
    assert found.axes.shape == (2, vectors.shape[1]) and found.explained.tolist() == [0, 0]


@settings(max_examples=20)
@given(st.lists(st.sampled_from([None, *"abcdefghijklmnop"]), max_size=60))
def test_codes_stand_for_the_value_or_for_other_or_for_none(values: list[str | None]) -> None:
    codes = coded(pa.array(values, pa.string()))
    for value, code in zip(values, codes.of.tolist(), strict=True):
        if value is None:
            assert code == len(codes.names)
        else:
            assert codes.names[code] == (value if value in codes.names else "other")
    assert len(codes.names) <= 12


def test_many_are_thinned_evenly_and_few_are_all_there() -> None:
    assert evenly(7, 10).tolist() == list(range(7))
    thinned = evenly(10 * MOST_POINTS, MOST_POINTS)
    assert len(thinned) == MOST_POINTS and thinned[0] == 0 and thinned[-1] == 10 * MOST_POINTS - 1
    assert np.ptp(np.diff(thinned)) <= 1


def test_topics_of_planted_groups_are_told_apart_and_named() -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    texts = pa.array([word for word in ("derby", "dough", "comet", "waltz") for _ in range(5)])
    topics = Topics.of(vectors, texts, Background(texts))
    codes = topics.codes(vectors)
    assert sorted(codes.names) == ["comet", "derby", "dough", "waltz"]
    assert [codes.names[code] for code in codes.of] == texts.to_pylist()
    nothing = Topics.of(np.empty((0, 4), np.float32), pa.array([], pa.string()), Background(texts))
    assert nothing.codes(vectors).names == []


def test_points_can_be_taken_off_the_sheet() -> None:
    codes = Codes(["x"], np.zeros(3, np.uint8))
    projection = Projection.fit(np.zeros((0, 2)))
    places, activity = np.zeros((3, 2), np.float32), np.zeros(3, np.float32)
    made = Sheet(projection, np.array([4, 5, 9]), places, activity, codes, codes, 30)
    rest = made.without([5, 7])
    assert rest.numbers.tolist() == [4, 9] and rest.n_total == 29 and len(rest.topics.of) == len(rest.places) == 2
