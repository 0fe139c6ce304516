"""JSON records to chunks: plain ones under `--columns`, X API and Jetstream ones as we know them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import numpy as np

from dynprof.checks import TableName, raw_schema
from dynprof.readers.chunks import Chunk
from dynprof.readers.columns import resolve_columns
from dynprof.readers.jetstream import unfold_jetstream
from dynprof.readers.json_columns import column_names, to_table
from dynprof.readers.json_lines import Records, head_records, json_blocks, layout_is_lines, parse_records
from dynprof.readers.lines import count_lines, line_blocks, part_range
from dynprof.readers.splits import Split
from dynprof.readers.streams import naming, open_random_access
from dynprof.readers.x_api import unfold_x_api

__all__ = ["read_json"]

_UNFOLD = {"x-api-v2": unfold_x_api, "jetstream": unfold_jetstream}


def read_json(split: Split, kind: TableName, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """Read a split of a JSON file.

    Which columns a file of plain records has is judged by its first MiB: JSON has no header, and later records may
    bring optional keys that the first ones lack.

    Raises:
        MissingColumnError: See `resolve_columns`.
        InputFileError: The file breaks off.
    """
    as_lines = split.n_parts > 1 or layout_is_lines(split.path)
    to_chunk = _chunker(split, kind, columns, as_lines=as_lines)
    if split.n_parts == 1:
        yield from _chunks(json_blocks(split.path, as_lines=as_lines), to_chunk)
        return
    begin, stop = part_range(split.path, split.part, split.n_parts)
    with open_random_access(split.path) as source:
        source.seek(begin)
        blocks = line_blocks(source, split.path, n_bytes=stop - begin)
        yield from _chunks(blocks, to_chunk, first_row=_line_number(split.path, begin))


def _chunks(
    blocks: Iterator[list[bytes]],
    to_chunk: Callable[[Records, Callable[[], int]], Chunk],
    *,
    first_row: Callable[[], int] = lambda: 0,
) -> Iterator[Chunk]:
    row = 0
    for lines in blocks:
        yield to_chunk(parse_records(lines, first_row=row), first_row)
        row += len(lines)


def _line_number(path: str, begin: int) -> Callable[[], int]:
    """Line at byte `begin`, found only when a refused line asks for it: it costs a pass over all before it."""

    @cache
    def first_row() -> int:
        with naming(path, "a readable file"):
            return count_lines(path, begin)

    return first_row


def _chunker(
    split: Split, kind: TableName, columns: Mapping[str, str], *, as_lines: bool
) -> Callable[[Records, Callable[[], int]], Chunk]:
    if split.format in _UNFOLD:
        return lambda records, first_row: _unfolded(records, split.format, kind, first_row)
    wanted = _wanted(split.path, kind, columns, as_lines=as_lines)

    def plain(records: Records, first_row: Callable[[], int]) -> Chunk:
        return Chunk(
            table=to_table(records.objects, wanted),
            rows=np.array(records.rows, np.int64),
            raw=lambda position: records.raws[position].decode(errors="replace"),
            refusals=records.refusals,
            first_row=first_row,
        )

    return plain


def _wanted(path: str, kind: TableName, columns: Mapping[str, str], *, as_lines: bool) -> dict[str, str]:
    """Our name to theirs, also for optional columns that the head of the file does not show."""
    wanted = {ours: columns.get(ours, ours) for ours in raw_schema(kind).names}
    objects, _ = head_records(path, as_lines=as_lines)
    if objects:
        wanted |= resolve_columns(column_names(objects, list(wanted.values())), columns, kind, path=path)
    return wanted


def _unfolded(records: Records, format_: str, kind: TableName, first_row: Callable[[], int]) -> Chunk:
    rows: list[dict[str, Any]] = []
    sources: list[Any] = []
    numbers: list[int] = []
    n_ignored = 0
    for number, record in zip(records.rows, records.objects, strict=True):
        unfolded = _UNFOLD[format_](record, kind)
        n_ignored += not unfolded
        for row, source in unfolded:
            rows.append(row)
            sources.append(source)
            numbers.append(number)
    return Chunk(
        table=to_table(rows, {name: name for name in raw_schema(kind).names}),
        rows=np.array(numbers, np.int64),
        raw=lambda position: json.dumps(sources[position], ensure_ascii=False, separators=(",", ":")),
        refusals=records.refusals,
        n_ignored=n_ignored,
        first_row=first_row,
    )
