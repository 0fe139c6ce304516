"""JSON files to records: lines, an array or documents. A broken line costs that line and nothing else."""

from __future__ import annotations

import codecs
import json
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson

from dynprof.readers.chunks import CHUNK_BYTES, Refusal
from dynprof.readers.json_values import is_lines, value_blocks
from dynprof.readers.lines import line_blocks
from dynprof.readers.streams import open_stream, suffix_of

__all__ = ["Records", "head_records", "json_blocks", "layout_is_lines", "parse_records"]

_HEAD_BYTES = 1 << 20


@dataclass(frozen=True)
class Records:
    """What a list of lines holds.

    Attributes:
        objects: (n,) JSON objects, free of lone surrogates.
        rows: (n,) line of each.
        raws: (n,) the lines themselves.
        refusals: Lines that hold no object.
    """

    objects: list[dict[str, Any]] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    raws: list[bytes] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


def layout_is_lines(path: str) -> bool:
    """Whether a JSON file holds one record a line; decided by its name, or for `.json` by how it begins."""
    if suffix_of(path) in (".jsonl", ".ndjson"):
        return True
    with open_stream(path) as source:
        if source.read(_HEAD_BYTES).removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"["):
            return False  # known without its end: the line may be as long as the file
    with open_stream(path) as source:
        lines = (line for block in line_blocks(source, path, block_bytes=_HEAD_BYTES) for line in block)
        return is_lines(next((line for line in lines if line.strip()), b""))


def json_blocks(path: str, *, as_lines: bool, block_bytes: int = CHUNK_BYTES) -> Generator[list[bytes]]:
    """The records of a whole file as JSON texts, in bounded lists.

    Args:
        path: Compressed or not.
        as_lines: What `layout_is_lines` said; else elements of an array, or documents.
        block_bytes: Read about as many at a time.
    """
    with open_stream(path) as source:
        blocks = line_blocks(source, path, block_bytes=block_bytes) if as_lines else value_blocks(source, path)
        yield from blocks


def head_records(path: str, *, as_lines: bool) -> tuple[list[dict[str, Any]], bool]:
    """Objects at the beginning of a file (about the first MiB), and whether there is anything at all but blanks."""
    with closing(json_blocks(path, as_lines=as_lines, block_bytes=_HEAD_BYTES)) as blocks:
        for block in blocks:
            records = parse_records(block)
            if records.objects or records.refusals:
                return records.objects, True
    return [], False


def parse_records(lines: Sequence[bytes], *, first_row: int = 0) -> Records:
    """Parse JSON texts one by one; blank ones are skipped, those that are no object refused."""
    records = Records()
    for row, line in enumerate(lines, first_row):
        try:
            value: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            if not line.strip():
                continue
            value = _salvage(line, row)
        if isinstance(value, dict):
            records.objects.append(value)
            records.rows.append(row)
            records.raws.append(line)
        elif isinstance(value, Refusal):
            records.refusals.append(value)
        else:
            detail = f"record: expected a JSON object, found {type(value).__name__}"
            records.refusals.append(Refusal(row, "not_an_object", detail, _shown(line)))
    return records


def _salvage(line: bytes, row: int) -> Any:
    """What orjson refuses and others write: NaN, a byte order mark. A `Refusal` that says why for all else."""
    text = line.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape")
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        detail = f"record: expected valid UTF-8 without lone surrogates, found {error.object[error.start]!a}"
        return Refusal(row, "text_not_unicode", detail, _shown(line))
    except (ValueError, RecursionError) as error:
        detail = f"record: expected JSON, found: {str(error)[:200]!a}"
        return Refusal(row, "not_json", detail, _shown(line))
    return value


def _shown(line: bytes) -> str:
    return line.decode(errors="replace")
