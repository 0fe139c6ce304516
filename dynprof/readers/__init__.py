"""Reading what people bring: files to checked tables, a bounded chunk at a time, no row lost in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import cast

from dynprof.checks import TableName
from dynprof.readers.chunks import Checked, Chunk, check_chunk
from dynprof.readers.columns import parse_columns
from dynprof.readers.csv_files import read_csv
from dynprof.readers.json_chunks import read_json
from dynprof.readers.parquet import read_parquet
from dynprof.readers.planning import plan_splits
from dynprof.readers.splits import FORMATS, JSON_FORMATS, Split
from dynprof.readers.streams import naming

__all__ = ["FORMATS", "Checked", "Split", "TableName", "parse_columns", "plan_splits", "read_split"]

_Reader = Callable[[Split, TableName, Mapping[str, str]], Iterator[Chunk]]
_READERS: dict[str, _Reader] = {"parquet": read_parquet, "csv": read_csv, **dict.fromkeys(JSON_FORMATS, read_json)}


def read_split(split: Split, *, table: str, columns: Mapping[str, str], now: float) -> Iterator[Checked]:
    """Read and check one split in bounded chunks, in the order of the file.

    Args:
        split: From `plan_splits`.
        table: `events`, `users` or `items`.
        columns: Our names to theirs, from `parse_columns`. X API and Jetstream records need none.
        now: Unix seconds; later events are refused.

    Raises:
        MissingColumnError: A needed column is absent.
        InputFileError: The file breaks off or cannot be read. Chunks before the fault have been given already.
    """
    kind = cast("TableName", table)
    chunks = _READERS[split.format](split, kind, columns)
    while (chunk := _next(chunks, split)) is not None:
        yield check_chunk(chunk, kind, source=split.path, now=now)


def _next(chunks: Iterator[Chunk], split: Split) -> Chunk | None:
    with naming(split.path, f"a whole {split.format} file"):
        return next(chunks, None)
