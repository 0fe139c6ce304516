"""Batches of equal length: nothing is lost, nothing is over the budget."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.encoders.batching import Tokens, pad_batch, plan_batches

LISTS = st.lists(st.lists(st.integers(1, 30_000), max_size=40), max_size=60)
law = settings(max_examples=60)


@law
@given(LISTS, st.integers(1, 200))
def test_every_text_with_tokens_is_in_exactly_one_batch(id_lists, max_tokens) -> None:
    tokens = Tokens.from_lists(id_lists)
    planned = [int(row) for rows in plan_batches(tokens.lengths, max_tokens) for row in rows]
    assert sorted(planned) == [i for i, ids in enumerate(id_lists) if ids]


@law
@given(LISTS, st.integers(1, 200))
def test_a_batch_is_within_the_budget_or_one_text_alone(id_lists, max_tokens) -> None:
    tokens = Tokens.from_lists(id_lists)
    for rows in plan_batches(tokens.lengths, max_tokens):
        assert len(rows) == 1 or len(rows) * tokens.lengths[rows].max() <= max_tokens


@law
@given(LISTS, st.integers(1, 200))
def test_no_batch_could_take_the_next_text_too(id_lists, max_tokens) -> None:
    lengths = Tokens.from_lists(id_lists).lengths
    batches = list(plan_batches(lengths, max_tokens))
    for rows in batches[:-1]:
        assert (len(rows) + 1) * lengths[rows].max() > max_tokens


@law
@given(LISTS.filter(lambda lists: any(lists)), st.integers(0, 99))
def test_padding_keeps_every_token_and_marks_what_is_none(id_lists, pad_id) -> None:
    tokens = Tokens.from_lists(id_lists)
    for rows in plan_batches(tokens.lengths, 64):
        ids, mask = pad_batch(tokens, rows, pad_id)
        assert ids.shape == mask.shape == (len(rows), tokens.lengths[rows].max())
        assert [row[seen == 1].tolist() for row, seen in zip(ids, mask, strict=True)] == [id_lists[i] for i in rows]
        assert (ids[mask == 0] == pad_id).all()


def test_longest_texts_come_first_so_that_too_large_a_budget_fails_at_once() -> None:
    lengths = np.array([3, 50, 7, 50, 1])
    assert [rows.tolist() for rows in plan_batches(lengths, 100)] == [[1, 3], [2, 0, 4]]


def test_real_lengths_lose_little_to_padding() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(3.2, 0.5, 5_000).astype(np.int64), 3, 256)
    padded = sum(len(rows) * int(lengths[rows].max()) for rows in plan_batches(lengths, 2_048))
    assert padded < 1.05 * lengths.sum()


def test_no_texts_are_no_batches() -> None:
    tokens = Tokens.from_lists([])
    assert tokens.ids.shape == (0,)
    assert list(plan_batches(tokens.lengths, 10)) == []


@pytest.mark.parametrize("max_tokens", [1, 5])
def test_texts_over_the_budget_go_one_by_one(max_tokens) -> None:
    assert [rows.tolist() for rows in plan_batches(np.array([9, 8, 7]), max_tokens)] == [[0], [1], [2]]
