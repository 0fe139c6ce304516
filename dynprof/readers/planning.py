"""Sharing the input out: from patterns to splits, the same for the same files on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from dynprof.checks import TableName
from dynprof.readers.json_lines import layout_is_lines
from dynprof.readers.listing import SourceFile, list_files
from dynprof.readers.parquet import row_group_parts
from dynprof.readers.recognise import check_format_name, recognise
from dynprof.readers.splits import JSON_FORMATS, Split
from dynprof.readers.streams import compression_of, naming

__all__ = ["plan_splits"]

_MAX_TEXT_PARTS = 64  # a refused line costs a count of the lines before its part: not too many parts
_N_THREADS = 16  # looking into files on object storage is waiting


def plan_splits(
    patterns: Sequence[str],
    *,
    format: str = "auto",  # noqa: A002 - the name of the flag
    table: TableName = "events",
    max_split_bytes: int = 64 << 20,
) -> list[Split]:
    """Share the files that `patterns` name out into splits, after checking that each is what it says.

    Parquet is split at row groups, uncompressed JSON lines at line ends; any other file is one split, because a quoted
    CSV field may hold line ends and a compressed file has no middle to begin at.

    Args:
        patterns: Files, folders and globs; see `list_files`.
        format: "auto", or what every file is.
        table: What the files hold; the plan is the same for all.
        max_split_bytes: Bytes of a split where the format allows; a single row group may be larger.

    Raises:
        InputFileError: A pattern matches nothing, or a file is not what it says.
        ConfigError: `format` is no format.
    """
    del table  # each format can hold any table
    check_format_name(format)
    files = list_files(patterns, any_suffix=format != "auto")
    with ThreadPoolExecutor(_N_THREADS) as pool:
        per_file = list(pool.map(partial(_plan_file, format_=format, max_bytes=max_split_bytes), files))
    return [replace(split, index=i) for i, split in enumerate(s for splits in per_file for s in splits)]


def _plan_file(file: SourceFile, *, format_: str, max_bytes: int) -> list[Split]:
    with naming(file.path, f"a readable {'input' if format_ == 'auto' else format_} file"):
        found = recognise(file.path, format_)
        if found == "parquet":
            parts = row_group_parts(file.path, max_bytes)
            return [_split(file, found, i, len(parts), *part) for i, part in enumerate(parts)]
        return _plan_text(file, found, max_bytes)


def _plan_text(file: SourceFile, found: str, max_bytes: int) -> list[Split]:
    n_parts = 1
    if found in JSON_FORMATS and compression_of(file.path) is None and file.size_bytes > max_bytes:
        n_parts = min(_MAX_TEXT_PARTS, -(-file.size_bytes // max_bytes)) if layout_is_lines(file.path) else 1
    borders = [file.size_bytes * i // n_parts for i in range(n_parts + 1)]
    return [_split(file, found, i, n_parts, None, borders[i + 1] - borders[i]) for i in range(n_parts)]


def _split(
    file: SourceFile, found: str, part: int, n_parts: int, groups: tuple[int, ...] | None, size_bytes: int
) -> Split:
    return Split(file.path, found, part, n_parts, groups, index=-1, size_bytes=size_bytes)
