"""CSV and TSV to chunks: every field a string, the checks make of it what it is."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from dynprof.checks import TableName
from dynprof.errors import InputFileError
from dynprof.readers.chunks import CHUNK_BYTES, CHUNK_ROWS, Chunk, Refusal
from dynprof.readers.columns import resolve_columns
from dynprof.readers.splits import Split
from dynprof.readers.streams import open_stream, suffix_of

__all__ = ["read_csv", "read_header"]

# A quotation mark that is never closed would otherwise swallow the rest of the file into memory.
_MAX_FIELD_CHARS = 64 << 20
_DELIMITERS = ",;\t"


def read_csv(split: Split, kind: TableName, columns: Mapping[str, str]) -> Iterator[Chunk]:
    """Read a file. Lines count from 0, the header is line 0, and a row stands at the line where it begins.

    Rows may be quoted over several lines. A row with another number of fields than the header, or with a quotation
    mark inside a quoted field, is refused by itself.

    Raises:
        InputFileError: No header, a file that breaks off, or a quotation mark that is never closed.
        MissingColumnError: See `resolve_columns`.
    """
    with open_stream(split.path) as source:
        rows = _Rows(source, split.path)
        header = rows.header()
        resolved = resolve_columns(header, columns, kind, path=split.path)
        picked = {ours: header.index(theirs) for ours, theirs in resolved.items()}
        while batch := rows.batch(len(header)):
            yield batch.chunk(header, picked)


def read_header(path: str) -> list[str]:
    """Column names.

    Raises:
        InputFileError: There are none, or they are no text.
    """
    with open_stream(path) as source:
        return _Rows(source, path).header()


@dataclass
class _Batch:
    """Rows of strings with surrogates in place of bytes that are no UTF-8."""

    rows: list[list[str]] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.refusals)

    def chunk(self, header: list[str], picked: Mapping[str, int]) -> Chunk:
        table = pa.table({ours: _column([row[i] for row in self.rows]) for ours, i in picked.items()})
        return Chunk(
            table=table,
            rows=np.array(self.lines, np.int64),
            raw=lambda position: _json(dict(zip(header, self.rows[position], strict=True))),
            refusals=self.refusals,
        )


class _Rows:
    """The rows of a CSV file with the lines on which they begin."""

    def __init__(self, source: pa.NativeFile, path: str) -> None:
        self._path = path
        self._text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._pending: list[str] = []  # lines of the row that is being read
        self._reader: Iterator[list[str]] = iter(())
        self._line = 0

    def header(self) -> list[str]:
        """Read the first row; call this once, first."""
        first = self._text.readline()
        delimiter = "\t" if suffix_of(self._path) == ".tsv" else max(_DELIMITERS, key=first.count)
        csv.field_size_limit(_MAX_FIELD_CHARS)  # a setting of the whole process: the same everywhere
        self._reader = csv.reader(self._taped(first), delimiter=delimiter, strict=True)
        names = self._next() if first.strip() else None
        if not isinstance(names, list) or any("\0" in n or _clean(n) != n for n in names):
            raise InputFileError(
                f"{self._path}: expected a line of column names in UTF-8, found {first[:60]!a}. "
                "Add a header, or save the file as UTF-8 text."
            )
        return [name.strip() for name in names]

    def batch(self, n_fields: int) -> _Batch:
        """The next rows, at most `CHUNK_ROWS` and about `CHUNK_BYTES` characters; empty at the end."""
        batch = _Batch()
        size = 0
        while size < CHUNK_BYTES and len(batch.lines) + len(batch.refusals) < CHUNK_ROWS:
            line = self._line
            found = self._next()
            if found is None:
                break
            size += sum(map(len, self._pending))
            if isinstance(found, list) and len(found) == n_fields:
                batch.rows.append(found)
                batch.lines.append(line)
            elif found:
                batch.refusals.append(self._refusal(line, found, n_fields))
        return batch

    def _taped(self, first: str) -> Iterator[str]:
        line = first
        while line:
            self._pending.append(line)
            self._line += 1
            yield line
            line = self._text.readline()

    def _next(self) -> list[str] | str | None:
        """The fields of the next row ([] for a blank line), what is wrong with it, or None at the end."""
        self._pending.clear()
        try:
            return next(self._reader, None)
        except csv.Error as error:
            if "unexpected end" in str(error) or "field larger" in str(error):
                raise InputFileError(
                    f"{self._path}: expected every quotation mark to be closed, found one that is not, in the row that "
                    f"begins at line {self._line - len(self._pending)} (from 0). Repair that row."
                ) from error
            return str(error)

    def _refusal(self, line: int, found: list[str] | str, n_fields: int) -> Refusal:
        what = found if isinstance(found, str) else f"{len(found)} fields"
        raw = json.dumps(_clean("".join(self._pending).rstrip("\r\n")), ensure_ascii=False)
        return Refusal(line, "wrong_number_of_fields", f"row: expected {n_fields} fields, found {what}", raw)


def _column(values: list[str]) -> pa.Array:
    """Strings, or bytes where some are no UTF-8: the checks refuse those."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array([value.encode(errors="surrogateescape") for value in values], pa.binary())


def _json(row: Mapping[str, str]) -> str:
    return json.dumps({name: _clean(value) for name, value in row.items()}, ensure_ascii=False)


def _clean(text: str) -> str:
    return text.encode(errors="surrogateescape").decode(errors="replace")
