from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.decay import Decay
from dynprof.errors import WorkspaceError
from dynprof.evaluation import AUTO, Facts, Report, ranking, shard_counts
from dynprof.evaluation.loading import Plan, Question, load_plan
from dynprof.evaluation.results import RESULTS
from dynprof.evaluation.shard_counts import gather_shards
from dynprof.evaluation.storage import read_report, read_results, write_report
from dynprof.vectors import matrix_of
from dynprof.workspace import Workspace

from .evaluation_data import (
    Asked,
    Row,
    events_table,
    hash_of,
    index,
    place_workspace,
    random_rows,
    rank_workspace,
    vectors_of,
    write_workspace,
)
from .test_evaluation_retrieval import DECAYS, expected_ranks

QUESTION = Question("f0", (Decay("static"), Decay("gaussian", "1d")), {}, 0.1, 0.3, AUTO, False, 0)
ROWS = [*random_rows(11), ("n", "novice", 10**13, "t3"), ("m", "other novice", 10**13, "t4")]
BIOS = {"novice": "a bio", "u1": "another", "stranger": "of no event"}


def judge_of(plan: Plan, question: Question, n_distinct: int) -> Asked:
    """The whole corpus in memory, for the definitions: the prior is the bio where known, else the mean vector of the
    texts that appeared before the window."""
    vectors = vectors_of(plan.names.text_hashes, 8, n_distinct)
    early = vectors[plan.log.first_us < plan.window.start_us].astype(np.float64)
    mean = early.mean(0) if len(early) else np.zeros(8)
    bios = {user: vectors_of(pa.array([hash_of(text)]), 8, n_distinct)[0] for user, text in BIOS.items()}
    users = plan.names.user_ids.take(pa.array(plan.tests.users)).to_pylist()
    priors = np.array([bios.get(u, mean) for u in users], np.float32).reshape(-1, 8)
    return Asked(plan.log, plan.names, plan.tests, vectors, priors, question.prior_weight, question.decays)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    include_seen=st.booleans(),
    prior_weight=st.sampled_from([0.0, 0.5]),
    n_distinct=st.sampled_from([3, 20, 1 << 128]),
    n_buckets=st.integers(1, 4),
    n_shards=st.integers(1, 5),
    numbers_a_round=st.sampled_from([48, 1 << 25]),
)
def test_streamed_ranks_are_those_of_the_definition_however_the_corpus_is_cut(
    seed, include_seen, prior_weight, n_distinct, n_buckets, n_shards, numbers_a_round
) -> None:
    rows = [*random_rows(seed, n=90), *ROWS[-2:], ("none", "u1", 7, None)]
    weights = np.random.default_rng(seed).choice([1.0, 2.0, -0.5], len(rows)).tolist()
    question = replace(QUESTION, decays=DECAYS, include_seen=include_seen, prior_weight=prior_weight, max_events=25)
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_NUMBERS_A_ROUND", numbers_a_round)
        patch.setattr(shard_counts, "_VECTORS_AT_ONCE", 7)
        cut = {"n_buckets": n_buckets, "n_shards": n_shards, "n_distinct": n_distinct}
        workspace = write_workspace(folder, events_table(rows, weights), BIOS, **cut)
        plan = load_plan(workspace, question)
        ranks = rank_workspace(workspace, question, plan)
    judge = judge_of(plan, question, n_distinct)
    for row in range(len(plan.tests)):
        found = list(zip(ranks.above[row].tolist(), ranks.tied[row].tolist(), strict=True))
        assert found == expected_ranks(judge, row)


def test_a_plan_is_what_the_corpus_holds(tmp_path: Path) -> None:
    plan = load_plan(write_workspace(str(tmp_path), events_table(ROWS), BIOS), QUESTION)
    log, names = index(events_table(ROWS))
    assert plan.names.text_hashes == names.text_hashes and plan.names.user_ids == names.user_ids
    assert sorted(zip(plan.log.users, plan.log.event_us, plan.log.items, strict=True)) == sorted(
        zip(log.users, log.event_us, log.items, strict=True)
    )
    facts = plan.facts()
    assert (facts.n_corpus, facts.n_items) == (len(ROWS), log.n_items)
    assert facts.n_tested == facts.n_eligible == len(plan.tests) > 2
    assert facts.n_tested <= facts.n_window <= 0.3 * len(ROWS)
    assert facts.n_without_history == 2


@pytest.mark.parametrize("max_events", [0, 9])
def test_buckets_and_shards_change_neither_tests_nor_ranks(tmp_path: Path, max_events: int) -> None:
    found = []
    for n in (1, 5):
        cut = {"n_buckets": n, "n_shards": n}
        workspace = write_workspace(str(tmp_path / str(n)), events_table(ROWS), BIOS, **cut)
        question = replace(QUESTION, max_events=max_events)
        plan = load_plan(workspace, question)
        ranks = rank_workspace(workspace, question, plan)
        found.append((ranks.above.tolist(), ranks.tied.tolist(), plan.tests.users.tolist(), plan.facts()))
    assert found[0] == found[1]
    assert found[0][3].n_tested == (max_events or found[0][3].n_eligible)


@pytest.mark.parametrize(("parts_of_small", "sizes"), [(32, [1] * 7), (3, [2, 2, 2, 1]), (1, [5, 2])])
def test_shards_read_together_give_the_places_and_lists_of_each_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parts_of_small: int, sizes: list[int]
) -> None:
    workspace = write_workspace(str(tmp_path), events_table(random_rows(3, n=500, n_texts=300)), BIOS, n_shards=8)
    question = replace(QUESTION, similarities=("cosine", "cosine_time"), item_half_lives_s=(3e5,))
    plan = load_plan(workspace, question)
    alone = place_workspace(workspace, question, plan, 10)
    monkeypatch.setattr(shard_counts, "_PARTS_OF_SMALL", parts_of_small)
    monkeypatch.setattr(shard_counts, "_MOST_SHARDS_A_PART", 5)
    assert [len(part) for part in gather_shards([None] * 7)] == sizes  # type: ignore[list-item]
    together = place_workspace(workspace, question, plan, 10)
    assert len(plan.tests) > 30
    np.testing.assert_array_equal(together.ranks.above, alone.ranks.above)
    np.testing.assert_array_equal(together.ranks.tied, alone.ranks.tied)
    np.testing.assert_array_equal(together.lists, alone.lists)


def test_vectors_of_object_storage_are_copied_and_give_the_same_ranks(tmp_path: Path, monkeypatch) -> None:
    workspace = write_workspace(str(tmp_path), events_table(ROWS), BIOS, n_buckets=2, n_shards=3)
    plan = load_plan(workspace, QUESTION)
    mapped = rank_workspace(workspace, QUESTION, plan)
    monkeypatch.setattr(Workspace, "is_local", False)
    copied = rank_workspace(workspace, QUESTION, plan)
    np.testing.assert_array_equal(copied.above, mapped.above)
    np.testing.assert_array_equal(copied.tied, mapped.tied)


def test_a_text_without_a_vector_is_an_error_that_names_the_file_and_the_job(tmp_path: Path) -> None:
    workspace = write_workspace(str(tmp_path), events_table(ROWS), {})
    plan = load_plan(workspace, QUESTION)
    reader = workspace.open_ipc("embeddings", "f0", "shard-00000.arrow")
    batches = [reader.get_batch(b).slice(1) for b in range(reader.num_record_batches)]
    assert len(matrix_of(batches[0]["vector"]))
    workspace.write_ipc(batches, reader.schema, "embeddings", "f0", "shard-00000.arrow")
    with pytest.raises(WorkspaceError, match=r"shard-00000\.arrow: expected vectors of 30 texts.*jobs\.encode"):
        rank_workspace(workspace, QUESTION, plan)


@pytest.mark.parametrize("rows", [[], [("only", "u", 5, "text")], [("no text", "u", 5, None)]])
def test_a_corpus_without_anything_to_test_gives_no_tests(tmp_path: Path, rows: list[Row]) -> None:
    plan = load_plan(write_workspace(str(tmp_path), events_table(rows), {}), QUESTION)
    facts = plan.facts()
    assert len(plan.tests) == facts.n_tested == facts.n_eligible == 0
    assert facts.median_candidates is None


def test_a_workspace_without_a_corpus_names_the_job_to_run(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"jobs\.ingest"):
        load_plan(Workspace(tmp_path), QUESTION)


def test_a_report_written_is_the_report_read(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    facts = {"test": Facts(0, 0, 1, 1, 0, 0, 0, 0, 0, None)}
    report = Report({"include_seen": True}, ("mrr",), facts, RESULTS.empty_table())
    assert read_report(workspace, "r") is None
    written = write_report(workspace, "r", report)
    assert read_report(workspace, "r") == written
    assert read_results(workspace, "r").schema.equals(RESULTS)
    assert workspace.files("reports", "r") == ["report.json", "report.md", "results.csv", "results.parquet"]
