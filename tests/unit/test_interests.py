"""Interests: groups that do not depend on the decay, shares that do and add up to one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from dynprof.decay import DECAY_KINDS, Decay, DecayKind
from dynprof.history import History
from dynprof.interests import find_interests
from dynprof.word_labels import Background

DAY_US = 86_400_000_000
WORDS = ("derby", "dough", "comet")
BACKGROUND = Background(pa.array(["rain and sun", *WORDS]))


def history(n: int = 60) -> History:
    """Three interests one after the other; the last one is written of to the end."""
    of = np.arange(n) * 3 // n
    vectors = np.eye(6, dtype=np.float16)[:3]
    columns = {
        "event_id": pa.array([f"e{i}" for i in range(n)]),
        "item_id": pa.array([f"e{i}" for i in range(n)]),
        "event_type": pa.array(["post"] * n),
        "text": pa.array([f"{WORDS[g]} again" for g in of]),
    }
    return History(np.arange(n) * DAY_US, np.ones(n), of, vectors, pa.table(columns))


def test_groups_are_the_planted_ones_with_their_words() -> None:
    told = history()
    found = find_interests(told, BACKGROUND)
    assert [len(set(found.groups[told.rows == g])) for g in range(3)] == [1, 1, 1]
    assert {words[0] for words in found.words} == set(WORDS)
    np.testing.assert_allclose(found.nearness, 1, atol=1e-3)


@pytest.mark.parametrize("kind", DECAY_KINDS)
def test_shares_add_up_to_one_and_the_youngest_interest_leads_where_something_is_forgotten(kind: DecayKind) -> None:
    told = history()
    weighed = find_interests(told, BACKGROUND).weigh(told, Decay(kind, "5d"), 60 * DAY_US)
    assert sum(interest.share for interest in weighed) == pytest.approx(1)
    assert [i.share for i in weighed] == sorted((i.share for i in weighed), reverse=True)
    if kind != "static":
        assert weighed[0].words[0] == "comet"
    assert all(told.rows[i.typical[0]] == told.rows[i.typical[-1]] for i in weighed)


def test_events_at_or_after_the_time_do_not_count() -> None:
    told = history()
    found = find_interests(told, BACKGROUND)
    assert [i.n_events for i in found.weigh(told, Decay("static"), 20 * DAY_US)] == [20]
    assert found.weigh(told, Decay("static"), 0) == []


def test_weight_that_has_faded_to_nothing_leaves_groups_without_share() -> None:
    told = history()
    weighed = find_interests(told, BACKGROUND).weigh(told, Decay("linear", "1h"), 400 * DAY_US)
    assert [i.share for i in weighed] == [0, 0, 0] and all(len(i.typical) for i in weighed)


def test_nobody_without_events_has_an_interest() -> None:
    nothing = History.empty(6)
    assert find_interests(nothing, BACKGROUND).weigh(nothing, Decay("static"), DAY_US) == []


def test_positions_of_a_history_are_a_history() -> None:
    told = history()
    some = told.take(np.array([1, 59]))
    assert some.events["event_id"].to_pylist() == ["e1", "e59"] and some.at_us.tolist() == [DAY_US, 59 * DAY_US]
    np.testing.assert_array_equal(some.vectors[some.rows], told.vectors[told.rows[[1, 59]]])
