"""The reports of a workspace, whoever wrote them: what files there are, JSON as it is, CSV as columns."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, fs

from dynprof.workspace import Workspace

__all__ = ["REPORTS", "list_reports", "read_report"]

REPORTS = "reports"
MOST_ROWS = 5_000
_MOST_BYTES = 32 << 20


def list_reports(workspace: Workspace) -> list[dict[str, Any]]:
    """Name, files and time of each report, the newest first. A report is a folder with a JSON file."""
    found = []
    for name in workspace.folders(REPORTS):
        files = workspace.files(REPORTS, name)
        documents = [file for file in files if file.endswith(".json")]
        if documents and not name.startswith("."):
            infos = workspace.filesystem.get_file_info([workspace.path(REPORTS, name, file) for file in documents])
            written_at = max((info.mtime for info in infos if info.mtime is not None), default=None)
            at = datetime.fromtimestamp(0, UTC) if written_at is None else _in_utc(written_at)
            found.append({"name": name, "kind": _kind(name, documents), "written_at": at, "files": files})
    return sorted(found, key=lambda report: (report["written_at"], report["name"]), reverse=True)


def read_report(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """One report with all that can be drawn of it; None where there is none of that name.

    A file that cannot be read, or is too large for a page, is named with the reason, and the others are shown.
    """
    listed = next((report for report in list_reports(workspace) if report["name"] == name), None)
    if listed is None:
        return None
    documents: dict[str, Any] = {}
    tables: dict[str, Any] = {}
    unread: dict[str, str] = {}
    for file in listed["files"]:
        stem, _, suffix = file.rpartition(".")
        if suffix not in ("json", "csv"):
            continue
        try:
            raw = _read(workspace, name, file)
            if suffix == "json":
                documents[stem] = _document(raw)
            else:
                tables[stem] = _columns(raw)
        except (ValueError, OSError, pa.ArrowException) as error:
            unread[file] = str(error)[:300]
    return {**listed, "documents": documents, "tables": tables, "unread": unread}


def _kind(name: str, documents: Sequence[str]) -> str:
    """`monitoring` or `evaluation`, from the name of the folder or of its document; else `other`."""
    for kind, marks in (("monitoring", ("monitor",)), ("evaluation", ("evaluation", "study", "report.json"))):
        if any(mark in text for mark in marks for text in (name, *documents)):
            return kind
    return "other"


def _in_utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _read(workspace: Workspace, name: str, file: str) -> bytes:
    path = workspace.path(REPORTS, name, file)
    size = workspace.filesystem.get_file_info(path).size or 0
    if size > _MOST_BYTES:
        raise ValueError(f"expected at most {_MOST_BYTES >> 20} MiB, found {size >> 20}.")
    source: fs.FileSystem = workspace.filesystem
    with source.open_input_file(path) as opened:
        return bytes(opened.read())


def _document(raw: bytes) -> Any:
    """What a JSON file says.

    Raises:
        ValueError: It is no JSON, or JSON that cannot be sent on: halves of characters, numbers of more than 64 bits.
    """
    try:
        document = json.loads(raw)
        orjson.dumps({"documents": {"": document}})  # as deep as it will lie in the answer
    except (TypeError, RecursionError) as error:
        raise ValueError(f"expected JSON that can be sent on: {error}.") from error
    return document


def _columns(raw: bytes) -> dict[str, Any]:
    """The columns of a CSV file.

    Raises:
        ValueError: Two columns have one name, or one is no text in UTF-8.
        ArrowException: It is no table.
    """
    table = csv.read_csv(io.BytesIO(raw), parse_options=csv.ParseOptions(newlines_in_values=True))
    shown = table.slice(0, MOST_ROWS)
    columns = {}
    for name, column in zip(shown.column_names, shown.columns, strict=True):
        if name in columns:
            raise ValueError(f"expected columns of different names, found {name!r} twice.")
        if pa.types.is_binary(column.type):
            raise ValueError(f"{name}: expected text in UTF-8, found other bytes.")
        if pa.types.is_temporal(column.type):
            column = pc.cast(column, pa.string())
        columns[name] = column.to_pylist()
    return {"n_rows": len(table), "columns": columns}
