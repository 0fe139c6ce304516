"""Parquet to chunks: only the needed columns, a bounded number of rows at a time."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynprof.checks import TableName
from dynprof.readers.chunks import CHUNK_BYTES, CHUNK_ROWS, Chunk
from dynprof.readers.columns import resolve_columns
from dynprof.readers.splits import Split
from dynprof.readers.streams import open_random_access

__all__ = ["read_parquet", "row_group_parts"]

_logger = logging.getLogger(__name__)

_BUFFER_BYTES = 1 << 20  # read a column chunk page by page, not whole: row groups can be gigabytes
_CHUNK_GROWTH = 4  # Arrow's rows against Parquet's encoded bytes, roughly: dictionaries unfold


def row_group_parts(path: str, max_bytes: int) -> list[tuple[tuple[int, ...], int]]:
    """Consecutive row groups of at most `max_bytes` uncompressed bytes (at least one group), with their bytes.

    A file without row groups is one part of none: its columns are still looked at.
    """
    with open_random_access(path) as source:
        footer = pq.read_metadata(source)
        sizes = [footer.row_group(i).total_byte_size for i in range(footer.num_row_groups)]
    parts: list[tuple[tuple[int, ...], int]] = []
    for group, size in enumerate(sizes):
        if parts and parts[-1][1] + size <= max_bytes:
            parts[-1] = ((*parts[-1][0], group), parts[-1][1] + size)
        else:
            parts.append(((group,), size))
    return parts or [((), 0)]


def read_parquet(split: Split, kind: TableName, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """Read row groups of a file. Rows count from 0 within the file.

    Raises:
        MissingColumnError: See `resolve_columns`.
    """
    with open_random_access(split.path) as source:
        file = pq.ParquetFile(source, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        resolved = resolve_columns(file.schema_arrow.names, columns, kind, path=split.path)
        _warn_of_float_ids(file.schema_arrow, resolved, split.path)
        groups = list(split.row_groups or ())
        row = sum(file.metadata.row_group(i).num_rows for i in range(groups[0] if groups else 0))
        theirs = list(dict.fromkeys(resolved.values()))
        for batch in file.iter_batches(_batch_rows(file, groups), row_groups=groups, columns=theirs):
            yield _chunk(batch, resolved, row)
            row += len(batch)


def _batch_rows(file: pq.ParquetFile, groups: list[int]) -> int:
    """Rows that make about `CHUNK_BYTES`, judged by the longest rows among the groups."""
    sizes = [(file.metadata.row_group(i).total_byte_size, file.metadata.row_group(i).num_rows) for i in groups]
    longest = max((size / n_rows for size, n_rows in sizes if n_rows), default=1.0)
    return max(1, min(CHUNK_ROWS, int(_CHUNK_GROWTH * CHUNK_BYTES / max(longest, 1.0))))


def _chunk(batch: pa.RecordBatch, resolved: Mapping[str, str], first_row: int) -> Chunk:
    table = pa.table({ours: batch.column(theirs) for ours, theirs in resolved.items()})
    rows = np.arange(first_row, first_row + len(batch), dtype=np.int64)
    return Chunk(table, rows, raw=lambda position: _raw(batch, position))


def _raw(batch: pa.RecordBatch, position: int) -> str:
    row = batch.slice(position, 1)
    shown = {name: _shown(column) for name, column in zip(row.schema.names, row.columns, strict=True)}
    return json.dumps(shown, ensure_ascii=False, default=str)


def _shown(column: pa.Array) -> Any:
    """The one value of a column as JSON can hold it; bytes that are no text are marked."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = column.cast(pa.large_binary())
    try:
        value = column[0].as_py()
    except (ValueError, OverflowError):  # a time beyond Python's calendar
        return str(column.cast(pa.int64())[0])
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _warn_of_float_ids(schema: pa.Schema, resolved: Mapping[str, str], path: str) -> None:
    for ours in ("user_id", "item_id", "event_id", "author_id"):
        if ours in resolved and pa.types.is_floating(schema.field(resolved[ours]).type):
            _logger.warning(
                "path=%s column=%s type=float: ids above 2**53 have lost digits; store them as strings or integers",
                path,
                resolved[ours],
            )
