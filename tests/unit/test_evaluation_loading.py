from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from dynprof.decay import Decay
from dynprof.errors import WorkspaceError
from dynprof.evaluation import Facts, Report, index_events, rank_block
from dynprof.evaluation.loading import Question, load_contest
from dynprof.evaluation.storage import read_report, write_report
from dynprof.workspace import Workspace

from .evaluation_data import Row, events_table, hash_of, random_rows, vectors_of, write_workspace

QUESTION = Question("f0", (Decay("static"), Decay("gaussian", "1d")), {}, 0.1, 0.3, 0, False, 0)
ROWS = [*random_rows(11), ("n", "novice", 10**13, "t3"), ("m", "other novice", 10**13, "t4")]
BIOS = {"novice": "a bio", "u1": "another", "stranger": "of no event"}


def test_a_contest_is_what_the_corpus_holds(tmp_path: Path) -> None:
    contest, facts = load_contest(write_workspace(str(tmp_path), events_table(ROWS), BIOS), QUESTION)
    log, names = index_events(events_table(ROWS))
    np.testing.assert_array_equal(contest.log.items, log.items)
    np.testing.assert_array_equal(contest.vectors, vectors_of(names.text_hashes))
    assert (facts.n_corpus, facts.n_items) == (len(ROWS), log.n_items)
    assert facts.n_tested == facts.n_eligible == len(contest.tests) > 2
    assert facts.n_tested <= facts.n_window <= 0.3 * len(ROWS)
    assert facts.n_without_history == 2


def test_the_prior_is_the_bio_where_known_and_else_the_mean_before_the_window(tmp_path: Path) -> None:
    contest, facts = load_contest(write_workspace(str(tmp_path), events_table(ROWS), BIOS), QUESTION)
    _, names = index_events(events_table(ROWS))
    bios = {user: vectors_of(pa.array([hash_of(text)]))[0] for user, text in BIOS.items()}
    early = contest.vectors[contest.log.first_us < facts.window_start_us]
    for user, row in zip(contest.tests.users, contest.prior_rows, strict=True):
        expected = bios.get(names.user_ids[int(user)].as_py(), early.astype(np.float64).mean(0))
        np.testing.assert_allclose(contest.priors[row], expected, atol=1e-6)


def test_buckets_do_not_change_the_contest(tmp_path: Path) -> None:
    found = []
    for n in (1, 5):
        workspace = write_workspace(str(tmp_path / str(n)), events_table(ROWS), BIOS, n_buckets=n)
        contest, facts = load_contest(workspace, QUESTION)
        found.append((rank_block(contest, 0, len(contest.tests)).above.tolist(), facts))
    assert found[0] == found[1]


@pytest.mark.parametrize("rows", [[], [("only", "u", 5, "text")], [("no text", "u", 5, None)]])
def test_a_corpus_without_anything_to_test_gives_no_tests(tmp_path: Path, rows: list[Row]) -> None:
    contest, facts = load_contest(write_workspace(str(tmp_path), events_table(rows), {}), QUESTION)
    assert len(contest.tests) == facts.n_tested == facts.n_eligible == 0
    assert facts.median_candidates is None


def test_a_workspace_without_a_corpus_names_the_job_to_run(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"jobs\.ingest"):
        load_contest(Workspace(tmp_path), QUESTION)


def test_a_report_written_is_the_report_read(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    report = Report({"include_seen": True}, ("mrr",), Facts(0, 0, 1, 1, 0, 0, 0, 0, 0, None), [])
    assert read_report(workspace, "r") is None
    written = write_report(workspace, "r", report)
    assert read_report(workspace, "r") == written
    assert workspace.files("reports", "r") == ["evaluation.csv", "evaluation.json", "evaluation.md"]
