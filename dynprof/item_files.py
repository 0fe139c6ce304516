"""The items of a corpus as files that a server maps into memory: written by `jobs.index`, shared by all replicas."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.errors import WorkspaceError
from dynprof.filesystems import open_input
from dynprof.index.approximate import Approximate
from dynprof.index.cells import Cells
from dynprof.index.codes import Codes
from dynprof.index.graph import Graph
from dynprof.item_rows import ItemRows
from dynprof.schema import CATALOGUE
from dynprof.workspace import Workspace

__all__ = ["INDEX", "item_files", "open_items", "read_index_manifest", "save_items"]

INDEX = "index"
"""Folder of the workspace; below it a folder an encoder, below that one a corpus."""

_ROWS_OF_A_BATCH = 1 << 20
_GRAPH = "graph.usearch"


def item_files(fingerprint: str, corpus_id: str) -> tuple[str, str, str]:
    """Folder of the items of a corpus."""
    return INDEX, fingerprint, corpus_id


def save_items(items: ItemRows, workspace: Workspace, fingerprint: str, corpus_id: str) -> Mapping[str, Any]:
    """Write the items, their vectors, codes and approximate index, the manifest last; returns the manifest."""
    folder = item_files(fingerprint, corpus_id)
    workspace.write_ipc(items.table.to_batches(_ROWS_OF_A_BATCH), CATALOGUE, *folder, "items.arrow")
    codes = items.codes or Codes(np.empty((0, items.vectors.shape[1]), np.int8), *np.empty((2, 0), np.float32))
    arrays = {
        "vectors": items.vectors,
        "codes": codes.values,
        "code-scales": codes.scales,
        "code-radii": codes.radii,
        "text-hashes": items.sorted_words,
        "text-rows": items.sorted_rows,
    }
    kind = None
    if isinstance(items.approximate, Cells):
        kind = "cells"
        arrays |= {f"cell-{f.name}": getattr(items.approximate, f.name) for f in fields(Cells)}
    elif isinstance(items.approximate, Graph):
        kind = "graph"
        with workspace.create(*folder, _GRAPH) as sink:
            sink.write(items.approximate.to_bytes())
    for name, array in arrays.items():
        with workspace.create(*folder, f"{name}.npy") as sink:
            np.lib.format.write_array(sink, np.ascontiguousarray(array), allow_pickle=False)
    manifest = {
        "corpus_id": corpus_id,
        "fingerprint": fingerprint,
        "n_items": len(items),
        "n_coded": len(codes),
        "dim": int(items.vectors.shape[1]),
        "approximate": kind,
    }
    workspace.write_manifest(manifest, *folder)
    return manifest


def read_index_manifest(workspace: Workspace, *folder: str) -> Mapping[str, Any] | None:
    """The manifest of a finished index; None where there is none that this version reads."""
    manifest = workspace.read_manifest(*folder)
    return manifest if manifest is not None and "approximate" in manifest else None


def open_items(workspace: Workspace, fingerprint: str, corpus_id: str) -> ItemRows | None:
    """What `save_items` wrote; None where it did not, did not finish, or wrote it before there were cells.

    On a disk nothing is read that is not asked for, and processes share the pages. From object storage all of it is
    downloaded.

    Raises:
        WorkspaceError: The approximate index is not of these rows.
    """
    folder = item_files(fingerprint, corpus_id)
    manifest = read_index_manifest(workspace, *folder)
    if manifest is None:
        return None
    reader = workspace.open_ipc(*folder, "items.arrow")
    batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
    table = pa.Table.from_batches(batches, reader.schema)
    read = {n: _array(workspace, *folder, f"{n}.npy") for n in ("vectors", "codes", "code-scales", "code-radii")}
    return ItemRows(
        table,
        np.asarray(table["created_at"].cast(pa.int64())),
        read["vectors"],
        _array(workspace, *folder, "text-hashes.npy"),
        _array(workspace, *folder, "text-rows.npy"),
        Codes(read["codes"], read["code-scales"], read["code-radii"]) if manifest["n_coded"] else None,
        _approximate(workspace, *folder, kind=manifest["approximate"], n_rows=manifest["n_items"]),
    )


def _array(workspace: Workspace, *parts: str) -> npt.NDArray[Any]:
    if workspace.is_local:
        # Copy on write: pages are shared as long as nobody writes, and PyTorch takes no arrays that are read-only.
        return np.asarray(np.load(workspace.path(*parts), mmap_mode="c", allow_pickle=False))
    with open_input(workspace.filesystem, workspace.path(*parts)) as source:
        return np.asarray(np.load(io.BytesIO(source.read()), allow_pickle=False))


def _approximate(workspace: Workspace, *folder: str, kind: str | None, n_rows: int) -> Approximate | None:
    if kind is None:
        return None
    if kind == "graph":
        if workspace.is_local:
            return Graph.open(Path(workspace.path(*folder, _GRAPH)), n_rows)
        with open_input(workspace.filesystem, workspace.path(*folder, _GRAPH)) as source:
            return Graph.open(source.read(), n_rows)
    cells = Cells(**{f.name: _array(workspace, *folder, f"cell-{f.name}.npy") for f in fields(Cells)})
    if len(cells) != n_rows or int(cells.starts[-1]) != n_rows or len(cells.values) != n_rows:
        raise WorkspaceError(
            f"{workspace.path(*folder)}: expected cells of {n_rows} rows, found {len(cells)}. "
            "Run `python -m jobs.index --force`."
        )
    return cells
