"""JSON files that are not lines: one array, or documents spread over many lines. Read value by value."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

import pyarrow as pa

from dynprof.errors import InputFileError
from dynprof.readers.chunks import CHUNK_BYTES, CHUNK_ROWS

__all__ = ["MAX_VALUE_CHARS", "is_lines", "value_blocks"]

MAX_VALUE_CHARS = 256 << 20
"""One element or document is decoded whole: a bound on memory."""

_READ_BYTES = 1 << 20
_BLANK = re.compile(r"[ \t\r\n]*")


def is_lines(first_line: bytes) -> bool:
    """Whether a `.json` file whose first line that is not blank is this one holds a record a line.

    It does when the line is a value by itself, and also when it is broken; not when it opens an array, or an object
    that goes on below.
    """
    line = first_line.removeprefix(codecs.BOM_UTF8).strip()
    if line.startswith(b"["):
        return False
    try:
        json.loads(line.decode(errors="replace"))
    except json.JSONDecodeError as error:
        return error.pos < len(error.doc)
    except (ValueError, RecursionError):
        return True
    return True


def value_blocks(source: pa.NativeFile, path: str) -> Iterator[list[bytes]]:
    """The elements of a top-level array, or the documents one after the other, as UTF-8 JSON in bounded lists.

    Raises:
        InputFileError: The text breaks off, or is not JSON. Unlike in a file of lines, nothing after the fault can be
            trusted.
    """
    block: list[bytes] = []
    size = 0
    for value in _values(_Window(source, path)):
        block.append(value)
        size += len(value)
        if size >= CHUNK_BYTES or len(block) >= CHUNK_ROWS:
            yield block
            block, size = [], 0
    if block:
        yield block


def _values(window: _Window) -> Iterator[bytes]:
    if window.peek() != "[":
        while window.peek():
            yield window.take()
        return
    window.skip("[")
    if window.peek() != "]":
        yield window.take()
        while window.peek() == ",":
            window.skip(",")
            yield window.take()
    window.skip("]")
    if window.peek():
        raise window.fault("the end of the file after the array", window.text[window.at :])


class _Window:
    """The part of a JSON text that is not decoded yet; read on demand.

    Bytes that are no UTF-8 pass through as surrogates and come out as they were: the record that holds them is
    refused later, not the file.
    """

    def __init__(self, source: pa.NativeFile, path: str) -> None:
        self.text = ""
        self.at = 0
        self._source = source
        self._path = path
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._ended = False

    def peek(self) -> str:
        """The next character that is not blank; "" at the end."""
        while True:
            match = _BLANK.match(self.text, self.at)
            self.at = match.end() if match else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more():
                return ""

    def skip(self, expected: str) -> None:
        if (found := self.peek()) != expected:
            raise self.fault(repr(expected), found)
        self.at += 1

    def take(self) -> bytes:
        """The next value, as it stands in the file."""
        self.peek()
        decoder = json.JSONDecoder()
        while True:
            try:
                end = decoder.raw_decode(self.text, self.at)[1]
            except RecursionError as error:
                raise self.fault("JSON of less depth", str(error)) from error
            except ValueError as error:
                if not self._more():
                    raise self.fault("a whole JSON value", str(error)) from error
                continue
            if end < len(self.text) or not self._more():  # a number may go on in the next block
                value, self.at = self.text[self.at : end], end
                return value.encode(errors="surrogateescape")

    def fault(self, expected: str, found: str) -> InputFileError:
        return InputFileError(
            f"{self._path}: expected {expected}, found {found[:60] or 'the end of the file'!r}. "
            "The file is broken or cut off; JSON lines (.jsonl) survive a broken record."
        )

    def _more(self) -> bool:
        """Read on; each time at least as much as is pending, so that a long value is not decoded again and again."""
        pending = self.text[self.at :]
        if len(pending) > MAX_VALUE_CHARS:
            raise self.fault(f"values of at most {MAX_VALUE_CHARS:,} characters", "a longer one")
        if self._ended:
            return False
        block = self._source.read(max(_READ_BYTES, len(pending)))
        self._ended = not block
        self.text, self.at = pending + self._utf8.decode(block, final=self._ended), 0
        return not self._ended or len(self.text) > len(pending)
