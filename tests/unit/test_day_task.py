"""The question of a day: what is known is from before midnight, and the user's other texts of the day do not count."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.day_task import DAY_US, day_tests, eligible_posts
from dynprof.evaluation import Window
from dynprof.tuning.duel import Asked
from tests.unit.evaluation_data import Row, events_table, index

HOUR_US = DAY_US // 24


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_a_day_is_asked_as_its_definition_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows: list[Row] = [
        (f"e{i}", f"u{random.integers(4)}", int(random.integers(10 * 24)) * HOUR_US, f"t{random.integers(60)}")
        for i in range(150)
    ]
    log, _ = index(events_table(rows))
    found = eligible_posts(log, Window(4 * DAY_US, 10 * DAY_US))
    days = day_tests(log, found)
    tests = days.tests
    asked = Asked.of(log, tests, np.array([np.inf]), first_candidate=days.first_candidate, also_left_out=days.own)
    items = np.arange(log.n_items)
    for n in range(len(tests)):
        user, midnight = tests.users[n], log.first_us[tests.targets[n]] // DAY_US * DAY_US
        his = log.users == user
        assert tests.event_us[n] == midnight
        history = np.flatnonzero(his & (log.event_us < midnight))
        assert np.arange(tests.history_start[n], tests.history_stop[n]).tolist() == history.tolist()
        may = set(items[(log.first_us >= midnight) & (log.first_us < midnight + DAY_US)].tolist())
        may -= set(log.items[his & (log.event_us < midnight + DAY_US)].tolist())
        barred = set(asked.barred(n, items).tolist())
        assert set(items.tolist()) - barred == may
