"""Where some bytes stand in the files of a folder, compressed or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def files_with(folder: Path, needles: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Files of which the bytes, or the values of whose Parquet columns, hold one of some needles; and which."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        hay = path.read_bytes()
        if path.suffix == ".parquet":
            file = pq.ParquetFile(path)
            hay += repr(file.metadata.metadata).encode() + b"\n".join(_values(file.read().to_pylist()))
        hits = [needle for needle in needles if needle in hay]
        if hits:
            found[str(path.relative_to(folder))] = hits
    return found


def _values(rows: Sequence[dict[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        for value in row.values():
            if isinstance(value, bytes):
                yield value
            elif isinstance(value, str):
                yield value.encode()
