"""The items of a corpus as files that a server maps into memory: written by `jobs.index`, shared by all replicas."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.filesystems import open_input
from dynprof.index.codes import Codes
from dynprof.index.graph import Graph
from dynprof.item_rows import ItemRows
from dynprof.schema import CATALOGUE
from dynprof.workspace import Workspace

__all__ = ["INDEX", "item_files", "open_items", "save_items"]

INDEX = "index"
"""Folder of the workspace; below it a folder an encoder, below that one a corpus."""

_ROWS_OF_A_BATCH = 1 << 20


def item_files(fingerprint: str, corpus_id: str) -> tuple[str, str, str]:
    """Folder of the items of a corpus."""
    return INDEX, fingerprint, corpus_id


def save_items(items: ItemRows, workspace: Workspace, fingerprint: str, corpus_id: str) -> Mapping[str, Any]:
    """Write the items, their vectors, codes and graph, the manifest last; returns the manifest."""
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
    for name, array in arrays.items():
        with workspace.create(*folder, f"{name}.npy") as sink:
            np.lib.format.write_array(sink, np.ascontiguousarray(array), allow_pickle=False)
    if items.graph is not None:
        with workspace.create(*folder, "graph.usearch") as sink:
            sink.write(items.graph.to_bytes())
    manifest = {
        "corpus_id": corpus_id,
        "fingerprint": fingerprint,
        "n_items": len(items),
        "n_coded": len(codes),
        "dim": int(items.vectors.shape[1]),
        "has_graph": items.graph is not None,
    }
    workspace.write_manifest(manifest, *folder)
    return manifest


def open_items(workspace: Workspace, fingerprint: str, corpus_id: str) -> ItemRows | None:
    """What `save_items` wrote; None where it did not, or did not finish.

    On a disk nothing is read that is not asked for, and processes share the pages. From object storage all of it is
    downloaded.

    Raises:
        WorkspaceError: The graph is not of these rows.
    """
    folder = item_files(fingerprint, corpus_id)
    manifest = workspace.read_manifest(*folder)
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
        _graph(workspace, *folder, "graph.usearch", n_rows=manifest["n_items"]) if manifest["has_graph"] else None,
    )


def _array(workspace: Workspace, *parts: str) -> npt.NDArray[Any]:
    if workspace.is_local:
        # Copy on write: pages are shared as long as nobody writes, and PyTorch takes no arrays that are read-only.
        return np.asarray(np.load(workspace.path(*parts), mmap_mode="c", allow_pickle=False))
    with open_input(workspace.filesystem, workspace.path(*parts)) as source:
        return np.asarray(np.load(io.BytesIO(source.read()), allow_pickle=False))


def _graph(workspace: Workspace, *parts: str, n_rows: int) -> Graph:
    if workspace.is_local:
        return Graph.open(Path(workspace.path(*parts)), n_rows)
    with open_input(workspace.filesystem, workspace.path(*parts)) as source:
        return Graph.open(source.read(), n_rows)
