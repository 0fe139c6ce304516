"""The vectors of numbered texts, left where they lie until they are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.errors import WorkspaceError
from dynprof.vector_chunk import VectorChunk

__all__ = ["ItemVectors", "find_vectors"]


@dataclass(frozen=True)
class ItemVectors:
    """Vectors by number of the text.

    Attributes:
        chunk: Where they lie.
        rows: (n_items,) row in `chunk` of each text.
    """

    chunk: VectorChunk
    rows: npt.NDArray[np.int64]

    def take(self, items: npt.NDArray[np.integer] | slice) -> npt.NDArray[np.float16]:
        """(k, dim) vectors of the items, in their order."""
        return self.chunk.take(self.rows[items])


def find_vectors(chunk: VectorChunk, hashes: pa.FixedSizeBinaryArray, *, where: str) -> ItemVectors:
    """The vectors of the texts of (n_items,) hashes.

    Raises:
        WorkspaceError: A text has no vector; `where` names the file or folder.
    """
    rows, found = chunk.find(hashes)
    if not found.all():
        raise WorkspaceError(
            f"{where}: expected vectors of {len(found)} texts, found {int(found.sum())}. "
            "Run `python -m jobs.encode` again."
        )
    return ItemVectors(chunk, rows)
