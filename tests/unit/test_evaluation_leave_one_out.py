"""Each user's last event is left out, and everything else is the past."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dynprof.evaluation import choose_tests, eligible_events
from dynprof.evaluation.leave_one_out import leave_one_out

from .evaluation_data import events_table, index, random_rows


@given(st.integers(0, 10**6), st.booleans())
def test_a_test_knows_everything_but_the_last_events(seed: int, include_seen: bool) -> None:
    log, names = index(events_table(random_rows(seed, n=60)))
    moved, renamed, window = leave_one_out(log, names)
    last = np.flatnonzero(np.diff(log.users, append=-1))
    assert (moved.event_us[last] == window.start_us).all() and (moved.event_us < window.stop_us).all()
    assert (np.diff(moved.first_us) >= 0).all()
    texts = names.text_hashes.take(log.items)
    assert renamed.text_hashes.take(moved.items) == texts
    tests = choose_tests(moved, eligible_events(moved, window, include_seen=include_seen), include_seen=include_seen)
    assert set(tests.positions.tolist()) <= set(last.tolist())
    others = {t for i, t in enumerate(texts.to_pylist()) if i not in set(last.tolist())}
    assert (tests.catalogue == len(others)).all()
    for row, position in enumerate(tests.positions.tolist()):
        assert texts[position].as_py() in others
        assert tests.history_stop[row] == position
        assert log.users[tests.history_start[row]] == log.users[position]
    expected = [
        p for p in last.tolist() if texts[p].as_py() in others and log.weights[p] > 0 and (include_seen or log.novel[p])
    ]
    assert sorted(tests.positions.tolist()) == expected


def test_a_user_of_one_event_is_tested_without_a_history() -> None:
    rows = [("a", "u", 1, "p"), ("b", "v", 2, "q"), ("c", "v", 3, "p"), ("d", "v", 4, "r")]
    log, names = index(events_table(rows))
    moved, _, window = leave_one_out(log, names)
    tests = choose_tests(moved, eligible_events(moved, window))
    assert tests.n_history.tolist() == [0]  # u met p; what v had last, r, appears nowhere else


def test_an_empty_log_stays_empty() -> None:
    log, names = index(events_table([]))
    assert leave_one_out(log, names)[0] is log
