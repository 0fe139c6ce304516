from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynprof.errors import ConfigError, WorkspaceError
from dynprof.evaluation import (
    AUTO,
    EventLog,
    EventNames,
    TestEvents,
    Window,
    choose_tests,
    cut_rounds,
    draw_keys,
    eligible_events,
    index_events,
    last_window,
    sample_size,
)
from dynprof.evaluation.numbering import number_texts
from dynprof.keys import buckets

from .evaluation_data import Row, events_table, hash_of, ids_in_log, in_order, index

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
    log, _names = index(events_table(rows))
    eligible = eligible_events(log, ALWAYS, include_seen=include_seen)
    assert set(ids_in_log(events_table(rows)).take(eligible).to_pylist()) == brute_force(rows, include_seen)


@given(ROWS)
def test_histories_and_catalogues_end_strictly_before_the_event(rows: list[Row]) -> None:
    log, _names = index(events_table(rows))
    tests = choose_tests(log, eligible_events(log, ALWAYS))
    for i, (user, time) in enumerate(zip(tests.users, tests.event_us, strict=True)):
        history = set(range(tests.history_start[i], tests.history_stop[i]))
        assert history == set(np.flatnonzero((log.users == user) & (log.event_us < time)).tolist())
        assert tests.catalogue[i] == np.count_nonzero(log.first_us < time)
    assert (np.diff(tests.event_us) >= 0).all()


def named_tests(tables: list[pa.Table], n_most: int) -> list[tuple[object, ...]]:
    """What the tests are, in their order, whatever the numbers behind it."""
    log, names = index_events(tables)
    eligible = eligible_events(log, ALWAYS)
    ids = pa.concat_arrays([ids_in_log(t) for t in tables])
    tests = choose_tests(log, eligible, draw_keys(ids.take(eligible), 3), max_events=n_most)
    user_ids, hashes = (column.to_pylist() for column in (names.user_ids, names.text_hashes))
    assert log.first_us.tolist() == sorted(log.first_us.tolist())
    rows = zip(ids.take(tests.positions).to_pylist(), tests.users, tests.targets, strict=True)
    named = [(event, user, user_ids[user], target, hashes[target]) for event, user, target in rows]
    return [*named, tests.event_us.tolist(), tests.catalogue.tolist(), tests.n_history.tolist()]


@given(ROWS, st.integers(1, 5), st.integers(1, 9))
def test_how_users_are_cut_into_buckets_changes_no_test(rows: list[Row], n_buckets: int, n_most: int) -> None:
    table = in_order(events_table(rows))
    bucket = buckets(table["user_id"], n_buckets)
    cut = [table.filter(pa.array(bucket == b)) for b in range(n_buckets)][::-1]
    assert named_tests(cut, n_most) == named_tests([table], n_most)


def test_a_bucket_out_of_order_is_refused() -> None:
    table = events_table([("a", "u", 5, "p"), ("b", "u", 4, "p")])
    with pytest.raises(WorkspaceError, match=r"sorted by user_id and timestamp.*jobs\.ingest"):
        index_events([table])
    with pytest.raises(WorkspaceError, match="sorted"):
        index_events([events_table([("a", "u", 1, "p"), ("b", "v", 2, "p"), ("c", "u", 3, "p")])])


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 5)), max_size=30))
def test_texts_are_numbered_by_first_time_then_hash_even_where_half_a_hash_is_shared(
    drawn: list[tuple[int, ...]],
) -> None:
    words = np.array([d[:2] for d in drawn], np.uint64).reshape(-1, 2)
    times = np.array([d[2] for d in drawn], np.int64)
    numbers, distinct, first_us = number_texts(words, times)
    first = {key: min(d[2] for d in drawn if d[:2] == key) for key in {d[:2] for d in drawn}}
    expected = sorted(first, key=lambda key: (first[key], key))
    assert [tuple(w) for w in distinct.tolist()] == expected
    assert first_us.tolist() == [first[key] for key in expected]
    assert [expected[n] for n in numbers] == [d[:2] for d in drawn]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60), st.floats(0.05, 0.95))
def test_the_window_holds_at_most_its_share_and_as_much_as_ties_allow(times: list[int], share: float) -> None:
    log, _ = index(events_table([(f"e{i}", "u", t, f"t{i}") for i, t in enumerate(times)]))
    window = last_window(log, share)
    inside = sum(window.start_us <= t < window.stop_us for t in times)
    earlier = [t for t in times if t < window.start_us]
    if window.start_us < max(times):
        assert inside <= share * len(times) + 1e-9
    if earlier:  # one time more would be too many
        assert inside + times.count(max(earlier)) > share * len(times) - 1e-9
    assert window.stop_us == max(times) + 1


def test_events_of_one_time_are_all_in_the_window_and_none_is_eligible() -> None:
    log, _ = index(events_table([(f"e{i}", f"u{i}", 7, "same") for i in range(10)]))
    window = last_window(log, 0.2)
    assert (window.start_us, window.stop_us) == (7, 8)
    assert len(eligible_events(log, window)) == 0


def test_dislikes_are_history_but_no_target() -> None:
    rows = [("a", "u", 1, "p"), ("b", "v", 2, "p"), ("c", "w", 3, "p"), ("d", "v", 4, "p")]
    # v disliked p at 2: having had it, v is not asked again at 4.
    table = events_table(rows, weights=[1, -1, 1, 1])
    assert ids_in_log(table).take(eligible_events(index(table)[0], ALWAYS)).to_pylist() == ["c"]


def test_an_event_type_weight_multiplies_the_event_weight() -> None:
    table = events_table([("a", "u", 1, "p"), ("b", "u", 2, "q")], weights=[2, 3], kind="like")
    assert index(table, type_weights={"like": 0.5})[0].weights.tolist() == [1, 1.5]
    assert index(table, type_weights={"post": 0.5})[0].weights.tolist() == [2, 3]


def test_items_are_numbered_by_first_appearance_and_events_without_text_left_out() -> None:
    rows = [("a", "u", 5, "late"), ("b", "v", 2, None), ("c", "v", 3, "early"), ("d", "w", 9, "early")]
    log, names = index(events_table(rows))
    assert names.text_hashes.to_pylist() == [hash_of("early"), hash_of("late")]
    assert log.first_us.tolist() == [3, 5]
    assert len(log) == 3


def test_the_sample_follows_the_seed_and_keeps_its_members_when_others_join() -> None:
    rows = [("first", "x", 0, "p")] + [(f"e{i}", f"u{i}", 10 + i, "p") for i in range(200)]
    more = [*rows, *((f"n{i}", f"z{i}", 500 + i, "p") for i in range(20))]

    def sample(rows: list[Row], seed: int) -> set[int]:
        table = events_table(rows)
        log, _ = index(table)
        eligible = eligible_events(log, ALWAYS)
        keys = draw_keys(ids_in_log(table).take(eligible), seed)
        return set(choose_tests(log, eligible, keys, max_events=50).event_us.tolist())

    assert len(sample(rows, 0)) == 50
    assert sample(rows, 0) == sample(rows[::-1], 0) != sample(rows, 1)
    assert {t for t in sample(more, 0) if t < 500} <= sample(rows, 0)


@given(st.integers(0, 10**9), st.integers(1, 200), st.integers(1, 4096))
def test_rounds_cover_every_test_event_once_within_their_limit(n_tests: int, n_decays: int, dim: int) -> None:
    n_tests %= 100 * max(1, 2**25 // (n_decays * dim))
    rounds = list(cut_rounds(n_tests, n_decays, dim))
    assert [0, *(r.stop for r in rounds)] == [*(r.start for r in rounds), n_tests]
    assert all((r.stop - r.start) * n_decays * dim <= 2**25 for r in rounds)


@pytest.mark.parametrize(
    ("asked", "n_items", "found"),
    [(AUTO, 0, 2000), (AUTO, 2_500_000, 2000), (AUTO, 5_000_000, 1000), (AUTO, 10**9, 500), (0, 9, 0), (7, 10**9, 7)],
)
def test_a_sample_shrinks_with_the_texts_unless_its_size_is_given(asked: int | str, n_items: int, found: int) -> None:
    assert sample_size(asked, n_items) == found


def test_tests_of_one_bucket_are_found_in_the_log_of_their_bucket() -> None:
    rows = [(f"e{i}", f"u{i % 4}", i, f"t{i * 7 % 11}") for i in range(60)]
    table = in_order(events_table(rows))
    bucket = buckets(table["user_id"], 2)
    cut = [table.filter(pa.array(bucket == b)) for b in (0, 1)]
    log, names = index_events(cut)
    tests = choose_tests(log, eligible_events(log, ALWAYS))
    start = int(names.bucket_starts[1])
    own, own_names = index_events(cut[1:])
    mine = tests.take(np.flatnonzero(tests.positions >= start))
    found = mine.within(own, start)
    assert 0 < len(found) < len(tests)

    def what(tests: TestEvents, log: EventLog, names: EventNames) -> list[object]:
        histories = [
            names.text_hashes.take(log.items[a:b]).to_pylist()
            for a, b in zip(tests.history_start, tests.history_stop, strict=True)
        ]
        users, targets = names.user_ids.take(tests.users), names.text_hashes.take(tests.targets)
        return [users.to_pylist(), targets.to_pylist(), tests.event_us.tolist(), histories]

    assert what(found, own, own_names) == what(mine, log, names)


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_outside_0_and_1_is_refused(share: float) -> None:
    log, _ = index(events_table([("a", "u", 1, "p")]))
    with pytest.raises(ConfigError, match="test share"):
        last_window(log, share)


def test_an_empty_corpus_has_an_empty_window_and_no_tests() -> None:
    log, _names = index(events_table([]))
    window = last_window(log, 0.2)
    tests = choose_tests(log, eligible_events(log, window))
    assert (len(log), log.n_items, len(tests)) == (0, 0, 0)


@pytest.mark.parametrize("asked", [-1, "many"])
def test_a_sample_of_no_size_is_refused(asked: int | str) -> None:
    with pytest.raises(ConfigError, match="max-events"):
        sample_size(asked, 10)
