"""Slices cut by what was known of user and target; rows of the table follow them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dynprof.evaluation import Facts, Method, Outcome, Placed, Ranks, Report, report_document, tabulate
from dynprof.evaluation.slices import SLICES, Traits, cut_slices

HOUR, DAY = 3_600.0, 86_400.0


def traits(n: int, seed: int = 0) -> Traits:
    generator = np.random.default_rng(seed)
    drift = np.where(generator.random(n) < 0.2, np.nan, generator.random(n).round(1))
    language = generator.choice([f"l{i}" for i in range(12)], n)
    return Traits(generator.integers(0, 300, n), drift, language, generator.exponential(10 * DAY, n))


@given(st.integers(0, 10**6), st.integers(1, 200))
def test_a_test_event_is_in_one_group_of_each_slice_and_in_none_of_drift_without_history(seed: int, n: int) -> None:
    mine = traits(n, seed)
    found: dict[str, np.ndarray] = {name: np.zeros(n, int) for name in SLICES}
    for name, _, rows in cut_slices(mine):
        assert len(rows)
        found[name][rows] += 1
    for name in ("activity", "language", "item age"):
        assert (found[name] == 1).all()
    assert (found["drift"] == ~np.isnan(mine.drift)).all()


def test_groups_have_the_bounds_that_their_names_say() -> None:
    n_history = np.array([0, 1, 9, 10, 99, 100])
    age_s = np.array([HOUR - 1, HOUR, DAY, 7 * DAY, 30 * DAY, 0])
    mine = Traits(n_history, np.array([0.1, 0.2, 0.3, 0.4, 0.5, np.nan]), np.array(["en"] * 6), age_s)
    found = {(name, value): rows.tolist() for name, value, rows in cut_slices(mine)}
    activity = {v: rows for (name, v), rows in found.items() if name == "activity"}
    assert activity == {"0": [0], "1-9": [1, 2], "10-99": [3, 4], "100+": [5]}
    age = {v: rows for (name, v), rows in found.items() if name == "item age"}
    assert age == {
        "under an hour": [0, 5],
        "under a day": [1],
        "under a week": [2],
        "under 30 days": [3],
        "older": [4],
    }
    assert found["drift", "low"] == [0, 1] and found["drift", "high"] == [3, 4]
    assert found["language", "en"] == list(range(6))


def test_equal_drift_is_all_in_the_lowest_third() -> None:
    mine = Traits(np.ones(5, int), np.full(5, 0.3), np.array(["en"] * 5), np.zeros(5))
    assert [v for name, v, _ in cut_slices(mine) if name == "drift"] == ["low"]


def outcome(name: str, n: int, seed: int = 0, n_users: int = 30) -> Outcome:
    generator = np.random.default_rng(seed)
    above = generator.integers(0, 60, (n, 4))
    methods = [
        Method("static", "profiles", "static", None, "cosine", "plain"),
        Method("exponential 1d", "profiles", "exponential", 86_400.0, "cosine", "plain"),
        Method("newest", "counts"),
        Method("ranker", "ranker"),
    ]
    lists = generator.integers(0, 100, (n, 4, 10)).astype(np.int32)
    facts = Facts(0, 1, 10 * n, 100, n, n, n, n_users, 0, 50.0)
    by_list = {"diversity@10": np.where(generator.random((n, 4)) < 0.1, np.nan, generator.random((n, 4)))}
    users = generator.integers(0, n_users, n)
    placed = Placed(Ranks(above, np.zeros_like(above)), lists)
    return Outcome(name, facts, methods, users, placed, {10: np.zeros(n)}, by_list, 100, traits(n, seed))


METRICS = ("ndcg@10", "mrr", "serendipity@10", "diversity@10", "coverage@10", "gini@10")


def test_every_window_has_every_method_and_metric_and_the_whole_has_slices() -> None:
    parts = [outcome("test 1", 80), outcome("test 2", 90, seed=1)]
    whole = Outcome.joined("test", parts)
    table = tabulate([outcome("validation", 70, seed=2), *parts], whole, METRICS, n_draws=50)
    rows = table.to_pylist()
    plain = [r for r in rows if r["slice"] == "all"]
    assert {r["window"] for r in plain} == {"validation", "test 1", "test 2", "test"}
    assert len(plain) == 4 * 4 * len(METRICS)
    keys = [(r["window"], r["slice"], r["slice_value"], r["method"], r["metric"]) for r in rows]
    assert len(set(keys)) == len(keys)
    assert {r["slice"] for r in rows if r["window"] == "test"} == {"all", *SLICES}
    assert {r["slice"] for r in rows if r["window"] != "test"} == {"all"}
    for name in ("activity", "language", "item age"):
        mine = [r for r in rows if (r["slice"], r["method"], r["metric"]) == (name, "newest", "ndcg@10")]
        assert sum(r["n_tests"] for r in mine) == 170
        mean = sum(r["value"] * r["n_tests"] for r in mine) / 170
        (all_of_them,) = [r for r in plain if (r["window"], r["method"], r["metric"]) == ("test", "newest", "ndcg@10")]
        assert abs(mean - all_of_them["value"]) < 1e-12


def test_without_plain_cosine_profiles_meet_static_under_the_first_similarity() -> None:
    mine = outcome("test", 100)
    aged = [replace(m, name=f"{m.name} cosine_time 2d", similarity="cosine_time") for m in mine.methods[:2]]
    basic = [replace(m, name=f"{m.name} basic", similarity="basic") for m in mine.methods[:2]]
    found = tabulate([replace(mine, methods=[*aged, *basic])], None, METRICS, n_draws=50)
    rows = [r for r in found.to_pylist() if r["metric"] == "ndcg@10"]
    references = {r["method"]: r["reference"] for r in rows}
    static, *others = [m.name for m in (*aged, *basic)]
    assert references == {static: None, **dict.fromkeys(others, static)}
    assert [r["method"] for r in rows if r["difference"] is None] == [static]
    assert report_document(Report({}, METRICS, {"test": mine.facts}, found))["reference"] == static


def test_profiles_meet_static_and_the_ranker_meets_the_best_baseline() -> None:
    mine = outcome("test", 100)
    mine.placed.ranks.above[:, 2] = 0  # newest is always right
    rows = tabulate([mine], mine, ("ndcg@10",), n_draws=50).to_pylist()
    references = {r["method"]: r["reference"] for r in rows if r["slice"] == "all"}
    assert references == {"static": None, "exponential 1d": "static", "newest": "static", "ranker": "newest"}
    assert {r["window"] for r in rows} == {"test"}


def test_events_without_a_value_are_not_counted() -> None:
    mine = outcome("test", 100)
    rows = tabulate([mine], mine, ("diversity@10", "coverage@10"), n_draws=50).to_pylist()
    for row in (r for r in rows if r["slice"] == "all"):
        known = ~np.isnan(mine.by_list["diversity@10"][:, [m.name for m in mine.methods].index(row["method"])])
        assert row["n_tests"] == (known.sum() if row["metric"] == "diversity@10" else 100)
        assert row["metric"] == "diversity@10" or (row["low"] is None and row["p"] is None)


def test_too_few_users_leave_the_bounds_empty() -> None:
    mine = outcome("test", 100, n_users=9)
    rows = tabulate([mine], None, ("ndcg@10",), n_draws=50).to_pylist()
    assert all(r["low"] is None and r["p_holm"] is None and r["value"] is not None for r in rows)


def test_windows_without_tests_have_no_rows() -> None:
    assert tabulate([], None, METRICS).num_rows == 0
