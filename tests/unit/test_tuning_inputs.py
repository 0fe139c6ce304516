"""What tuning and its benchmark are given: parts by event type, wrong answers that are wrong, slices, tests at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bench_tuning import drift_slices, main
from benchmarks.day_task import day_tests, eligible_posts
from dynprof.decay import Decay
from dynprof.embedded import open_vectors
from dynprof.evaluation import Window
from dynprof.evaluation.loading import read_bucket
from dynprof.evaluation.log import index_events
from dynprof.evaluation.slices import Traits, cut_slices
from dynprof.lineage import present_corpus
from dynprof.snapshot import DEFAULT_PRIOR_WEIGHT
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.fit_data import sample_candidates
from dynprof.tuning.grid import Grid, coefficients_of
from dynprof.tuning.sealed import seal
from jobs.tune import _weights_alone
from unit.evaluation_data import DAY_US, events_table, in_order, index, random_rows, write_workspace


def test_the_users_other_texts_of_the_day_are_no_wrong_answers() -> None:
    log, _ = index(events_table(random_rows(11, n=500, n_users=5, n_texts=200)))
    days = day_tests(log, eligible_posts(log, Window(DAY_US, 6 * DAY_US)))
    asked = {"seed": 0, "first_candidate": days.first_candidate}
    items, barred = sample_candidates(log, days.tests, **asked, also_left_out=days.own)
    _, barred_before = sample_candidates(log, days.tests, **asked)
    own = np.stack([np.isin(row, mine) for row, mine in zip(items, days.own, strict=True)])
    own[:, 0] = False  # the target is right, and there
    assert (own & ~barred_before).any()
    np.testing.assert_array_equal(barred, barred_before | own)


@given(seed=st.integers(0, 1 << 30))
def test_the_benchmark_cuts_by_drift_as_the_evaluation_does(seed: int) -> None:
    random, n, grid = np.random.default_rng(seed), 30, Grid()
    sums = random.normal(size=(n, grid.bank.size, 3)).astype(np.float32)
    sums[random.random(n) < 0.5] = sums[0]  # equal drift
    n_history = random.integers(0, 4, n)
    sums[n_history == 0] = 0
    of = BankSums(sums, random.normal(size=(n, 3)).astype(np.float32), np.zeros((n, 3), np.float16))
    spans = np.stack([coefficients_of(Decay("exponential", h), grid.bank) for h in ("7d", "365d")])
    short, long = np.swapaxes(of.directions(spans, np.full(2, DEFAULT_PRIOR_WEIGHT)), 0, 1).astype(np.float64)
    drift = 1 - (short * long).sum(1) / (np.linalg.norm(short, axis=1) * np.linalg.norm(long, axis=1))
    traits = Traits(n_history, np.where(n_history > 0, np.maximum(drift, 0), np.nan), np.full(n, "en"), np.zeros(n))
    expected = np.full(n, -1)
    for name, value, rows in cut_slices(traits):
        if name == "drift":
            expected[rows] = ("low", "middle", "high").index(value)
    np.testing.assert_array_equal(drift_slices(of, n_history, grid), expected)


def test_the_benchmark_says_that_no_test_window_has_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = [(f"e{i}", f"u{i % 12}", i * 10**9, f"t{i // 6}") for i in range(240)]
    fresh = [(f"f{i}", f"u{i % 12}", (240 + i) * 10**9, f"new{i}") for i in range(60)]
    workspace = write_workspace(str(tmp_path), events_table([*known, *fresh]), {})
    monkeypatch.setattr("sys.argv", ["bench_tuning", "--workspace", workspace.uri, "--n-fit", "0"])
    with pytest.raises(SystemExit, match="no event of the test windows can be predicted"):
        main()


def test_a_types_part_is_of_that_type_alone_also_beside_types_that_are_not_tried(tmp_path: Path) -> None:
    table = in_order(events_table(random_rows(7, n=600)))
    types = ["rare" if i in (3, 300) else "like" if i % 3 else "post" for i in range(len(table))]
    table = table.set_column(table.schema.get_field_index("event_type"), "event_type", [types])
    workspace = write_workspace(str(tmp_path), table, {}, n_buckets=2)
    tables = [read_bucket(workspace, b) for b in range(2)]
    log, names = index_events(tables)
    sealed = seal(log, names, Window(0, int(log.event_us.max()) + 1))
    weights = {"post": 1.0, "like": 0.5}
    parts = _weights_alone(sealed, open_vectors(workspace, "f0", present_corpus(workspace)), weights)
    assert list(parts) == ["like", "post"]
    of_type = np.concatenate([t["event_type"].to_numpy() for t in tables])
    for name, alone in parts.items():
        part, _ = index_events(tables, alone)
        np.testing.assert_array_equal(part.weights, np.where(of_type == name, weights[name], 0.0))
