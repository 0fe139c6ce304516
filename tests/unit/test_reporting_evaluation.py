"""An evaluation's page says what its table says, and says so where the table has nothing."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dynprof.errors import WorkspaceError
from dynprof.evaluation.results import RESULTS
from dynprof.reporting import Dots, Panels, render_page
from dynprof.reporting.evaluation_choice import learned_plot
from dynprof.reporting.evaluation_page import evaluation_page, write_evaluation
from dynprof.reporting.results import Results
from dynprof.workspace import Workspace
from tests.unit.report_data import DOCUMENT, LEARNED, bounded, row, table_of, whole_table

TABLE = whole_table()


def charts(table: pa.Table) -> dict[str, object]:
    return {c.name: c for c in evaluation_page("study", table, DOCUMENT).charts}


def test_the_lead_names_the_best_method_and_the_best_decay() -> None:
    lead = evaluation_page("study", TABLE, DOCUMENT).lead
    assert lead.startswith("newest has the highest NDCG@10: 0.2760 (95 % interval 0.2484 to 0.3036).")
    assert "exponential 1d cosine_time 2d, has 0.1178" in lead
    assert "above it" in lead


def test_every_plot_of_a_whole_evaluation_is_there() -> None:
    assert set(charts(TABLE)) == {
        "methods-plot", "dynamic-static", "half-life", "half-life-difference", "by-similarity", "by-encoder",
        "windows-plot", "slices-difference", "slice-activity", "slice-drift", "slice-item-age", "beyond-plot",
        "learned-decay",
    }  # fmt: skip


def test_of_each_decay_the_half_life_is_the_validation_windows_not_the_tests() -> None:
    told = {"kind": "gaussian", "similarity": "cosine", "family": "profiles"}
    day = {**told, "method": "gaussian 1d", "half_life_s": 86_400.0}
    week = {**told, "method": "gaussian 7d", "half_life_s": 604_800.0}
    rows = [
        bounded(0.2, 0.1, window="validation", **day), bounded(0.1, 0.1, window="validation", **week),
        bounded(0.1, 0.1, window="test", **day), bounded(0.3, 0.1, window="test", **week),
    ]  # fmt: skip
    assert [r.method for r in Results(table_of(rows)).cast()] == ["gaussian 1d"]


def test_the_panels_share_one_scale_and_show_the_other_decays_in_grey() -> None:
    panels = charts(TABLE)["half-life"]
    assert isinstance(panels, Panels)
    assert len(panels.charts) == 6
    assert len({c.y.limits for c in panels.charts}) == 1  # type: ignore[union-attr]
    assert "exponential best at 1d" in panels.summary
    assert "dashed line is static cosine_time 2d" in panels.summary


def test_slices_whose_interval_lies_on_one_side_of_zero_are_named() -> None:
    found = charts(TABLE)["slices-difference"]
    assert isinstance(found, Dots)
    assert "activity: 100+" in found.summary
    assert found.labels[0] == "activity: 0 (500 tests)"


def test_a_leaky_protocol_says_so_in_title_and_text() -> None:
    leaky = {**DOCUMENT, "parameters": {"leave_one_out": True}}
    page = evaluation_page("loo", TABLE, leaky)
    assert page.title.startswith("Leaky")
    assert "Leaky: leave-one-out." in render_page(page)


def test_an_empty_table_is_a_page_that_says_there_are_no_numbers() -> None:
    page = evaluation_page("empty", RESULTS.empty_table(), {})
    assert "no numbers" in page.lead
    assert not page.charts
    assert "Nothing was tuned" in render_page(page)


def test_one_method_without_an_interval_is_a_plot_without_a_bar() -> None:
    page = evaluation_page("one", table_of([row(method="<b>only</b>", family="counts", value=0.25)]), {})
    assert "<b>only</b> has the highest NDCG@10: 0.2500, without an interval." in page.lead
    assert "&lt;b&gt;only" in render_page(page)
    assert [c.name for c in page.charts] == ["methods-plot"]


def test_a_number_that_does_not_exist_is_no_number() -> None:
    rows = [row(method="EASE", family="behaviour"), bounded(0.2, 0.1, method="newest", family="counts")]
    page = evaluation_page("ease", table_of(rows), {})
    assert page.lead.startswith("newest")
    assert "EASE" in render_page(page)


def test_the_learned_curve_is_the_sum_of_its_exponentials() -> None:
    curve = learned_plot(LEARNED, "1d").curves[-1]
    age = curve.x[20]
    expected = 0.5 * 2 ** (-age / 3_600) + 0.3 * 2 ** (-age / 86_400) + 0.1 * 2 ** (-age / 2_592_000) + 0.1
    assert curve.y[20] == pytest.approx(expected)


def test_a_report_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    pq.write_table(TABLE, _made(tmp_path / "reports/there") / "results.parquet")
    (tmp_path / "reports/there/report.json").write_text("{}")
    with pytest.raises(WorkspaceError, match=r"found no results.parquet and no report.json; finished are there"):
        write_evaluation(workspace, "absent")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder
