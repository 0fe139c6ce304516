"""Reports on disk: `reports/<name>/`, the table as Parquet and CSV, the rest as Markdown and JSON."""

from __future__ import annotations

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from dynprof.evaluation.report import Report, render_markdown, report_document
from dynprof.filesystems import open_input
from dynprof.workspace import Workspace

__all__ = ["REPORTS", "read_report", "read_results", "write_report"]

REPORTS = "reports"
_RESULTS = "results.parquet"
_LAST = "report.json"
"""Says that the report is whole."""


def write_report(workspace: Workspace, name: str, report: Report) -> tuple[dict[str, Any], str]:
    """Write a report in the place of whatever has its name; the JSON goes first and comes last.

    Returns:
        The report as JSON types, and its tables with notes.
    """
    document, text = report_document(report), render_markdown(report)
    if workspace.exists(REPORTS, name, _LAST):
        workspace.remove(REPORTS, name, _LAST)
    workspace.write_parquet(report.results, REPORTS, name, _RESULTS)
    rendered = json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    files = {"results.csv": _csv(report.results), "report.md": text.encode(), _LAST: rendered.encode()}
    for file, content in files.items():
        with workspace.create(REPORTS, name, file) as sink:
            sink.write(content)
    return document, text


def read_report(workspace: Workspace, name: str) -> tuple[dict[str, Any], str] | None:
    """What `write_report` returned; None where the report is absent or not whole."""
    if not workspace.exists(REPORTS, name, _LAST):
        return None
    return json.loads(_read(workspace, name, _LAST)), _read(workspace, name, "report.md")


def read_results(workspace: Workspace, name: str) -> pa.Table:
    """The results table of a report that is there."""
    return workspace.read_parquet(REPORTS, name, _RESULTS)


def _csv(results: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa_csv.write_csv(results, sink)
    return sink.getvalue()


def _read(workspace: Workspace, name: str, file: str) -> str:
    with open_input(workspace.filesystem, workspace.path(REPORTS, name, file)) as source:
        return bytes(source.read()).decode()
