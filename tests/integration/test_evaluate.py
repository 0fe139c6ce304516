"""The job gives the numbers of the library, once, and says so the second time."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from unit.evaluation_data import events_table, in_order, random_rows, rank_workspace, write_workspace

from dynprof.decay import Decay
from dynprof.errors import ConfigError, FingerprintError, WorkspaceError
from dynprof.evaluation import compare_methods, contest_methods, ranking
from dynprof.evaluation.loading import Question, load_plan
from dynprof.evaluation.metrics import DEFAULT_METRICS
from dynprof.workspace import Workspace
from jobs.command import deliberate
from jobs.evaluate import EvaluateOptions, evaluate, main

ROWS = random_rows(1, n=900, n_users=20, n_texts=400)
OPTIONS = EvaluateOptions(half_lives=("1d", "3d"), decays="exponential,gaussian")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return write_workspace(str(tmp_path), events_table(ROWS), {"u1": "bio"}, n_buckets=3, n_shards=4)


@pytest.mark.usefixtures("ray_session")
@pytest.mark.parametrize("numbers_a_round", [1 << 25, 3000])  # the second: seven rounds
def test_the_job_gives_the_numbers_of_the_library(workspace: Workspace, numbers_a_round: int, monkeypatch) -> None:
    monkeypatch.setattr(ranking, "_NUMBERS_A_ROUND", numbers_a_round)
    found = evaluate(workspace, OPTIONS)
    decays = [m["name"] for m in found["methods"]]
    assert decays[:5] == ["static", "exponential 1d", "gaussian 1d", "exponential 3d", "gaussian 3d"]
    assert decays[5:] == ["newest", "popular", "random"]
    question = _question(found)
    plan = load_plan(workspace, question)
    scores = compare_methods(
        rank_workspace(workspace, question, plan), plan.tests.users, contest_methods(question.decays), DEFAULT_METRICS
    )
    assert found["facts"]["n_tested"] == len(plan.tests) > 100
    for method, expected in zip(found["methods"], scores, strict=True):
        for name, estimate in expected.metrics.items():
            assert method["metrics"][name] == pytest.approx(vars(estimate))


def _question(found: dict[str, Any]) -> Question:
    stored = {k: v for k, v in found["parameters"].items() if k not in ("metrics", "corpus_id")}
    return Question(**{**stored, "decays": tuple(Decay(**d) for d in stored["decays"])})


@pytest.mark.usefixtures("ray_session")
def test_a_second_run_does_nothing_and_another_question_gets_another_report(workspace: Workspace) -> None:
    first = evaluate(workspace, OPTIONS)
    second = evaluate(workspace, OPTIONS)
    assert (first["done_before"], second["done_before"]) == (False, True)
    assert {**json.loads(json.dumps(first)), "done_before": True} == second
    other = evaluate(workspace, EvaluateOptions(half_lives=("1d",), decays="static", seed=1, max_events=50))
    assert other["report"] != first["report"]
    assert other["facts"]["n_tested"] == 50


@pytest.mark.usefixtures("ray_session")
def test_the_command_line_writes_three_files_and_a_table(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = main(["--workspace", workspace.uri, "--half-lives", "1d,3d", "--encoder", "plain", "--include-seen"])
    files = {f: Path(workspace.path("reports", summary["report"], f"evaluation.{f}")) for f in ("md", "csv", "json")}
    assert files["md"].read_text() in capsys.readouterr().err
    rows = list(csv.DictReader(files["csv"].read_text().splitlines()))
    stored = json.loads(files["json"].read_text())
    assert [r["method"] for r in rows] == [m["name"] for m in stored["methods"]] == list(summary["methods"])
    assert len(rows) == 1 + 2 * 6 + 3
    assert summary["job"] == "evaluate" and summary["tested"] == stored["facts"]["n_tested"]
    json.dumps(summary, allow_nan=False)


def test_a_corpus_without_anything_to_test_gives_a_report_without_numbers(tmp_path: Path) -> None:
    table = events_table([("a", "u", 1, "p"), ("b", "v", 1, "p")])
    found = evaluate(write_workspace(str(tmp_path), table, {}), OPTIONS)
    assert found["methods"] == []
    text = Path(tmp_path, "reports", found["report"], "evaluation.md").read_text()
    assert text.startswith("no eligible test events\n")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ("recall@10",)}, "recall@10"),
        ({"decays": "quadratic"}, "quadratic"),
        ({"half_lives": ("30",)}, "half_life"),
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
