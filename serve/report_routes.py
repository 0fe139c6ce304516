"""Routes of the reports in the workspace that is served."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from serve.access import needs
from serve.errors import UnknownReportError, responses
from serve.loaded import LoadedEngine
from serve.reports import list_reports, read_report

__all__ = ["router"]

router = APIRouter(prefix="/v1/reports", tags=["page"], dependencies=[needs("read")])


class ReportNamed(BaseModel):
    """A report."""

    name: str
    kind: Literal["evaluation", "monitoring", "other"]
    written_at: datetime
    files: list[str]


class ReportsAnswer(BaseModel):
    """What there is, the newest first."""

    reports: list[ReportNamed]


class TableAnswer(BaseModel):
    """A CSV file."""

    n_rows: int = Field(description="In the file; of more than 5,000 the first are here.")
    columns: dict[str, list[Any]] = Field(description="Values by column, in order.")


class ReportAnswer(ReportNamed):
    """One report."""

    documents: dict[str, Any] = Field(description="JSON files by name.")
    tables: dict[str, TableAnswer] = Field(description="CSV files by name.")
    unread: dict[str, str] = Field(description="Files that could not be read, and why.")


@router.get("", responses=responses(400, 404, 413, 422))
def reports(engine: LoadedEngine) -> ReportsAnswer:
    """The reports in the workspace, the newest first."""
    return ReportsAnswer(reports=[ReportNamed(**report) for report in list_reports(engine.store.workspace)])


Name = Annotated[str, Path(max_length=255, description="Of the report.")]


@router.get("/{name}", response_model=ReportAnswer, responses=responses(400, 413))
def report(name: Name, engine: LoadedEngine) -> Response:
    """One report: its JSON documents and its tables. Numbers that are none are null."""
    found = read_report(engine.store.workspace, name)
    if found is None:
        raise UnknownReportError(f"name: expected a report of the workspace, found none named {name!r}.")
    return Response(orjson.dumps(found), media_type="application/json")
