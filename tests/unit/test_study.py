"""The study's own measurements on a small world whose answer is known, and its verdicts."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.study.category import predict
from benchmarks.study.corpora import Posts, ask_at
from benchmarks.study.measures import summarise, table_of
from benchmarks.study.page import write_study
from benchmarks.study.profiles import Asked, asked_of, grid, unit_profiles
from benchmarks.study.tomorrow import DAY_US, choose, rank, spans
from benchmarks.study.verdicts import CANNOT_TELL, FAILS, HOLDS, judge
from dynprof.evaluation import EventLog, EventNames
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.reporting.results import Results
from dynprof.vector_chunk import VectorChunk
from tests.unit.report_data import bounded, row
from tests.unit.report_data import table_of as results_of

N_USERS, N_DAYS, DIM = 6, 30, 8


@pytest.fixture
def posts() -> Posts:
    """Six users, one new text a day each; half way everybody turns to the next one's topic."""
    users = np.repeat(np.arange(N_USERS), N_DAYS).astype(np.int32)
    day = np.tile(np.arange(N_DAYS, dtype=np.int64), N_USERS)
    event_us = day * DAY_US + 3_600_000_000 * (1 + users.astype(np.int64))
    topics = (users + (day >= N_DAYS // 2)) % N_USERS
    order = np.argsort(event_us, kind="stable")
    items = np.empty(len(users), np.int32)
    items[order] = np.arange(len(users))
    vectors = np.zeros((len(users), DIM), np.float32)
    vectors[items, topics] = 1
    vectors[items, DIM - 1] = 0.3
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    log = EventLog(users, event_us, items, np.ones(len(users)), np.ones(len(users), np.bool_), np.sort(event_us))
    names = EventNames(
        pa.array([f"u{i}" for i in range(N_USERS)]), pa.nulls(len(users), pa.binary(16)), np.array([0, len(users)])
    )
    chunk = VectorChunk(pa.nulls(len(users), pa.binary(16)), [vectors.astype(np.float16)])
    return Posts(log, names, ItemVectors(chunk, np.arange(len(users))), np.full(len(users), "en", object))


def test_a_short_memory_finds_tomorrows_post_of_a_user_who_turned_and_a_long_one_does_not(posts: Posts) -> None:
    tests = choose(posts, "test 1", (18 * DAY_US, 19 * DAY_US), 100)
    assert len(tests.users) == N_USERS
    decays = grid(("1d",))
    above, _, n_candidates = rank(posts, tests, decays)
    names = [a.name for a in asked_of(decays)]
    assert (n_candidates == N_USERS).all()
    assert (above[:, names.index("exponential 1d")] == 0).all()
    assert (above[:, names.index("last item")] == 0).all()
    assert (above[:, names.index("static")] > 0).all()


def test_nothing_at_or_after_midnight_changes_a_profile(posts: Posts) -> None:
    midnight = np.full(N_USERS, 10 * DAY_US)
    asked = ask_at(posts, np.arange(N_USERS), midnight)
    assert (asked.n_history == 10).all()
    other = posts.log.items.copy()
    late = posts.log.event_us >= 10 * DAY_US
    other[late] = other[late][::-1]
    changed = replace(posts, log=replace(posts.log, items=other))
    before, after = (unit_profiles(p, ask_at(p, np.arange(N_USERS), midnight), grid(("7d",))) for p in (posts, changed))
    np.testing.assert_array_equal(before, after)


def test_windows_follow_each_other_and_begin_at_midnight(posts: Posts) -> None:
    found = list(spans(posts).values())
    assert all(a[1] == b[0] for a, b in pairwise(found))
    assert all(start % DAY_US == 0 for start, _ in found)


def test_a_category_that_is_the_topic_is_predicted_and_beats_the_majority() -> None:
    generator = np.random.default_rng(0)
    categories = np.array(["a", "b", "b"] * 20, object)
    profiles = generator.normal(scale=0.1, size=(60, 2, 4)).astype(np.float32)
    profiles[:, 0, 0] += np.where(categories == "a", 1, -1)
    right, majority = predict(profiles, categories)
    assert right[:, 0].mean() == 1
    assert right[:, 1].mean() < 0.9
    assert majority.mean() == pytest.approx(2 / 3)


def test_a_difference_that_every_user_has_is_above_zero_and_one_that_none_has_is_not() -> None:
    users = np.repeat(np.arange(20), 5)
    values = np.column_stack([np.full(100, 0.2), np.full(100, 0.3), np.tile([0.1, 0.3], 50)])
    methods = [
        Asked("static", "static"),
        Asked("gaussian 1d", "gaussian", 86_400.0),
        Asked("gaussian 7d", "gaussian", 604_800.0),
    ]
    rows = summarise(values, users, methods, metric="ndcg@10", window="test", families={})
    results = Results(table_of(rows))
    assert judge(results, "gaussian 1d")[0] == HOLDS
    assert judge(results, "gaussian 7d")[0] == CANNOT_TELL
    assert judge(results, "absent")[0] == CANNOT_TELL


def test_a_loss_does_not_hold() -> None:
    rows = [bounded(0.1, 0.2, method="gaussian 1d", kind="gaussian", half_life_s=86_400.0)]
    assert judge(Results(results_of(rows)), "gaussian 1d")[0] == FAILS


def test_the_page_has_a_verdict_for_what_was_measured_and_names_what_was_not(tmp_path: Path) -> None:
    page = tmp_path / "study.md"
    told = {"similarity": "cosine", "encoder": "minilm"}
    rows = [row(method="static", kind="static", value=0.1, low=0.09, high=0.11, **told)]
    rows += [
        bounded(value, 0.1, method=f"gaussian {name}", kind="gaussian", half_life_s=half_life_s, **told)
        for name, half_life_s, value in (("1d", 86_400.0, 0.2), ("7d", 604_800.0, 0.15))
    ]
    missing = write_study({"next-repost": results_of(rows)}, page, ["How."])
    text = page.read_text()
    assert "tomorrow" in missing
    assert "Not measured yet" in text
    assert "| dynamic beats static" in text
    assert "+0.1000 [+0.0900, +0.1100]" in text
    assert (tmp_path / "study" / "next-repost-half-life.png").exists()
