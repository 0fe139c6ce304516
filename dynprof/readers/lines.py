"""Lines of a file, a bounded number at a time, and the byte ranges that share them out."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from dynprof.errors import InputFileError
from dynprof.readers.chunks import CHUNK_BYTES, CHUNK_ROWS
from dynprof.readers.streams import open_random_access

__all__ = ["MAX_LINE_BYTES", "count_lines", "line_blocks", "part_range"]

MAX_LINE_BYTES = 256 << 20
"""A longer "line" means a file that is no text, or one document that should be many lines."""

_SCAN_BYTES = 1 << 20


def line_blocks(
    source: pa.NativeFile, path: str, *, n_bytes: int | None = None, block_bytes: int = CHUNK_BYTES
) -> Iterator[list[bytes]]:
    r"""Lines from where `source` stands, without their line feeds, as lists of at most `CHUNK_ROWS`.

    Args:
        source: Where to read.
        path: The file, for the error.
        n_bytes: Stop after as many; None: at the end.
        block_bytes: Read about as many at a time.

    Raises:
        InputFileError: A line is longer than `MAX_LINE_BYTES`.
    """
    pieces: list[bytes] = []  # of a line whose end has not been read
    left = n_bytes
    while block := source.read(block_bytes if left is None else min(block_bytes, left)):
        left = None if left is None else left - len(block)
        head, newline, rest = block.partition(b"\n")
        pieces.append(head)
        if newline:
            *lines, tail = rest.split(b"\n")
            yield from _slices([b"".join(pieces), *lines])
            pieces = [tail]
        elif sum(map(len, pieces)) > MAX_LINE_BYTES:
            raise InputFileError(
                f"{path}: expected lines of at most {MAX_LINE_BYTES:,} bytes, found a longer one. "
                "Write one JSON object a line."
            )
    if last := b"".join(pieces):
        yield [last]


def _slices(lines: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(lines), CHUNK_ROWS):
        yield lines[start : start + CHUNK_ROWS]


def part_range(path: str, part: int, n_parts: int) -> tuple[int, int]:
    """Bytes [begin, stop) of one of `n_parts` parts of an uncompressed file, each a whole number of lines.

    Neighbours compute their common border in the same way, so every line is in exactly one part.
    """
    with open_random_access(path) as source:
        size = source.size()
        begin, stop = (_line_start(source, size * p // n_parts, size) for p in (part, part + 1))
    return begin, stop


def _line_start(source: pa.NativeFile, offset: int, size: int) -> int:
    """Where the first line begins that begins at or after `offset`; `size` if none does."""
    if offset == 0:
        return 0
    position = offset - 1  # a line feed here makes `offset` itself a beginning
    source.seek(position)
    while block := source.read(_SCAN_BYTES):
        if (found := block.find(b"\n")) >= 0:
            return int(position + found + 1)
        position += len(block)
    return size


def count_lines(path: str, stop: int) -> int:
    """Line feeds in the first `stop` bytes of an uncompressed file."""
    n_lines = 0
    with open_random_access(path) as source:
        while stop > 0 and (block := source.read(min(CHUNK_BYTES, stop))):
            n_lines += block.count(b"\n")
            stop -= len(block)
    return n_lines
