"""A world as Parquet files: what a user of dynprof brings, and the truth beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dynprof import __version__
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.filesystems import open_input
from dynprof.schema import RAW_ITEMS, RAW_USERS
from dynprof.workspace import Workspace
from dynprof.world.chunks import EVENT_COLUMNS, TRUTH_ITEMS, World
from dynprof.world.spec import WorldSpec
from dynprof.world.truth import (
    TRUTH_INTERESTS,
    TRUTH_SUDDEN,
    TRUTH_USERS,
    iterate_truth_interests,
    iterate_truth_users,
    iterate_users,
    truth_sudden,
)

__all__ = ["SCHEMAS", "prepare_folder", "read_world", "write_world"]

SCHEMAS = {
    "events": EVENT_COLUMNS,
    "users": RAW_USERS,
    "items": RAW_ITEMS,
    "truth-interests": TRUTH_INTERESTS,
    "truth-items": TRUTH_ITEMS,
    "truth-sudden": TRUTH_SUDDEN,
    "truth-users": TRUTH_USERS,
}
"""Tables by the first part of their files' names."""

_MANIFEST = "world.json"
_ROW_GROUP = 65_536


class SplitParquet(AbstractContextManager["SplitParquet"]):
    """Writes a table of unknown length as files `<name>-00000.parquet`, ... of equal length, in bounded memory.

    What the files hold depends on the rows and on `rows_per_file` only, not on how the rows arrive. At least one file
    comes out, empty but with its columns where there are no rows.

    Args:
        folder: Where.
        name: First part of the files' names, a key of `SCHEMAS`.
        rows_per_file: > 0.
    """

    def __init__(self, folder: Workspace, name: str, rows_per_file: int) -> None:
        self._folder, self._name, self._schema, self._limit = folder, name, SCHEMAS[name], rows_per_file
        self._waiting: list[pa.Table] = []
        self._n_waiting = self._n_in_file = self._n_files = self.n_rows = 0
        self._file = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Add rows at the end."""
        self._waiting.append(table)
        self._n_waiting += len(table)
        self.n_rows += len(table)
        while self._n_waiting >= self._room():
            self._write_group(self._room())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and (self._n_waiting or not self._n_files):
            self._write_group(self._n_waiting)
        # The open file learns of the error, so that nothing is left of it.
        self._file.__exit__(kind, error, trace)

    def _room(self) -> int:
        """Rows of the next row group when it is full."""
        return min(_ROW_GROUP, self._limit - self._n_in_file)

    def _write_group(self, n: int) -> None:
        waiting = pa.concat_tables(self._waiting or [self._schema.empty_table()])
        self._waiting, self._n_waiting = [waiting.slice(n)], self._n_waiting - n
        self._open().write_table(waiting.slice(0, n).combine_chunks(), row_group_size=_ROW_GROUP)
        self._n_in_file += n
        if self._n_in_file >= self._limit:
            self._close()

    def _open(self) -> pq.ParquetWriter:
        if self._writer is None:
            sink = self._file.enter_context(self._folder.create(f"{self._name}-{self._n_files:05d}.parquet"))
            writer = pq.ParquetWriter(sink, self._schema, compression="zstd", compression_level=1)
            self._writer, self._n_files = self._file.enter_context(writer), self._n_files + 1
        return self._writer

    def _close(self) -> None:
        self._file.close()
        self._writer, self._n_in_file = None, 0


def prepare_folder(folder: Workspace, *, force: bool) -> None:
    """Make sure that a world can be written here; what a killed run left of one goes.

    Args:
        folder: May be absent.
        force: Remove the files of a world that is here; any other file stays.

    Raises:
        WorkspaceError: The folder holds something else than an unfinished world, and `force` is False.
    """
    found = folder.files() + folder.folders()
    unfinished = _MANIFEST not in found and all(_is_part_of_a_world(name) for name in found)
    if found and not force and not unfinished:
        raise WorkspaceError(
            f"{folder.uri}: expected an absent or empty folder, found {len(found)} entries such as {found[0]!r}. "
            "Choose another folder, or replace the world in it with --force; files that are no part of a world stay."
        )
    for name in (n for n in found if _is_part_of_a_world(n)):
        folder.remove(name)


def read_world(spec: WorldSpec, folder: Workspace, *, rows_per_file: int) -> dict[str, Any] | None:
    """What `world.json` holds when exactly this world is there, finished; else None."""
    if not folder.exists(_MANIFEST):
        return None
    with open_input(folder.filesystem, folder.path(_MANIFEST)) as source:
        manifest: dict[str, Any] = json.loads(source.read())
    expected = (__version__, json.loads(json.dumps(spec.to_dict())), rows_per_file)
    found = (manifest.get("dynprof_version"), manifest.get("spec"), manifest.get("rows_per_file"))
    return manifest if found == expected else None


def write_world(
    spec: WorldSpec,
    folder: Workspace,
    *,
    rows_per_file: int = 500_000,
    force: bool = False,
    on_events: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Generate a world into a folder; `world.json` comes last and says that the rest is complete.

    Args:
        spec: The world.
        folder: Local or on object storage.
        rows_per_file: Most rows of a file. > 0. The rows do not depend on it.
        force: Replace a world that is there.
        on_events: Called with the number of events after each chunk, for a progress bar.

    Returns:
        What `world.json` holds: the spec, rows by table, and the version of dynprof.

    Raises:
        ConfigError: `rows_per_file` is not > 0.
        WorkspaceError: The folder is not empty and `force` is False, or it cannot be written.
    """
    if rows_per_file < 1:
        raise ConfigError(f"rows_per_file: expected a whole number > 0, found {rows_per_file!r}.")
    prepare_folder(folder, force=force)
    world = World(spec)
    tables = {
        "users": iterate_users(world),
        "truth-users": iterate_truth_users(world),
        "truth-interests": iterate_truth_interests(world),
        "truth-sudden": [truth_sudden(world)],
    }
    rows = {name: _write_table(folder, name, parts, rows_per_file) for name, parts in tables.items()}
    rows |= _write_chunks(world, folder, rows_per_file, on_events)
    manifest = {"dynprof_version": __version__, "spec": spec.to_dict(), "rows": rows, "rows_per_file": rows_per_file}
    with folder.create(_MANIFEST) as sink:
        sink.write(json.dumps(manifest, indent=2, sort_keys=True).encode() + b"\n")
    return manifest


def _write_table(folder: Workspace, name: str, parts: Iterable[pa.Table], rows_per_file: int) -> int:
    with SplitParquet(folder, name, rows_per_file) as files:
        for part in parts:
            files.write(part)
    return files.n_rows


def _write_chunks(
    world: World, folder: Workspace, rows_per_file: int, on_events: Callable[[int], object] | None
) -> dict[str, int]:
    with ExitStack() as stack:
        events, items, truth = (
            stack.enter_context(SplitParquet(folder, name, rows_per_file))
            for name in ("events", "items", "truth-items")
        )
        for chunk in world.chunks():
            events.write(chunk.events)
            items.write(chunk.items)
            truth.write(chunk.truth_items)
            if on_events is not None:
                on_events(len(chunk.events))
    return {"events": events.n_rows, "items": items.n_rows, "truth-items": truth.n_rows}


def _is_part_of_a_world(name: str) -> bool:
    stem, _, rest = name.rpartition("-")
    return name == _MANIFEST or (stem in SCHEMAS and rest.endswith(".parquet"))
