"""Reading whole inputs in the tests of the readers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from dynprof.readers import Checked, plan_splits, read_split

NOW = datetime(2024, 6, 1, tzinfo=UTC).timestamp()


class Read(NamedTuple):
    rows: pa.Table
    quarantine: pa.Table
    n_read: int
    n_ignored: int


def event(i: int = 0, **changes: Any) -> dict[str, Any]:
    """A good event, as a record."""
    return {"user_id": f"u{i % 7}", "timestamp": 1_600_000_000 + i, "text": f"text {i}", "event_id": f"e{i}", **changes}


def read_all(*paths: Path | str, table: Any = "events", columns: Mapping[str, str] | None = None, **plan: Any) -> Read:
    """Plan and read; every chunk keeps the law that nothing is lost."""
    chunks: list[Checked] = []
    for split in plan_splits([str(path) for path in paths], table=table, **plan):
        chunks += read_split(split, table=table, columns=columns or {}, now=NOW)
    for chunk in chunks:
        assert len(chunk.rows) + len(chunk.quarantine) + chunk.n_ignored == chunk.n_read
    return Read(
        pa.concat_tables([c.rows for c in chunks]) if chunks else pa.table({}),
        pa.concat_tables([c.quarantine for c in chunks]) if chunks else pa.table({}),
        sum(c.n_read for c in chunks),
        sum(c.n_ignored for c in chunks),
    )


def write_lines(path: Path, records: Sequence[Any]) -> Path:
    """JSON lines; bytes are written as they are."""
    lines = [record if isinstance(record, bytes) else json.dumps(record).encode() for record in records]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def reasons(read: Read) -> list[tuple[int, str]]:
    """Row and reason of everything in quarantine, if anything was read."""
    if "row" not in read.quarantine.column_names:
        return []
    return list(zip(read.quarantine["row"].to_pylist(), read.quarantine["reason"].to_pylist(), strict=True))
