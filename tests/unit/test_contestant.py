"""Places and lists from scores, held against sorting everything."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from dynprof.evaluation import EventLog, TestEvents, choose_tests, eligible_events
from dynprof.evaluation.contestant import LIST_SIZE, NOTHING, place
from dynprof.evaluation.protocol import Window


class _Drawn:
    """Scores of few values, so that many tie."""

    name = "drawn"

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        draw = np.random.default_rng(self._seed)
        for catalogue in tests.catalogue:
            yield draw.integers(0, 7, catalogue).astype(np.float64)


def _log(seed: int, n_events: int, n_items: int) -> EventLog:
    draw = np.random.default_rng(seed)
    users = np.sort(draw.integers(0, 4, n_events)).astype(np.int32)
    times = draw.integers(0, 40, n_events)
    times = times[np.lexsort((times, users))]
    items = draw.integers(0, n_items, n_events)
    first = np.full(n_items, 1_000)
    np.minimum.at(first, items, times)
    order = np.argsort(first, kind="stable")
    number = np.empty(n_items, np.int32)
    number[order] = np.arange(n_items)
    items = number[items]
    novel = np.zeros(n_events, np.bool_)
    novel[np.unique(users.astype(np.int64) * n_items + items, return_index=True)[1]] = True
    return EventLog(users, times, items, np.ones(n_events), novel, first[order])


@given(seed=st.integers(0, 1 << 30), n_items=st.integers(1, 120), include_seen=st.booleans())
def test_places_and_lists_are_those_of_sorting_everything(seed: int, n_items: int, include_seen: bool) -> None:
    log = _log(seed, 150, n_items)
    eligible = eligible_events(log, Window(10, 40), include_seen=include_seen)
    tests = choose_tests(log, eligible, include_seen=include_seen)
    placed = place(_Drawn(seed), log, tests)
    for row, scores in enumerate(_Drawn(seed).scores(tests)):
        seen = log.items[tests.history_start[row] : tests.history_stop[row]]
        target = tests.targets[row]
        others = [i for i in range(len(scores)) if i != target and (include_seen or i not in seen)]
        assert placed.ranks.above[row, 0] == sum(scores[i] > scores[target] for i in others)
        assert placed.ranks.tied[row, 0] == sum(scores[i] == scores[target] for i in others)
        best = sorted([*others, target], key=lambda i: (-scores[i], i))[:LIST_SIZE]
        assert placed.lists[row, 0].tolist() == [*best, *[NOTHING] * (LIST_SIZE - len(best))]


@given(seed=st.integers(0, 1 << 30), stop=st.integers(0, 41))
def test_a_log_before_a_time_holds_nothing_later(seed: int, stop: int) -> None:
    log = _log(seed, 80, 30)
    cut = log.before(stop)
    assert (cut.event_us < stop).all()
    assert (cut.first_us < stop).all()
    assert cut.items.max(initial=-1) < cut.n_items
    assert len(cut) == np.count_nonzero(log.event_us < stop)
