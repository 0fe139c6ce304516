"""The job gives the numbers of the library, once, and says so the second time."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from ray import cloudpickle
from unit.evaluation_data import events_table, in_order, place_workspace, random_rows, write_workspace

from dynprof.decay import Decay
from dynprof.errors import ConfigError, FingerprintError, WorkspaceError
from dynprof.evaluation import COUNTS, EventLog, Placed, TestEvents, place, ranking
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.loading import Question, load_material, plan_window
from dynprof.evaluation.metrics import parse_metric
from dynprof.evaluation.storage import read_results
from dynprof.evaluation.weighing import RecentEvents
from dynprof.workspace import Workspace
from jobs.command import deliberate
from jobs.contestants import Entrant
from jobs.evaluate import EvaluateOptions, evaluate, main

# Workers cannot import a test: its contestant travels whole.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

ROWS = random_rows(1, n=900, n_users=20, n_texts=400)
OPTIONS = EvaluateOptions(half_lives=("1d", "3d"), decays="exponential,gaussian", n_draws=200)
EVERYTHING = replace(
    OPTIONS,
    half_lives=("1d",),
    decays="exponential",
    recent=True,
    n_windows=3,
    validation=True,
    slices=True,
    similarities=("cosine", "basic", "cosine_time"),
    metrics=("ndcg@10", "mrr", "diversity@10", "coverage@10", "serendipity@10", "calibration@10", "popularity@10"),
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return write_workspace(str(tmp_path), events_table(ROWS), {"u1": "bio"}, n_buckets=3, n_shards=4)


class Nearest:
    """A contestant with all that one may have: fitted, shown the log and vectors, a setting."""

    name = "nearest to the last"
    needs_vectors = True

    def __init__(self, fit: EventLog, settings: Mapping[str, Any]) -> None:
        self.known_until_us = int(fit.event_us.max())
        if settings.get("broken"):
            raise ConfigError("nearest: expected no setting 'broken', found one.")

    def watch(self, log: EventLog, vectors: ItemVectors | None = None) -> Nearest:
        assert vectors is not None
        self.log, self.vectors = log, vectors.take(np.arange(log.n_items)).astype(np.float64)
        return self

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        for row, catalogue in enumerate(tests.catalogue):
            assert tests.event_us[row] > self.known_until_us
            history = self.log.items[tests.history_start[row] : tests.history_stop[row]]
            last = self.vectors[history[-1]] if len(history) else np.zeros(self.vectors.shape[1])
            yield np.round(self.vectors[:catalogue] @ last, 12)


@pytest.mark.usefixtures("ray_session")
def test_the_job_gives_the_numbers_of_the_library(workspace: Workspace, monkeypatch) -> None:
    monkeypatch.setattr(ranking, "_NUMBERS_A_ROUND", 3000)  # several rounds a window
    found = evaluate(workspace, replace(EVERYTHING, slices=False, report="all"))
    question = _question(found)
    material = load_material(workspace, question)
    outcomes = []
    for number, window in enumerate(material.periods.tests.open(None)):
        plan = plan_window(material, question, window, f"test {number + 1}")
        profiles = place_workspace(workspace, question, plan, 10)
        counts = [place(kind(plan.log, {}).watch(plan.log), plan.log, plan.tests) for kind in COUNTS.values()]
        assert len(plan.tests) == found["windows"][plan.name]["n_tested"] > 30
        outcomes.append((plan, profiles, counts))
    table = read_results(workspace, "all").to_pylist()
    cells = {(r["window"], r["method"], r["metric"]): r for r in table}
    for plan, profiles, counts in outcomes:
        names = ["static", "exponential 1d", "last item", "mean of last 5", "mean of last 20", "moving average"]
        for row, name in enumerate(names):
            for clock, suffix in enumerate(("", " cosine_time 2d")):
                mine = profiles.columns([row * 2 + clock])
                _assert_row(cells, plan.name, name + suffix, mine)
            assert cells[plan.name, f"{name} basic", "mrr"]["value"] == cells[plan.name, name, "mrr"]["value"]
        for name, placed in zip(COUNTS, counts, strict=True):
            _assert_row(cells, plan.name, name, placed)
    assert {r["window"] for r in table} == {"validation", "test 1", "test 2", "test 3", "test"}
    assert cells["test", "static", "ndcg@10"]["n_tests"] == found["facts"]["n_tested"]


def _assert_row(cells: dict[tuple[str, str, str], dict[str, Any]], window: str, name: str, placed: Placed) -> None:
    for metric in ("ndcg@10", "mrr"):
        expected = parse_metric(metric).of(placed.ranks.above, placed.ranks.tied).mean()
        assert cells[window, name, metric]["value"] == pytest.approx(expected, abs=1e-12), (window, name)
    if "coverage@10" in {m for w, n, m in cells if (w, n) == (window, name)}:
        listed = np.unique(placed.lists[:, 0, :10])
        share = cells[window, name, "coverage@10"]["value"]
        assert share * 400 >= len(listed[listed >= 0])  # of a catalogue of at most 400 texts


def _question(found: dict[str, Any]) -> Question:
    fields = Question.__dataclass_fields__
    stored = {k: tuple(v) if isinstance(v, list) else v for k, v in found["parameters"].items() if k in fields}
    weighings = tuple(Decay(**d) if "power" in d else RecentEvents(**d) for d in stored["decays"])
    return Question(**{**stored, "decays": weighings})


@pytest.mark.usefixtures("ray_session")
def test_any_cut_of_the_corpus_gives_the_same_table(workspace: Workspace, tmp_path: Path) -> None:
    other = write_workspace(str(tmp_path / "b"), events_table(ROWS), {"u1": "bio"}, n_buckets=1, n_shards=1)
    options = replace(EVERYTHING, n_windows=1, validation=False, baselines="random,popular,popular 1d,max similarity")
    for place_of in (workspace, other):
        evaluate(place_of, replace(options, report="cut"))
    assert read_results(workspace, "cut").equals(read_results(other, "cut"))


@pytest.mark.usefixtures("ray_session")
def test_other_contestants_stand_in_the_same_table_and_one_that_cannot_be_had_says_why(workspace: Workspace) -> None:
    entrants = {
        "nearest to the last": Entrant(Nearest, "vectors of a history"),
        "broken": Entrant(Nearest, "behaviour", {"broken": 1}),
    }
    options = replace(OPTIONS, decays="static", recent=True, prior_weight=0.0)
    found = evaluate(workspace, options, entrants=entrants)
    by_name = {m["name"]: m for m in found["methods"]}
    assert by_name["nearest to the last"]["family"] == "vectors of a history"
    assert "broken" not in by_name
    assert any("`broken` has no numbers in window test" in n and "setting 'broken'" in n for n in found["notes"])
    ours, theirs = (by_name[n]["metrics"]["mrr"]["value"] for n in ("last item", "nearest to the last"))
    assert ours == pytest.approx(theirs, abs=1e-9)  # two ways to the same profile


@pytest.mark.usefixtures("ray_session")
def test_a_second_run_does_nothing_and_another_question_gets_another_report(workspace: Workspace) -> None:
    first = evaluate(workspace, OPTIONS)
    second = evaluate(workspace, OPTIONS)
    assert (first["done_before"], second["done_before"]) == (False, True)
    assert {**json.loads(json.dumps(first)), "done_before": True} == second
    other = evaluate(workspace, EvaluateOptions(half_lives=("1d",), decays="static", seed=1, max_events=50))
    assert other["report"] != first["report"]
    assert other["facts"]["n_tested"] == 50
    assert [m["name"] for m in first["methods"]][-3:] == ["random", "popular", "newest"]


@pytest.mark.usefixtures("ray_session")
def test_the_command_line_writes_its_files_and_tables(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--half-lives", "1d", "--encoder", "plain", "--include-seen", "--leave-one-out", "--report", "mine"]
    summary = main(["--workspace", workspace.uri, *flags, "--draws", "100", "--decays", "static"])
    assert summary["report"] == "mine"
    files = set(workspace.files("reports", "mine"))
    assert files >= {"report.json", "report.md", "results.csv", "results.parquet", "methods-plot.png"}
    assert summary["page"] == "reports/mine.html" and workspace.exists("reports", "mine.html")
    text = Path(workspace.path("reports", "mine", "report.md")).read_text()
    assert text in capsys.readouterr().err and "LEAKY" in text
    stored = json.loads(Path(workspace.path("reports", "mine", "report.json")).read_text())
    rows = list(csv.DictReader(Path(workspace.path("reports", "mine", "results.csv")).read_text().splitlines()))
    assert len(rows) == read_results(workspace, "mine").num_rows
    assert {r["window"] for r in rows} == {"test"} and stored["leaky"]
    assert {r["method"] for r in rows} == set(summary["methods"]) >= {"static", "last item basic", "newest"}
    assert summary["job"] == "evaluate" and summary["tested"] == stored["facts"]["n_tested"] <= 20
    json.dumps(summary, allow_nan=False)


def test_a_corpus_without_anything_to_test_gives_a_report_without_numbers(tmp_path: Path) -> None:
    table = events_table([("a", "u", 1, "p"), ("b", "v", 1, "p")])
    found = evaluate(write_workspace(str(tmp_path), table, {}), EVERYTHING)
    assert found["methods"] == []
    text = Path(tmp_path, "reports", found["report"], "report.md").read_text()
    assert text.startswith("no eligible test events\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("map@10",)}, "map@10"),
        ({"decays": "quadratic"}, "quadratic"),
        ({"half_lives": ("30",)}, "half_life"),
        ({"item_half_lives": ("2",)}, "item-half-life"),
        ({"item_half_lives": ("0s",)}, "item-half-life"),
        ({"similarities": ("euclid",)}, "euclid"),
        ({"baselines": "oracle"}, "oracle"),
        ({"n_windows": 0}, "--windows"),
        ({"n_draws": 0}, "--draws"),
        ({"report": "../up"}, "--report"),
        ({"prior_weight": -1}, "prior-weight"),
        ({"prior_weight": float("nan")}, "prior-weight"),
        ({"test_share": 1.5}, "test-share"),
        ({"max_events": -1}, "max-events"),
        ({"max_events": "many"}, "max-events"),
    ],
)
def test_a_flag_that_means_nothing_is_refused_by_name(
    workspace: Workspace, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        evaluate(workspace, EvaluateOptions(**options))
    assert workspace.folders("reports") == []


def test_embeddings_that_are_not_there_are_an_error_that_names_those_that_are(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match=r"'mpnet', found plain \(f0\)"):
        evaluate(workspace, EvaluateOptions(encoder="mpnet"))


@pytest.mark.usefixtures("ray_session")
def test_a_text_without_a_vector_names_the_job_to_run(workspace: Workspace) -> None:
    more = [workspace.read_parquet("corpus", "events", "bucket-00000.parquet")]
    more.append(events_table([("z", more[0]["user_id"][0].as_py(), 0, "a text never encoded")]))
    workspace.write_parquet(in_order(pa.concat_tables(more)), "corpus", "events", "bucket-00000.parquet")
    with pytest.raises(Exception) as caught:
        evaluate(workspace, OPTIONS)
    error = deliberate(caught.value, WorkspaceError)
    assert error is not None and "jobs.encode" in str(error)


def test_embeddings_of_another_corpus_are_refused(workspace: Workspace) -> None:
    workspace.write_manifest({**workspace.read_manifest("corpus"), "corpus_id": "c1"}, "corpus")
    with pytest.raises(FingerprintError, match=r"corpus c1, found those of c0.*jobs\.encode"):
        evaluate(workspace, EvaluateOptions(encoder="plain"))
