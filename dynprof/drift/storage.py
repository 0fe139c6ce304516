"""Reports of the monitor on disk: `reports/monitor-<hash>/`, the JSON last, and the parts it is made of."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from dynprof.errors import WorkspaceError
from dynprof.evaluation.storage import REPORTS
from dynprof.filesystems import open_input
from dynprof.workspace import Workspace

__all__ = [
    "PARTS",
    "find_parts",
    "iter_parts",
    "newest_gauges",
    "part_name",
    "read_document",
    "read_parts",
    "write_document",
]

PARTS = "parts"
"""Folder, within that of a report, of what is done so far; it goes when the report is whole."""

_PREFIX = "monitor-"
_DOCUMENT, _GAUGES = "report.json", "metrics.prom"


def part_name(table: str, part: int) -> str:
    """File of one part of a table."""
    return f"{table}-{part:05d}.parquet"


def read_parts(workspace: Workspace, report: str, table: str) -> pa.Table:
    """All parts of a table, in their order.

    Raises:
        WorkspaceError: There is none: someone removed them while the job ran.
    """
    found = find_parts(workspace, report, table)
    if found is None:
        raise WorkspaceError(
            f"{workspace.path(REPORTS, report, PARTS)}: expected parts of the table {table}, found none. They were "
            "removed; run the same command again."
        )
    return found


def find_parts(workspace: Workspace, report: str, table: str) -> pa.Table | None:
    """The same, but None where there is no part."""
    found = list(iter_parts(workspace, report, table))
    return pa.concat_tables(found) if found else None


def iter_parts(workspace: Workspace, report: str, table: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Some columns, or all, of one part after the other."""
    for name in workspace.files(REPORTS, report, PARTS):
        if name.rpartition("-")[0] == table:
            yield workspace.read_parquet(REPORTS, report, PARTS, name, columns=columns)


def write_document(
    workspace: Workspace,
    name: str,
    document: Mapping[str, Any],
    tables: Mapping[str, pa.Table],
    texts: Mapping[str, bytes],
) -> None:
    """Write a report whole; then its parts are not needed any more.

    Args:
        workspace: Where.
        name: Of the report.
        document: JSON types.
        tables: By name, each to Parquet and CSV.
        texts: Other files by name, such as `report.md`.
    """
    for table_name, table in tables.items():
        workspace.write_parquet(table, REPORTS, name, f"{table_name}.parquet")
        with workspace.create(REPORTS, name, f"{table_name}.csv") as sink:
            sink.write(_csv(table))
    for file, text in texts.items():
        with workspace.create(REPORTS, name, file) as sink:
            sink.write(text)
    with workspace.create(REPORTS, name, _DOCUMENT) as sink:
        sink.write((json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n").encode())
    workspace.remove(REPORTS, name, PARTS)


def read_document(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """What `write_document` was given; None where the report is absent or not whole."""
    if not workspace.exists(REPORTS, name, _DOCUMENT):
        return None
    document: dict[str, Any] = json.loads(_read(workspace, name, _DOCUMENT))
    return document


def newest_gauges(workspace: Workspace) -> bytes:
    """The gauges of the report that was finished last; empty where there is none."""
    ours = (name for name in workspace.folders(REPORTS) if name.startswith(_PREFIX))
    found = [(d["created_at"], name) for name in ours if (d := read_document(workspace, name)) is not None]
    return _read(workspace, max(found)[1], _GAUGES) if found else b""


def _read(workspace: Workspace, name: str, file: str) -> bytes:
    with open_input(workspace.filesystem, workspace.path(REPORTS, name, file)) as source:
        return bytes(source.read())


def _csv(table: pa.Table) -> bytes:
    """CSV knows no lists: they become words parted by spaces."""
    for i, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            words = pc.binary_join(table[field.name].cast(pa.list_(pa.string())), " ")
            table = table.set_column(i, field.name, words)
    sink = io.BytesIO()
    pacsv.write_csv(table, sink)
    return sink.getvalue()
