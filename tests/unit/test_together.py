"""Questions answered together: each asker gets the own answer, whatever happens to the others."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from threading import Event
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.sources import ItemQuery, ItemSource
from serve.together import Collector, Steps, finish

LIMIT_S = 60.0


class OddError(Exception):
    """Of an odd question."""


def halves(questions: list[int]) -> list[int | Exception]:
    return [OddError(str(q)) if q % 2 else q // 2 for q in questions]


@given(questions=st.lists(st.integers(0, 1000), max_size=40), most=st.integers(1, 9))
def test_each_question_gets_its_own_answer_or_its_own_error(questions: list[int], most: int) -> None:
    collector: Collector[int, int] = Collector(halves, most=most)
    futures = [collector.ask(q) for q in questions]
    for question, future in zip(questions, futures, strict=True):
        error = future.exception(LIMIT_S)
        assert (str(error) == str(question)) if question % 2 else future.result() == question // 2


def test_what_waits_while_others_are_answered_is_answered_at_once_and_no_more_than_may_be() -> None:
    batches: list[list[int]] = []
    begun, may_go_on = Event(), Event()

    def answer(questions: list[int]) -> list[int | Exception]:
        batches.append(questions)
        begun.set()
        assert may_go_on.wait(LIMIT_S)
        return list(questions)

    collector: Collector[int, int] = Collector(answer, most=4)
    first = collector.ask(0)
    assert begun.wait(LIMIT_S)
    rest = [collector.ask(i) for i in range(1, 8)]
    assert rest[2].cancel()  # whoever asked has gone
    may_go_on.set()
    assert [f.result(LIMIT_S) for f in [first, *rest[:2], *rest[3:]]] == [0, 1, 2, 4, 5, 6, 7]
    assert batches == [[0], [1, 2, 4, 5], [6, 7]]


def test_where_the_answering_fails_as_a_whole_everybody_hears_of_it_and_the_next_are_answered() -> None:
    def answer(questions: list[int]) -> list[int | Exception]:
        if 7 in questions:
            raise OddError("seven")
        return list(questions)

    collector: Collector[int, int] = Collector(answer, most=1)
    futures: list[Future[int]] = [collector.ask(q) for q in (1, 7, 2)]
    assert futures[0].result(LIMIT_S) == 1
    with pytest.raises(OddError, match="seven"):
        futures[1].result(LIMIT_S)
    assert futures[2].result(LIMIT_S) == 2


class Counted:
    """An item source that only counts: what it finds for a query is the query's number."""

    def __init__(self) -> None:
        self.searches: list[int] = []

    def search_all(self, queries: Sequence[Any]) -> list[Any]:
        self.searches.append(len(queries))
        return list(queries)


def making(number: int, n_searches: int) -> Steps[int]:
    total = 0
    for i in range(n_searches):
        total += cast(int, (yield cast(ItemQuery, number + i)))
    if number % 2:
        raise OddError(str(number))
    return total


@given(asked=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3)), max_size=12))
def test_answers_in_the_making_share_their_searches_and_are_what_each_would_be_alone(
    asked: list[tuple[int, int]],
) -> None:
    items = Counted()
    answers = finish(cast(ItemSource, items), [making(*a) for a in asked])
    for (number, n), answer in zip(asked, answers, strict=True):
        assert isinstance(answer, OddError) if number % 2 else answer == sum(range(number, number + n))
    longest = max((n for _, n in asked), default=0)
    assert items.searches == [sum(n > i for _, n in asked) for i in range(longest)]
