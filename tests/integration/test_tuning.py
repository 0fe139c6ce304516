"""Tuning through Ray: the same choice whatever happens in the test windows, and it is tested when it is made."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unit.evaluation_data import DAY_US, events_table, random_rows, write_workspace

from dynprof.bank import Bank
from dynprof.baselines import TUNED_WINDOW, tune
from dynprof.errors import ConfigError
from dynprof.evaluation.loading import read_bucket
from dynprof.evaluation.log import index_events
from dynprof.evaluation.storage import read_report
from dynprof.evaluation.windows import cut_periods
from dynprof.tuning.choice import CHOICE, read_choice
from dynprof.tuning.grid import Grid
from dynprof.tuning.sealed import sample_tests, seal
from dynprof.workspace import Workspace
from jobs.contestants import CONTESTANTS, choose_contestants
from jobs.evaluate import evaluate, main
from jobs.evaluate_options import EvaluateOptions
from jobs.evaluate_tuning import tune_baselines, tune_workspace, with_choice
from jobs.tune import TuningOptions

ROWS = random_rows(1, n=900, n_users=20, n_texts=300)
OPTIONS = EvaluateOptions(half_lives=("1d",), decays="exponential", baselines="none", n_windows=2, n_draws=50)
BANK = Bank((3_600.0, 86_400.0, 30 * 86_400.0))
TUNING = TuningOptions(
    Grid(("exponential",), ("1h", "1d"), (0.7,), ("1d",), (0.1, 1.0), (0.5,), BANK), n_fit=100, l2=(1e-3,)
)


def make(folder: Path, rows) -> Workspace:
    """A corpus of two event types; which an event has follows from its time."""
    table = events_table(rows)
    types = ["like" if us % 3 == 0 else "post" for us in table["timestamp"].cast("int64").to_pylist()]
    table = table.set_column(table.schema.get_field_index("event_type"), "event_type", [types])
    return write_workspace(str(folder), table, {"u1": "bio"}, n_buckets=3, n_shards=4)


def later_thrown_about(workspace: Workspace, rows):
    """The same events, those of the test windows with other texts, users and times, and one more of them.

    That one stands where the windows begin: the time of the first event after the cut is what the cut is called.
    """
    log, _ = index_events(read_bucket(workspace, b) for b in range(3))
    stop_us = cut_periods(log, OPTIONS.test_share, OPTIONS.n_windows).validation.stop_us
    random = np.random.default_rng(5)
    early = [row for row in rows if row[2] < stop_us]
    late = [row for row in rows if row[2] >= stop_us]
    texts, users = [row[3] for row in late], [row[1] for row in late]
    moved = [
        (row[0], users[random.integers(len(users))], stop_us + int(random.integers(9 * DAY_US)), str(text))
        for row, text in zip(late, random.permutation(texts), strict=True)
    ]
    return [*early, *moved, ("new", "a stranger", stop_us, "never seen")]


@pytest.mark.usefixtures("ray_session")
def test_the_test_windows_change_no_byte_of_the_choice(tmp_path: Path) -> None:
    first = make(tmp_path / "first", ROWS)
    other = make(tmp_path / "other", later_thrown_about(first, ROWS))
    found = tune_workspace(first, OPTIONS, TUNING)
    assert found is not None
    tune_workspace(other, OPTIONS, TUNING)
    written = (tmp_path / "first" / CHOICE).read_bytes()
    assert (tmp_path / "other" / CHOICE).read_bytes() == written
    assert read_choice(first) == found
    evidence = json.loads(written)["evidence"]
    assert evidence["n_tests"] > 50
    assert evidence["value"] >= evidence["static"]
    assert evidence["best_tried"][0]["value"] == max(t["value"] for t in evidence["best_tried"])
    assert [c["name"] for c in evidence["learned"]] == ["non-negative, l2 0.001", "free, l2 0.001"]
    assert {len(t["type_weights"]) for t in evidence["best_tried"]} >= {len(found.type_weights)}
    asked, weighings = with_choice(OPTIONS, found)
    document = evaluate(first, asked, weighings=weighings, choice=found.to_json())
    kinds = [(m.get("kind"), m.get("half_life_s")) for m in document["methods"]]
    assert (found.decay.kind, found.decay.half_life_s) in kinds


NAMED = f"random,{TUNED_WINDOW},item kNN,popular 7d"


@pytest.mark.usefixtures("ray_session")
def test_baselines_are_tuned_on_the_validation_window_and_the_test_windows_change_nothing(tmp_path: Path) -> None:
    first = make(tmp_path / "first", ROWS)
    other = make(tmp_path / "other", later_thrown_about(first, ROWS))
    options = replace(OPTIONS, baselines=NAMED, max_events=60)
    found = tune_baselines(first, options)
    assert found == tune_baselines(other, options)
    log, names = index_events((read_bucket(first, b) for b in range(3)), options.type_weights)
    sealed = seal(log, names, cut_periods(log, options.test_share, options.n_windows).validation)
    tests = sample_tests(sealed, sealed.validation, max_events=60, seed=options.seed)
    assert len(tests) == 60
    for name in (TUNED_WINDOW, "item kNN"):
        expected = tune(name, sealed.log, tests, start_us=sealed.validation.start_us)
        assert found.pop(name) == replace(CONTESTANTS[name], settings=expected)
    assert not found
    assert tune_baselines(first, replace(options, baselines="random,popular 7d")) == {}


@pytest.mark.usefixtures("ray_session")
def test_a_report_of_tuned_baselines_says_their_settings(tmp_path: Path) -> None:
    workspace = make(tmp_path, random_rows(3, n=300, n_users=12, n_texts=60))
    flags = ["--workspace", workspace.uri, "--decays", "static", "--similarities", "cosine", "--metrics", "ndcg@10"]
    flags += ["--half-life", "1d", "--draws", "20", "--no-recent", "--no-slices", "--windows", "1", "--report", "tuned"]
    main([*flags, "--baselines", NAMED, "--tune"])
    document, text = read_report(workspace, "tuned") or ({}, "")
    settings = document["parameters"]["contestants"]
    assert set(settings) == {"random", "popular 7d", TUNED_WINDOW, "item kNN"} and settings["random"] == {}
    assert set(settings[TUNED_WINDOW]) == {"window_s"} and set(settings["item kNN"]) > {"neighbours", "shrink"}
    assert f"`{TUNED_WINDOW}` window_s = {settings[TUNED_WINDOW]['window_s']}" in text


def test_what_only_tuning_makes_is_no_contestant_without_it(tmp_path: Path) -> None:
    workspace = make(tmp_path, ROWS[:50])
    assert TUNED_WINDOW not in choose_contestants("all") and "popular 1d" in choose_contestants("all")
    with pytest.raises(ConfigError, match=r"popular \(tuned window\).*--tune"):
        evaluate(workspace, replace(OPTIONS, baselines=NAMED))


def test_leave_one_out_has_nothing_to_tune_on(tmp_path: Path) -> None:
    workspace = make(tmp_path, ROWS[:50])
    with pytest.raises(ConfigError, match="--leave-one-out"):
        tune_workspace(workspace, EvaluateOptions(leave_one_out=True))
