"""Places on a map by UMAP: neighbours stay neighbours; the axes mean nothing, and what comes later has no place."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.errors import ConfigError
from dynprof.workspace import Workspace

__all__ = ["LEAST_POINTS", "MAPS", "Placing", "SheetKind", "place_by_umap", "read_places", "save_places"]

MAPS = "maps"
"""Folder of the workspace; below it a folder a snapshot, below that one a kind of points."""

LEAST_POINTS = 10
"""Of fewer there is nothing to arrange."""

SheetKind = Literal["users", "items"]

IntArray = npt.NDArray[np.int64]
Places = npt.NDArray[np.float32]

_SCHEMA = pa.schema([("number", pa.int64()), ("x", pa.float32()), ("y", pa.float32())])


@dataclass(frozen=True)
class Placing:
    """How UMAP arranges points; the words are its own.

    Attributes:
        n_neighbors: Points that count as near: more shows the large picture, fewer the small one.
        min_dist: How close points may come, in units of the map.
        seed: The same one gives the same map of the same vectors with the same versions.
    """

    n_neighbors: int = 15
    min_dist: float = 0.1
    seed: int = 0


def place_by_umap(vectors: npt.NDArray[np.floating], placing: Placing) -> Places:
    """(n, 2) places of (n, dim) vectors, by cosine, from the principal components on.

    McInnes, Healy, Melville: UMAP, arXiv 1802.03426, as in umap-learn.

    Raises:
        ConfigError: umap-learn is not installed, or there are fewer than `LEAST_POINTS` vectors.
    """
    if len(vectors) < LEAST_POINTS:
        raise ConfigError(f"map: expected at least {LEAST_POINTS} points with a vector, found {len(vectors)}.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # of a network that is not used here
            from umap import UMAP
    except ImportError as error:
        raise ConfigError(
            "map: expected umap-learn, found none installed. Run: pip install -c constraints.txt 'dynprof[umap]'."
        ) from error
    model = UMAP(
        n_neighbors=min(placing.n_neighbors, len(vectors) - 1),
        min_dist=placing.min_dist,
        metric="cosine",
        init="pca",
        random_state=placing.seed,
        n_jobs=1,
    )
    return np.asarray(model.fit_transform(np.asarray(vectors, np.float32)), np.float32)


def save_places(
    workspace: Workspace, snapshot: str, kind: SheetKind, numbers: IntArray, places: Places, placing: Placing
) -> Mapping[str, Any]:
    """Write the places of a snapshot's users or items, the manifest last; returns the manifest."""
    folder = MAPS, snapshot, kind
    columns = [pa.array(numbers), pa.array(places[:, 0]), pa.array(places[:, 1])]
    workspace.write_ipc([pa.record_batch(columns, schema=_SCHEMA)], _SCHEMA, *folder, "places.arrow")
    manifest = {"snapshot": snapshot, "kind": kind, "n": len(numbers), **asdict(placing)}
    workspace.write_manifest(manifest, *folder)
    return manifest


def read_places(workspace: Workspace, snapshot: str, kind: SheetKind) -> tuple[IntArray, Places] | None:
    """(n,) rising numbers and (n, 2) places; None where none were made."""
    folder = MAPS, snapshot, kind
    if workspace.read_manifest(*folder) is None:
        return None
    table = workspace.open_ipc(*folder, "places.arrow").read_all()
    numbers, x, y = (np.asarray(table[name]) for name in _SCHEMA.names)
    return numbers, np.stack([x, y], 1)
