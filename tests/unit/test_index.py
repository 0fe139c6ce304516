"""Laws of the item index: whatever is asked, filtered, added and removed, the answer is that of comparing every row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.decay import DECAY_KINDS, Decay
from dynprof.index.block import Block, Queries, blocks_of, exact_cosines
from dynprof.index.codes import CodedQueries, encode
from dynprof.index.item_index import ItemIndex
from dynprof.index.question import Question
from dynprof.scoring import METRICS

from .index_judge import brute_force

DIM = 4
DAY_US = 86_400_000_000
NOW_US = 20_000 * DAY_US

SEEDS = st.integers(0, 2**32 - 1)
COUNTS = st.integers(0, 60)


def random_vectors(rng: np.random.Generator, n: int, dim: int = DIM) -> npt.NDArray[np.float16]:
    """Few distinct rows and zeros among them, so that scores are often equal."""
    coarse = rng.integers(-2, 3, (n, dim)).astype(np.float16)
    fine = rng.standard_normal((n, dim)).astype(np.float16)
    return np.where(rng.random((n, 1)) < 0.5, coarse, fine)


def random_times(rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
    return NOW_US - rng.integers(0, 9, n) * DAY_US * rng.choice([0, 1, 400])


@st.composite
def questions(draw: st.DrawFn, n_rows: int) -> Question:
    rng = np.random.default_rng(draw(SEEDS))
    profile = draw(st.sampled_from([np.zeros(DIM), rng.integers(-1, 2, DIM), rng.standard_normal(DIM)]))
    share = draw(st.sampled_from([0.0, 0.03, 0.5, 1.0]))
    half_life, kind = draw(st.sampled_from(["1s", "2d", "3y"])), draw(st.sampled_from(DECAY_KINDS))
    return Question(
        profile=profile,
        k=draw(st.sampled_from([1, 2, 7, 100])),
        as_of_us=NOW_US + DAY_US * draw(st.sampled_from([-400, -3, 0, 1, 700])),
        metric=draw(st.sampled_from(METRICS)),
        item_decay=Decay(
            kind, half_life, offset=draw(st.sampled_from(["0s", "1d"])), floor=draw(st.sampled_from([0.0, 0.1]))
        ),
        excluded=draw(st.sampled_from([None, rng.integers(0, n_rows + 3, 5)])),
        allowed=draw(st.sampled_from([None, rng.random(n_rows) < share])),
        share=draw(st.sampled_from([0.0, 0.5])),
        bonus=draw(st.sampled_from([None, rng.integers(0, 3, n_rows) / 4])),
    )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of some rows: with real sizes a test would see one."""
    monkeypatch.setattr("dynprof.index.block.BLOCK_ROWS", 8)
    monkeypatch.setattr("dynprof.index.growing.GROWING_ROWS", 4)
    monkeypatch.setattr("dynprof.index.scan._FEW", 3)


@pytest.mark.parametrize("coded", ["all", "newest", "none"])
@settings(max_examples=50)
@given(data=st.data(), seed=SEEDS, n=COUNTS)
def test_the_index_gives_what_comparing_every_row_gives(coded: str, data: st.DataObject, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, created_us = random_vectors(rng, n), np.sort(random_times(rng, n))
    n_coded = {"all": n, "newest": n // 3, "none": 0}[coded]
    index = ItemIndex(vectors, created_us, encode(vectors[n - n_coded :]) if n_coded else None)
    asked = data.draw(st.lists(questions(n), min_size=1, max_size=3))
    for question, ranking in zip(asked, index.search(asked), strict=True):
        rows, scores = brute_force(vectors, created_us, question)
        assert ranking.rows.tolist() == rows
        assert ranking.scores.tolist() == scores


@settings(max_examples=40)
@given(data=st.data(), seed=SEEDS, n=COUNTS, steps=st.lists(st.integers(0, 11), max_size=12))
def test_any_interleaving_of_adding_removing_and_asking_gives_what_comparing_every_row_gives(
    data: st.DataObject, seed: int, n: int, steps: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    vectors, created_us = random_vectors(rng, n), np.sort(random_times(rng, n))
    index, removed = ItemIndex(vectors, created_us, encode(vectors)), set[int]()
    for step in steps:
        if step < 8:
            more, at = random_vectors(rng, step), random_times(rng, step)
            assert index.add(more, at).tolist() == list(range(len(vectors), len(vectors) + step))
            vectors, created_us = np.concatenate([vectors, more]), np.concatenate([created_us, at])
        elif len(vectors):
            gone = rng.integers(0, len(vectors), step - 7)
            index.remove(gone)
            removed |= set(gone.tolist())
        question = data.draw(questions(len(vectors)))
        rows, scores = brute_force(vectors, created_us, question, removed)
        ranking = index.search([question])[0]
        assert ranking.rows.tolist() == rows and ranking.scores.tolist() == scores
    assert len(index) == len(vectors)
    taken, at = index.take(np.arange(len(vectors)))
    np.testing.assert_array_equal(taken, vectors)
    np.testing.assert_array_equal(at, created_us)


@settings(max_examples=50)
@given(seed=SEEDS, share=st.floats(0, 1), k=st.integers(1, 30), metric=st.sampled_from(METRICS))
def test_k_rows_come_back_whenever_k_may(seed: int, share: float, k: int, metric: Any) -> None:
    rng = np.random.default_rng(seed)
    vectors, created_us = random_vectors(rng, 50), np.sort(random_times(rng, 50))
    allowed = rng.random(50) < share
    question = Question(rng.standard_normal(DIM), k, NOW_US + 1, metric, Decay("exponential", "2d"), None, allowed)
    found = ItemIndex(vectors, created_us, encode(vectors)).search([question])[0].rows
    assert len(found) == min(k, int(allowed.sum())) and allowed[found].all()


@settings(max_examples=25)
@given(seed=SEEDS, n=COUNTS, dim=st.sampled_from([1, 3, 64, 384]), size=st.sampled_from([1e-3, 1.0, 1e3]))
def test_no_cosine_is_further_from_the_coded_one_than_its_bound_says(seed: int, n: int, dim: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = (random_vectors(rng, n, dim) * np.float16(size)).astype(np.float16)
    queries = Queries(np.concatenate([rng.standard_normal((3, dim)), np.zeros((1, dim))]))
    for codes in (encode(vectors), None):
        block = Block(0, vectors, np.zeros(n, np.int64), 0, codes)
        if n:
            cosines, slack = block.bounds(queries)
            for i in range(4):
                true = exact_cosines(vectors, queries.units[i])
                assert (np.abs(cosines[i] - true) <= slack[i]).all()
    assert (encode(vectors).radii < 0.02 * np.sqrt(dim)).all()


def test_codes_say_more_of_a_query_than_of_a_row() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((100, 384)).astype(np.float16)
    _, slack = CodedQueries(Queries(rng.standard_normal((1, 384))).units).bounds(encode(vectors))
    assert slack.max() < 0.012 and np.abs(slack - encode(vectors).radii).max() < 1e-3


@given(seed=SEEDS, n=st.integers(1, 40))
def test_an_exact_cosine_does_not_depend_on_the_other_rows(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, unit = random_vectors(rng, n, 33), Queries(rng.standard_normal((1, 33))).units[0]
    together = exact_cosines(vectors, unit)
    assert together.tolist() == [float(exact_cosines(vectors[i : i + 1], unit)[0]) for i in range(n)]


def test_old_blocks_are_not_looked_at_where_time_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    n = 400
    vectors, created_us = rng.standard_normal((n, DIM)).astype(np.float16), NOW_US - np.arange(n)[::-1] * DAY_US
    looked, bounds = [], Block.bounds

    def counting(block: Block, queries: Queries) -> Any:
        looked.append(block.first)
        return bounds(block, queries)

    monkeypatch.setattr(Block, "bounds", counting)
    question = Question(vectors[3].astype(float), 3, NOW_US + 1, "cosine_time", Decay("exponential", "2d"))
    found = ItemIndex(vectors, created_us, encode(vectors)).search([question])[0]
    assert found.rows.tolist() == brute_force(vectors, created_us, question)[0]
    assert looked and min(looked) >= n - 16


def test_blocks_are_the_rows_in_order_without_a_copy() -> None:
    vectors, created_us = np.ones((20, DIM), np.float16), np.arange(20)
    blocks = blocks_of(vectors, created_us, encode(vectors[15:]))
    assert [(b.first, len(b), b.codes is not None) for b in blocks] == [
        (0, 8, False),
        (8, 7, False),
        (15, 1, True),
        (16, 4, True),
    ]
    assert all(np.shares_memory(b.vectors, vectors) for b in blocks)


@settings(max_examples=20)
@given(seed=SEEDS)
def test_a_question_is_answered_alike_alone_and_among_others(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vectors, created_us = random_vectors(rng, 80), np.sort(random_times(rng, 80))
    index = ItemIndex(vectors, created_us, encode(vectors))
    asked = [
        Question(rng.standard_normal(DIM), 5, NOW_US + i, metric, Decay("exponential", "2d"))
        for i, metric in enumerate(METRICS)
    ]
    for question, together in zip(asked, index.search(asked), strict=True):
        alone = index.search([question])[0]
        assert alone.rows.tolist() == together.rows.tolist() and alone.scores.tolist() == together.scores.tolist()


def test_nothing_asked_is_nothing_found() -> None:
    empty = ItemIndex(np.empty((0, DIM), np.float16), np.empty(0, np.int64), None)
    assert empty.search([]) == []
    assert empty.search([Question(np.ones(DIM), 3, NOW_US, "cosine")])[0].rows.tolist() == []
