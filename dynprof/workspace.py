"""The folder everything of one corpus lives under, on any file system that Arrow reads.

A file appears whole or not at all: on a disk it is written under a temporary name, then renamed; for an object store it
is written aside and put there in one piece. A folder is finished when its `manifest.json` is there.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

from dynprof.errors import DynprofError, WorkspaceError
from dynprof.filesystems import open_input, resolve_filesystem, stores_objects, what_to_do

__all__ = ["FORMAT_VERSION", "Workspace"]

_IN_MEMORY_BYTES = 64 << 20  # of a file on its way to an object store; beyond that it waits on the local disk
_UPLOAD_BYTES = 8 << 20
_TEMPORARY = re.compile(r"\.[0-9a-f]{32}-.+")

FORMAT_VERSION = 2
"""Version of the formats in docs/formats.md; a manifest of another version is refused."""


class Workspace:
    """Paths, atomic writes and manifests below one root. Cheap to make and to pickle.

    Args:
        uri: Local path or URI of the root; need not exist yet.
    """

    def __init__(self, uri: str | Path) -> None:
        self.uri = str(uri) if "://" in str(uri) else Path(uri).expanduser().absolute().as_posix()

    def __getstate__(self) -> dict[str, str]:
        return {"uri": self.uri}

    def __repr__(self) -> str:
        return f"Workspace({self.uri!r})"

    @cached_property
    def _resolved(self) -> tuple[pafs.FileSystem, str]:
        return resolve_filesystem(self.uri)

    @property
    def filesystem(self) -> pafs.FileSystem:
        """The Arrow file system of the root."""
        return self._resolved[0]

    @property
    def is_local(self) -> bool:
        """True where files can be memory-mapped and renamed."""
        return isinstance(self.filesystem, pafs.LocalFileSystem)

    def path(self, *parts: str) -> str:
        """Path within `filesystem` of a file below the root."""
        return posixpath.join(self._resolved[1], *parts)

    def exists(self, *parts: str) -> bool:
        """True when there is a file or folder of that path."""
        return bool(self.filesystem.get_file_info(self.path(*parts)).type != pafs.FileType.NotFound)

    def files(self, *parts: str, suffix: str = "") -> list[str]:
        """Names of the files directly in a folder, sorted, without temporary ones; [] where there is no folder."""
        selector = pafs.FileSelector(self.path(*parts), allow_not_found=True)
        names = [i.base_name for i in self.filesystem.get_file_info(selector) if i.type == pafs.FileType.File]
        return sorted(n for n in names if n.endswith(suffix) and not n.startswith("."))

    def folders(self, *parts: str) -> list[str]:
        """Names of the folders directly in a folder, sorted; [] where there is none."""
        selector = pafs.FileSelector(self.path(*parts), allow_not_found=True)
        infos = self.filesystem.get_file_info(selector)
        return sorted(i.base_name for i in infos if i.type == pafs.FileType.Directory)

    def size_bytes(self, *parts: str) -> int:
        """Bytes of a file, or of all files below a folder."""
        info = self.filesystem.get_file_info(self.path(*parts))
        if info.type != pafs.FileType.Directory:
            return int(info.size or 0)
        below = self.filesystem.get_file_info(pafs.FileSelector(info.path, recursive=True))
        return sum(int(i.size or 0) for i in below)

    def sweep(self, *parts: str) -> None:
        """Delete the half-written files that a killed job left directly in a folder. Not while a job writes there."""
        selector = pafs.FileSelector(self.path(*parts), allow_not_found=True)
        for info in self.filesystem.get_file_info(selector):
            if info.type == pafs.FileType.File and _TEMPORARY.fullmatch(info.base_name):
                self.filesystem.delete_file(info.path)

    def remove(self, *parts: str) -> None:
        """Delete a file or a folder with all it holds; nothing happens when it is not there.

        A folder's manifest goes first: killed half way, it leaves an unfinished folder, not a finished one with holes.
        """
        kind = self.filesystem.get_file_info(self.path(*parts)).type
        if kind == pafs.FileType.Directory:
            if self.exists(*parts, "manifest.json"):
                self.filesystem.delete_file(self.path(*parts, "manifest.json"))
            self.filesystem.delete_dir(self.path(*parts))
        elif kind == pafs.FileType.File:
            self.filesystem.delete_file(self.path(*parts))

    @contextmanager
    def create(self, *parts: str) -> Iterator[pa.NativeFile]:
        """Open a file for writing that appears under its name only when the block ends without an error.

        Raises:
            WorkspaceError: The file cannot be written, for example because the disk is full; nothing is left of it.
        """
        final = self.path(*parts)
        write = self._put if stores_objects(self.filesystem) else self._rename
        try:
            with write(final) as sink:
                yield sink
        except OSError as error:
            if isinstance(error, DynprofError):
                raise
            advice = what_to_do(error) or (
                "Make room if the disk is full, then run the same command again: finished parts are not redone."
            )
            raise WorkspaceError(
                f"{final}: expected to write the file whole, found: {error}. Nothing of it was kept. {advice}"
            ) from error

    @contextmanager
    def _rename(self, final: str) -> Iterator[pa.NativeFile]:
        folder, name = posixpath.split(final)
        target = posixpath.join(folder, f".{uuid.uuid4().hex}-{name}")
        try:
            self.filesystem.create_dir(folder)
            with self.filesystem.open_output_stream(target) as sink:
                yield sink
            if self.is_local:
                _sync(target)  # a power cut must not leave a manifest beside files that never reached the disk
            self.filesystem.move(target, final)
        except BaseException:
            if self.filesystem.get_file_info(target).type == pafs.FileType.File:
                self.filesystem.delete_file(target)
            raise

    @contextmanager
    def _put(self, final: str) -> Iterator[pa.NativeFile]:
        """Written aside, because Arrow cannot abort an upload: closing a stream, also after an error, completes it."""
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as aside:
            sink = pa.PythonFile(aside, mode="w")
            yield sink
            sink.flush()
            # In a thread: there no interrupt can come between two pieces and complete half an upload.
            with ThreadPoolExecutor(1) as uploading:
                uploading.submit(_upload, aside, self.filesystem, final).result()

    def write_parquet(
        self, table: pa.Table, *parts: str, metadata: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        """Write one Parquet file; `metadata` lands as JSON under the key `dynprof` of the schema."""
        settings: dict[str, Any] = options or {"compression": "zstd", "compression_level": 1}
        if metadata is not None:
            table = table.replace_schema_metadata({"dynprof": json.dumps(metadata)})
        with self.create(*parts) as sink:
            pq.write_table(table, sink, **settings)

    def read_parquet(self, *parts: str, columns: list[str] | None = None, filters: Any = None) -> pa.Table:
        """Read one Parquet file; `filters` as in `pyarrow.parquet.read_table`."""
        with open_input(self.filesystem, self.path(*parts)) as source:
            return pq.read_table(source, columns=columns, filters=filters, partitioning=None)

    def iter_parquet(self, *parts: str, columns: list[str], rows: int) -> Iterator[pa.Table]:
        """Read one Parquet file in slices of at most so many rows; no slice where it has no rows."""
        with open_input(self.filesystem, self.path(*parts)) as source:
            for batch in pq.ParquetFile(source).iter_batches(rows, columns=columns):
                yield pa.Table.from_batches([batch])

    def parquet_metadata(self, *parts: str) -> dict[str, Any]:
        """What `write_parquet` was given as metadata, plus `n_rows`."""
        with open_input(self.filesystem, self.path(*parts)) as source:
            footer = pq.ParquetFile(source)
            stored = (footer.metadata.metadata or {}).get(b"dynprof", b"{}")
            return {**json.loads(stored), "n_rows": footer.metadata.num_rows}

    def write_ipc(
        self,
        batches: Iterable[pa.RecordBatch],
        schema: pa.Schema,
        *parts: str,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Write one uncompressed Arrow IPC file, to be memory-mapped."""
        if metadata is not None:
            schema = schema.with_metadata({"dynprof": json.dumps(metadata)})
        with self.create(*parts) as sink, ipc.new_file(sink, schema) as writer:
            for batch in batches:
                writer.write_batch(batch.cast(schema) if batch.schema != schema else batch)

    def open_ipc(self, *parts: str, columns: Sequence[str] = ()) -> ipc.RecordBatchFileReader:
        """Open an Arrow IPC file: memory-mapped when local, ranged reads otherwise.

        Args:
            parts: Of the path.
            columns: What to read; empty reads all.
        """
        path = self.path(*parts)
        source = pa.memory_map(path) if self.is_local else open_input(self.filesystem, path)
        if not columns:
            return ipc.open_file(source)
        fields = [ipc.open_file(source).schema.get_field_index(name) for name in columns]
        return ipc.open_file(source, options=ipc.IpcReadOptions(included_fields=fields))

    def ipc_metadata(self, *parts: str) -> dict[str, Any]:
        """What `write_ipc` was given as metadata."""
        loaded: dict[str, Any] = json.loads((self.open_ipc(*parts).schema.metadata or {}).get(b"dynprof", b"{}"))
        return loaded

    def write_manifest(self, manifest: Mapping[str, Any], *folder: str) -> None:
        """Declare a folder finished. The last write into it."""
        with self.create(*folder, "manifest.json") as sink:
            text = json.dumps({"format_version": FORMAT_VERSION, **manifest}, indent=2, sort_keys=True)
            sink.write(text.encode() + b"\n")

    def read_manifest(self, *folder: str) -> dict[str, Any] | None:
        """The manifest of a folder; None where the folder is absent or unfinished.

        Raises:
            WorkspaceError: The manifest is of another format version or is not JSON.
        """
        if not self.exists(*folder, "manifest.json"):
            return None
        path = self.path(*folder, "manifest.json")
        with open_input(self.filesystem, path) as source:
            raw = source.read()
        try:
            manifest = json.loads(raw)
            version = manifest["format_version"]
        except (ValueError, TypeError, KeyError) as error:
            raise WorkspaceError(
                f"{path}: expected a JSON object with `format_version`, found {raw[:60]!r}. "
                "Remove the folder and run the job again."
            ) from error
        if version != FORMAT_VERSION:
            raise WorkspaceError(
                f"{path}: expected format version {FORMAT_VERSION}, found {version!r}. Use the dynprof version that "
                "wrote it, or build a new workspace."
            )
        return dict(manifest)

    def require_manifest(self, *folder: str, made_by: str) -> dict[str, Any]:
        """`read_manifest`, but a missing one is an error that names the job to run.

        Raises:
            WorkspaceError: The folder is absent or unfinished.
        """
        manifest = self.read_manifest(*folder)
        if manifest is None:
            raise WorkspaceError(
                f"{self.path(*folder)}: expected a finished folder with manifest.json, found "
                f"{'an unfinished one' if self.exists(*folder) else 'nothing'}. Run `python -m jobs.{made_by}` first."
            )
        return manifest


def _sync(path: str) -> None:
    with Path(path).open("rb") as written:
        os.fsync(written.fileno())


def _upload(source: IO[bytes], filesystem: pafs.FileSystem, path: str) -> None:
    """Put what `source` holds under a name; it appears there when the last piece has arrived."""
    source.seek(0)
    with filesystem.open_output_stream(path, compression=None) as sink:
        while piece := source.read(_UPLOAD_BYTES):
            sink.write(piece)
