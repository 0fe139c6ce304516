"""Laws of every baseline, bad input, and the choice of settings."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.baselines import BASELINES, FAMILIES, GRIDS, TUNED_WINDOW, tune, tune_trials
from dynprof.errors import ConfigError
from dynprof.evaluation import TestEvents, Window, choose_tests, eligible_events
from dynprof.evaluation.contestant import place
from dynprof.evaluation.metrics import ndcg

from .baseline_data import QUICK, START_US, World, drawn_weights, of_rows, world
from .evaluation_data import DAY_US, Row, random_rows

every_baseline = pytest.mark.parametrize("name", BASELINES)
fitted = pytest.mark.parametrize("name", ["item kNN", "item kNN (live)", "EASE", "iALS"])


@every_baseline
@settings(max_examples=5)
@given(seed=st.integers(0, 1 << 20), pick=st.integers(0, 1_000))
def test_nothing_at_or_after_a_time_changes_a_score_at_that_time(name: str, seed: int, pick: int) -> None:
    rows = random_rows(seed)
    one = of_rows(rows, drawn_weights(rows))
    row = pick % len(one.tests)
    t, user = int(one.tests.event_us[row]), int(one.tests.users[row])
    early = [r for r in rows if r[2] < t]
    ids = sorted({r[1] for r in rows})
    known = {r[3] for r in early}
    asked = next(r for r in rows if r[1:3] == (ids[user], t) and r[3] in known and drawn_weights([r])[0] > 0)
    draw = np.random.default_rng(seed + 1)
    late: list[Row] = [
        (f"x{i}", ids[draw.integers(len(ids))], t + int(draw.integers(0, 3)) * DAY_US, f"t{draw.integers(60)}")
        for i in range(40)
    ]
    late += [(f"y{i}", user_id, t + DAY_US, "t1") for i, user_id in enumerate(ids)]  # users keep their numbers
    changed = [*early, asked, *late]
    other = of_rows(changed, drawn_weights(changed))
    beside = np.flatnonzero((other.tests.event_us == t) & (other.tests.users == user))
    assert one.tests.catalogue[row] == other.tests.catalogue[beside[0]]
    assert one.scores(name)[row].tolist() == other.scores(name)[beside[0]].tolist()


@every_baseline
def test_a_score_does_not_depend_on_the_other_tests(name: str) -> None:
    whole = world(3)
    scores = whole.scores(name)
    assert len(scores) == len(whole.tests) > 20
    for row in range(0, len(scores), 7):
        alone = World(whole.log, whole.tests.take(slice(row, row + 1)), whole.vectors).scores(name)
        assert alone[0].tolist() == scores[row].tolist()
        assert len(scores[row]) == whole.tests.catalogue[row]


@every_baseline
def test_fitting_twice_and_pickling_change_nothing(name: str) -> None:
    one = world(4)
    made = pickle.loads(pickle.dumps(BASELINES[name](one.fit, QUICK.get(name, {}))))  # noqa: S301
    again = [row.tolist() for row in map(np.array, made.watch(one.log, one.vectors).scores(one.tests))]
    assert again == [row.tolist() for row in one.scores(name)]


@every_baseline
def test_what_was_fitted_scores_from_memory_that_cannot_be_written(name: str) -> None:
    one = world(4)
    buffers: list[pickle.PickleBuffer] = []
    pickled = pickle.dumps(BASELINES[name](one.fit, QUICK.get(name, {})), protocol=5, buffer_callback=buffers.append)
    mapped = pickle.loads(pickled, buffers=[bytes(b) for b in buffers])  # noqa: S301
    again = [row.tolist() for row in map(np.array, mapped.watch(one.log, one.vectors).scores(one.tests))]
    assert again == [row.tolist() for row in one.scores(name)]


@fitted
def test_a_fit_finds_the_user_s_own_kind(name: str) -> None:
    # Two groups of users with two groups of items, each user lacking some of the group's.
    rows: list[Row] = []
    for user in range(12):
        for item in range(10):
            if (user // 2 + item) % 5:
                rows.append((f"e{len(rows)}", f"u{user:02}", 1_000 * item, f"{'ab'[user % 2]}{item}"))
    rows += [(f"e{1_000 + u}", f"u{u:02}", START_US, f"{'ab'[u % 2]}{(-(u // 2)) % 5}") for u in range(12)]
    one = of_rows(rows, include_seen=False)
    assert len(one.tests) == 12
    made = BASELINES[name](one.fit, {"iALS": {"factors": 2}}.get(name, {"l2": 1.0} if name == "EASE" else {}))
    placed = place(made.watch(one.log), one.log, one.tests)
    # Of a group's ten items a user lacks two: the target is one of them, so at most one stands above.
    assert (placed.ranks.above[:, 0] + placed.ranks.tied[:, 0]).max() <= 1


@every_baseline
@pytest.mark.parametrize(
    "rows",
    [
        [("e0", "u0", START_US, "a"), ("e1", "u1", START_US + 1, "a")],  # nothing to fit on, users without history
        [("e0", "u0", 0, "a"), ("e1", "u0", 1, "b"), ("e2", "u0", START_US, "a")],  # one user
        [("e0", "u0", 0, "a"), ("e1", "u1", START_US, "b"), ("e2", "u0", START_US + 1, "b")],  # unknown to the fit
        [("e0", "u0", 0, "a"), ("e1", "u1", START_US, "a")],  # a user unknown to the fit
    ],
)
def test_little_data_is_scored_all_the_same(name: str, rows: list[Row]) -> None:
    one = of_rows(rows)
    assert len(one.tests)
    for row, scores in enumerate(one.scores(name)):
        assert len(scores) == one.tests.catalogue[row]
        assert np.isfinite(scores).all()
        if FAMILIES[name] == "behaviour" and name != "item kNN (live)":
            assert not scores[one.fit.n_items :].any()
        if FAMILIES[name] != "counts" and not one.liked(row):
            assert not scores.any()


@every_baseline
def test_a_log_of_dislikes_teaches_nothing_and_no_test_gives_no_score(name: str) -> None:
    rows = [("e0", "u0", 0, "a"), ("e1", "u1", 1, "b"), ("e2", "u0", START_US, "b")]
    one = of_rows(rows, [-1.0, -1.0, 1.0])
    if FAMILIES[name] != "counts":
        assert not one.scores(name)[0].any()
    assert World(one.log, one.tests.take(slice(0, 0)), one.vectors).scores(name) == []


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("popular (tuned window)", {"window_s": 0.0}),
        ("popular (tuned window)", {"window_s": None}),
        ("popular 1d", {"window_s": 5.0}),
        ("item kNN", {"neighbours": 0.5}),
        ("item kNN", {"shrink": -1.0}),
        ("item kNN", {"half_life_s": 0.0}),
        ("item kNN (live)", {"last": 0}),
        ("item kNN (live)", {"shrink": None}),
        ("EASE", {"l2": 0.0}),
        ("EASE", {"largest": 0}),
        ("EASE", {"lambda": 1.0}),
        ("iALS", {"factors": 0}),
        ("iALS", {"alpha": None}),
        ("max similarity", {"last": 0}),
    ],
)
def test_settings_that_mean_nothing_are_refused(name: str, bad: dict[str, float | None]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        BASELINES[name](world().fit, bad)


def test_scores_without_a_log_and_vectors_that_are_missing_are_refused() -> None:
    one = world()
    with pytest.raises(ConfigError, match="watch"):
        next(BASELINES["EASE"](one.fit, {}).scores(one.tests))
    with pytest.raises(ConfigError, match="vectors"):
        BASELINES["max similarity"](one.fit, {}).watch(one.log)


def test_ials_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "implicit.cpu.als", None)
    with pytest.raises(ConfigError, match=r"dynprof\[baselines\]"):
        BASELINES["iALS"](world().fit, {})


def validation(one: World) -> tuple[int, TestEvents]:
    """Tests of the last day of the log, which ends there."""
    stop = int(one.log.event_us.max()) + 1
    log = one.log.before(stop)
    return stop, choose_tests(log, eligible_events(log, Window(stop - DAY_US, stop)))


@pytest.mark.parametrize("name", [TUNED_WINDOW, "EASE"])
def test_tuning_takes_the_best_of_what_it_tried(name: str) -> None:
    one = world(5, n=400, n_users=20, n_texts=60, include_seen=False)
    stop, tests = validation(one)
    trials = list(tune_trials(name, one.log.before(stop), tests))
    best = max(trial.value for trial in trials)
    chosen = tune(name, one.log.before(stop), tests)
    assert chosen == next(trial.settings for trial in trials if trial.value == best)
    assert len({trial.value for trial in trials}) > 1
    fit = one.log.before(int(tests.event_us.min()))
    ranks = place(BASELINES[name](fit, chosen).watch(one.log), one.log, tests).ranks
    assert ndcg(ranks.above, ranks.tied, 10).mean() == best


@every_baseline
def test_tuning_where_nothing_exists_gives_the_defaults(name: str) -> None:
    one = world()
    defaults = {key: values[0] for key, values in GRIDS.get(name, {}).items()}
    assert tune(name, one.log, one.tests.take(slice(0, 0))) == defaults
    BASELINES[name](one.fit, defaults)


def test_a_window_in_which_nothing_happened_is_no_choice() -> None:
    year = 365 * DAY_US
    one = of_rows([("e0", "u0", 0, "a"), ("e1", "u1", 1, "b"), ("e2", "u1", year, "a"), ("e3", "u0", year, "b")])
    assert tune(TUNED_WINDOW, one.log, one.tests) == {"window_s": 86_400.0}


def test_tuning_refuses_tests_that_the_log_does_not_hold() -> None:
    one = world()
    with pytest.raises(ConfigError, match="validation window"):
        tune(TUNED_WINDOW, one.log.before(int(one.tests.event_us[-1])), one.tests)
    with pytest.raises(ConfigError, match="expected one of"):
        tune("newest", one.log, one.tests)
