"""Reports on disk: `reports/<name>/evaluation.{md,csv,json}`."""

from __future__ import annotations

import json
from typing import Any

from dynprof.evaluation.report import Report, render_csv, render_markdown, report_document
from dynprof.filesystems import open_input
from dynprof.workspace import Workspace

__all__ = ["REPORTS", "read_report", "write_report"]

REPORTS = "reports"


def write_report(workspace: Workspace, name: str, report: Report) -> tuple[dict[str, Any], str]:
    """Write a report; the JSON comes last: it says that the report is whole.

    Returns:
        The report as JSON types, and its table with notes.
    """
    document, table = report_document(report), render_markdown(report)
    rendered = json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    for suffix, text in (("md", table), ("csv", render_csv(report)), ("json", rendered)):
        with workspace.create(REPORTS, name, f"evaluation.{suffix}") as sink:
            sink.write(text.encode())
    return document, table


def read_report(workspace: Workspace, name: str) -> tuple[dict[str, Any], str] | None:
    """What `write_report` returned; None where the report is absent or not whole."""
    if not workspace.exists(REPORTS, name, "evaluation.json"):
        return None
    return json.loads(_read(workspace, name, "json")), _read(workspace, name, "md")


def _read(workspace: Workspace, name: str, suffix: str) -> str:
    with open_input(workspace.filesystem, workspace.path(REPORTS, name, f"evaluation.{suffix}")) as source:
        return bytes(source.read()).decode()
