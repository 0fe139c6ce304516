"""What a file really is, whatever its name says: checked before any work begins."""

from __future__ import annotations

from dynprof.errors import ConfigError, InputFileError
from dynprof.readers.csv_files import read_header
from dynprof.readers.jetstream import is_jetstream
from dynprof.readers.json_lines import head_records, layout_is_lines
from dynprof.readers.listing import SUFFIXES
from dynprof.readers.splits import FORMATS, JSON_FORMATS
from dynprof.readers.streams import compression_of, open_random_access, suffix_of
from dynprof.readers.x_api import is_x_api

__all__ = ["check_format_name", "recognise"]

_MAGIC = {
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file (name it .gz)",
    b"BZh": "a bzip2 file (name it .bz2)",
    b"\x28\xb5\x2f\xfd": "a zstd file (name it .zst)",
    b"PK\x03\x04": "a zip archive (unpack it)",
    b"\xff\xfe": "UTF-16 text (save it as UTF-8)",
    b"\xfe\xff": "UTF-16 text (save it as UTF-8)",
}


def check_format_name(name: str) -> None:
    """Raises ConfigError: Neither `auto` nor one of `FORMATS`."""
    if name not in ("auto", *FORMATS):
        raise ConfigError(f"--format: expected auto, {', '.join(FORMATS)}, found {name!r}.")


def recognise(path: str, format_: str = "auto") -> str:
    """The format of a file, one of `FORMATS`, after a look at its first bytes.

    Args:
        path: An existing file.
        format_: What it is said to be; "auto": by its name, and among the JSON formats by its first record.

    Raises:
        InputFileError: The file is not what it is said to be, or nobody knows what it is.
    """
    promised = SUFFIXES.get(suffix_of(path)) if format_ == "auto" else format_
    with open_random_access(path) as source:
        start = source.read(4)
    if promised is None:
        promised = "parquet" if start == b"PAR1" else _unknown(path)
    _check_magic(path, promised, start)
    if promised == "csv":
        read_header(path)
    return _json_format(path, promised) if promised in ("json", *JSON_FORMATS) else promised


def _unknown(path: str) -> str:
    raise InputFileError(
        f"{path}: expected a name that ends in {', '.join(SUFFIXES)} (text also in .gz, .bz2, .zst), found another. "
        f"Rename the file, leave it out, or say what it is with --format {'|'.join(FORMATS)}."
    )


def _check_magic(path: str, promised: str, start: bytes) -> None:
    found = next((what for magic, what in _MAGIC.items() if start.startswith(magic)), None)
    if promised == "parquet" and start != b"PAR1":
        raise _surprise(path, "Parquet (it begins with PAR1)", found or repr(start))
    if promised != "parquet" and found and compression_of(path) is None:
        raise _surprise(path, f"{promised} text", found)


def _json_format(path: str, promised: str) -> str:
    objects, has_content = head_records(path, as_lines=layout_is_lines(path))
    if has_content and not objects:
        raise _surprise(path, "JSON objects", "none in its first MiB")
    if promised != "json":
        return promised
    if objects and is_jetstream(objects[0]):
        return "jetstream"
    return "x-api-v2" if objects and is_x_api(objects[0]) else "jsonl"


def _surprise(path: str, expected: str, found: str) -> InputFileError:
    return InputFileError(
        f"{path}: expected {expected}, found {found}. Rename the file after what it is, or say so with --format."
    )
