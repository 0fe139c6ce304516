"""Opening input files: any file system, compressed or not, and errors that name the file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from dynprof.errors import DynprofError, InputFileError
from dynprof.filesystems import open_input, resolve_filesystem, stores_objects, what_to_do

__all__ = ["compression_of", "naming", "open_random_access", "open_stream", "suffix_of"]

_BUFFER_BYTES = 4 << 20  # on object storage every unbuffered read is a request
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


def compression_of(path: str) -> str | None:
    """Codec that the name of a file promises; None for an uncompressed one."""
    return next((codec for suffix, codec in _COMPRESSIONS.items() if _name(path).endswith(suffix)), None)


def suffix_of(path: str) -> str:
    """Last suffix of a file's name in lower case, without that of the compression: ".json" of "a.b.JSON.gz"."""
    name = _name(path)
    if compression_of(path) is not None:
        name = name.rpartition(".")[0]
    return f".{name.rpartition('.')[2]}" if "." in name else ""


def _name(path: str) -> str:
    plain = path.partition("?")[0] if "://" in path else path
    return plain.rpartition("/")[2].lower()


def open_random_access(path: str) -> pa.NativeFile:
    """Open a file for ranged reads, as it lies there."""
    filesystem, inner = resolve_filesystem(path)
    return open_input(filesystem, inner)


def open_stream(path: str) -> pa.NativeFile:
    """Open a file for one pass, decompressed as its name promises."""
    filesystem, inner = resolve_filesystem(path)
    if stores_objects(filesystem):
        raw = pa.BufferedInputStream(open_input(filesystem, inner), _BUFFER_BYTES)
    else:
        raw = filesystem.open_input_stream(inner, compression=None, buffer_size=_BUFFER_BYTES)
    codec = compression_of(path)
    return raw if codec is None else pa.CompressedInputStream(raw, codec)


@contextmanager
def naming(path: str, expected: str) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an error that names it.

    Args:
        path: The file.
        expected: What it should have been, for the message ("a readable Parquet file").

    Raises:
        InputFileError: The file is absent, unreadable, broken off or of another kind.
    """
    try:
        yield
    except DynprofError:
        raise
    except (OSError, EOFError, pa.ArrowException) as error:
        advice = what_to_do(error) or "Replace the file or leave it out of the input."
        raise InputFileError(f"{path}: expected {expected}, found: {error}. {advice}") from error
