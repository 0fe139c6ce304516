"""Batches and runs of equal length: nothing is lost, nothing is over the budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.encoders.ahead import ahead
from dynprof.encoders.batching import Tokens, plan_batches, runs_of

LISTS = st.lists(st.lists(st.integers(1, 30_000), max_size=40), max_size=60)
FALLING = st.lists(st.integers(1, 40), max_size=60).map(lambda lengths: np.array(sorted(lengths)[::-1], np.int64))
law = settings(max_examples=60)


@law
@given(FALLING, st.integers(1, 200))
def test_every_text_is_in_exactly_one_batch_in_order(lengths, max_tokens) -> None:
    planned = [i for texts in plan_batches(lengths, max_tokens) for i in range(texts.start, texts.stop)]
    assert planned == list(range(len(lengths)))


@law
@given(FALLING, st.integers(1, 200))
def test_a_batch_is_within_the_budget_or_one_text_alone(lengths, max_tokens) -> None:
    for texts in plan_batches(lengths, max_tokens):
        assert len(lengths[texts]) == 1 or len(lengths[texts]) * lengths[texts].max() <= max_tokens


@law
@given(FALLING, st.integers(1, 200))
def test_no_batch_could_take_the_next_text_too(lengths, max_tokens) -> None:
    for texts in list(plan_batches(lengths, max_tokens))[:-1]:
        assert (len(lengths[texts]) + 1) * lengths[texts].max() > max_tokens


@law
@given(FALLING.filter(len))
def test_runs_cover_the_tokens_of_a_batch_in_order(lengths) -> None:
    runs = runs_of(lengths)
    assert [run.length for run in runs for _ in range(run.n_texts)] == lengths.tolist()
    assert [run.start for run in runs] == [0, *(run.stop for run in runs[:-1])]
    assert runs[-1].stop == lengths.sum()


@law
@given(LISTS, st.data())
def test_tokens_taken_are_those_of_the_rows(id_lists, data) -> None:
    rows = data.draw(st.lists(st.integers(0, len(id_lists) - 1), max_size=20)) if id_lists else []
    taken = Tokens.from_lists(id_lists).take(np.array(rows, np.int64))
    expected = Tokens.from_lists([id_lists[row] for row in rows])
    assert np.array_equal(taken.ids, expected.ids)
    assert np.array_equal(taken.lengths, expected.lengths)


@law
@given(LISTS)
def test_longest_first_leaves_out_texts_without_a_token(id_lists) -> None:
    tokens = Tokens.from_lists(id_lists)
    order = tokens.longest_first()
    assert sorted(order) == [i for i, ids in enumerate(id_lists) if ids]
    assert (np.diff(tokens.lengths[order]) <= 0).all()


@law
@given(LISTS)
def test_positions_count_from_each_texts_start(id_lists) -> None:
    assert Tokens.from_lists(id_lists).positions.tolist() == [i for ids in id_lists for i in range(len(ids))]


@law
@given(st.lists(st.integers()))
def test_made_ahead_is_the_same_in_the_same_order(items) -> None:
    assert list(ahead(items)) == items


def test_one_item_is_made_ahead_and_no_more() -> None:
    made: list[int] = []

    def items():
        for i in range(5):
            made.append(i)
            yield i

    taken = ahead(items())
    assert next(taken) == 0
    taken.close()
    assert made in ([0], [0, 1])


def test_an_error_in_making_an_item_is_raised_in_its_place() -> None:
    def items():
        yield 1
        raise KeyError("two")

    taken = ahead(items())
    assert next(taken) == 1
    with pytest.raises(KeyError, match="two"):
        next(taken)
