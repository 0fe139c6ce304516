"""`jobs.report`: from a finished evaluation to its page, and what it says where there is none."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dynprof.errors import WorkspaceError
from jobs import report
from tests.unit.report_data import DOCUMENT, bounded, row, table_of


def test_a_finished_evaluation_becomes_a_page_with_its_plots_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "study"
    folder.mkdir(parents=True)
    rows = [bounded(0.3, 0.1, method="newest", family="counts"), row(method="static", kind="static", value=0.1)]
    pq.write_table(table_of(rows), folder / "results.parquet")
    (folder / "report.json").write_text(json.dumps(DOCUMENT))
    summary = report.main(["--workspace", str(tmp_path), "--name", "study"])
    assert summary["page"] == "reports/study.html"
    assert "newest has the highest NDCG@10: 0.3000" in (tmp_path / "reports/study.html").read_text()
    assert {"methods-plot.png", "methods-plot.csv", "learned-decay.png"} <= {p.name for p in folder.iterdir()}


def test_a_report_that_does_not_exist_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"finished are none. Run `python -m jobs.evaluate --report absent`"):
        report.main(["--workspace", str(tmp_path), "--name", "absent"])
