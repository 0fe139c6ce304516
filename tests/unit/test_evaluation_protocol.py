from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.errors import ConfigError
from dynprof.evaluation import Window, choose_tests, cut_blocks, eligible_events, index_events, last_window

from .evaluation_data import Row, events_table, hash_of

ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 8), st.sampled_from(["p", "q", "r", "s", None])),
    max_size=30,
).map(lambda drawn: [(f"e{i}", *row) for i, row in enumerate(drawn)])
ALWAYS = Window(0, 10**18)


def brute_force(rows: list[Row], include_seen: bool) -> set[str]:
    """Ids of the events that can be predicted, by the words of the protocol."""
    known = [r for r in rows if r[3] is not None]
    found = set()
    for event_id, user, time, text in known:
        appeared = any(r[3] == text and r[2] < time for r in known)
        had = any(r[3] == text and r[1] == user and (r[2], r[0]) < (time, event_id) for r in known)
        if appeared and (include_seen or not had):
            found.add(event_id)
    return found


@given(ROWS, st.booleans())
def test_eligible_events_are_those_of_the_definition(rows: list[Row], include_seen: bool) -> None:
    log, names = index_events(events_table(rows))
    eligible = eligible_events(log, ALWAYS, include_seen=include_seen)
    assert set(names.event_ids.take(eligible).to_pylist()) == brute_force(rows, include_seen)


@given(ROWS)
def test_histories_and_catalogues_end_strictly_before_the_event(rows: list[Row]) -> None:
    log, names = index_events(events_table(rows))
    tests = choose_tests(log, names.event_ids, eligible_events(log, ALWAYS), max_events=0)
    for i, (user, time) in enumerate(zip(tests.users, tests.event_us, strict=True)):
        history = set(range(tests.history_start[i], tests.history_stop[i]))
        assert history == set(np.flatnonzero((log.users == user) & (log.event_us < time)).tolist())
        assert tests.catalogue[i] == np.count_nonzero(log.first_us < time)
    assert (np.diff(tests.event_us) >= 0).all()


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing(rows: list[Row], random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    (log, names), (other, other_names) = (index_events(events_table(r)) for r in (rows, shuffled))
    for field in ("users", "event_us", "items", "weights", "by_time", "first_us"):
        np.testing.assert_array_equal(getattr(log, field), getattr(other, field))
    assert names == other_names


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_the_window_holds_at_most_its_share_and_as_much_as_ties_allow(times: list[int], share: float) -> None:
    log, _ = index_events(events_table([(f"e{i}", "u", t, f"t{i}") for i, t in enumerate(times)]))
    window = last_window(log, share)
    inside = sum(window.start_us <= t < window.stop_us for t in times)
    earlier = [t for t in times if t < window.start_us]
    if window.start_us < max(times):
        assert inside <= share * len(times) + 1e-9
    if earlier:  # one time more would be too many
        assert inside + times.count(max(earlier)) > share * len(times) - 1e-9
    assert window.stop_us == max(times) + 1


def test_events_of_one_time_are_all_in_the_window_and_none_is_eligible() -> None:
    log, _ = index_events(events_table([(f"e{i}", f"u{i}", 7, "same") for i in range(10)]))
    window = last_window(log, 0.2)
    assert (window.start_us, window.stop_us) == (7, 8)
    assert len(eligible_events(log, window)) == 0


def test_dislikes_are_history_but_no_target() -> None:
    rows = [("a", "u", 1, "p"), ("b", "v", 2, "p"), ("c", "w", 3, "p"), ("d", "v", 4, "p")]
    log, names = index_events(events_table(rows, weights=[1, -1, 1, 1]))
    # v disliked p at 2: having had it, v is not asked again at 4.
    assert names.event_ids.take(eligible_events(log, ALWAYS)).to_pylist() == ["c"]


def test_an_event_type_weight_multiplies_the_event_weight() -> None:
    table = events_table([("a", "u", 1, "p"), ("b", "u", 2, "q")], weights=[2, 3], kind="like")
    assert index_events(table, {"like": 0.5})[0].weights.tolist() == [1, 1.5]
    assert index_events(table, {"post": 0.5})[0].weights.tolist() == [2, 3]


def test_items_are_numbered_by_first_appearance_and_events_without_text_left_out() -> None:
    rows = [("a", "u", 5, "late"), ("b", "v", 2, None), ("c", "v", 3, "early"), ("d", "w", 9, "early")]
    log, names = index_events(events_table(rows))
    assert names.text_hashes.to_pylist() == [hash_of("early"), hash_of("late")]
    assert log.first_us.tolist() == [3, 5]
    assert len(log) == 3


def test_the_sample_follows_the_seed_and_keeps_its_members_when_others_join() -> None:
    rows = [("first", "x", 0, "p")] + [(f"e{i}", f"u{i}", 10 + i, "p") for i in range(200)]
    more = [*rows, *((f"n{i}", f"z{i}", 500 + i, "p") for i in range(20))]

    def sample(rows: list[Row], seed: int) -> set[int]:
        log, names = index_events(events_table(rows))
        tests = choose_tests(log, names.event_ids, eligible_events(log, ALWAYS), max_events=50, seed=seed)
        return set(tests.event_us.tolist())

    assert len(sample(rows, 0)) == 50
    assert sample(rows, 0) == sample(rows[::-1], 0) != sample(rows, 1)
    assert {t for t in sample(more, 0) if t < 500} <= sample(rows, 0)


@given(st.integers(1, 8), st.integers(1, 60))
def test_blocks_cover_every_test_event_once_within_their_limits(max_tests: int, max_history: int) -> None:
    rows = [("f", "x", 0, "p0"), *((f"f{i}", "x", 0, f"p{i}") for i in range(1, 12))]
    rows += [(f"u{u}-{i}", f"u{u}", 10 + i, f"p{i}") for u in range(3) for i in range(12)]
    log, names = index_events(events_table(rows))
    tests = choose_tests(log, names.event_ids, eligible_events(log, ALWAYS), max_events=0)
    blocks = list(cut_blocks(tests, max_tests=max_tests, max_history=max_history))
    assert [i for a, b in blocks for i in range(a, b)] == list(range(len(tests)))
    assert all(b - a == 1 or tests.n_history[a:b].sum() <= max_history for a, b in blocks)
    assert max(b - a for a, b in blocks) <= max_tests


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_outside_0_and_1_is_refused(share: float) -> None:
    log, _ = index_events(events_table([("a", "u", 1, "p")]))
    with pytest.raises(ConfigError, match="test share"):
        last_window(log, share)


def test_an_empty_corpus_has_an_empty_window_and_no_tests() -> None:
    log, names = index_events(events_table([]))
    window = last_window(log, 0.2)
    tests = choose_tests(log, names.event_ids, eligible_events(log, window), max_events=10)
    assert (len(log), log.n_items, len(tests), list(cut_blocks(tests))) == (0, 0, 0, [])


def test_a_negative_sample_is_refused() -> None:
    log, names = index_events(events_table([]))
    with pytest.raises(ConfigError, match="max events"):
        choose_tests(log, names.event_ids, np.zeros(0, np.int64), max_events=-1)
