"""Vectors of texts that the corpus has, a few at a time: what a like of a known item needs instead of an encoder."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.embedded import CorpusVectors
from dynprof.embeddings import read_shard
from dynprof.keys import text_shards
from dynprof.vector_chunk import VectorChunk

__all__ = ["CorpusTexts"]


class CorpusTexts:
    """Finds vectors by hash. On a local disk shards stay open: 16 bytes a text of those that were asked.

    Args:
        vectors: Of the corpus.
    """

    def __init__(self, vectors: CorpusVectors) -> None:
        self._vectors = vectors
        self._open: dict[tuple[str, int], VectorChunk | None] = {}

    def find(self, hashes: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float16]]:
        """(dim,) vectors of those texts that have one."""
        found: dict[bytes, npt.NDArray[np.float16]] = {}
        for folder, n_shards in reversed(self._vectors.folders):
            rest = [h for h in dict.fromkeys(hashes) if h not in found]
            if not rest:
                break
            of = text_shards(pa.array(rest, pa.binary(16)), n_shards)
            for shard in np.unique(of).tolist():
                mine = [rest[i] for i in np.flatnonzero(of == shard).tolist()]
                found |= _found_in(self._shard(folder, shard), mine)
        return found

    def _shard(self, folder: str, shard: int) -> VectorChunk | None:
        if (folder, shard) in self._open:
            return self._open[folder, shard]
        chunk = read_shard(self._vectors.workspace, folder, shard)
        if self._vectors.workspace.is_local:
            self._open[folder, shard] = chunk
        return chunk


def _found_in(chunk: VectorChunk | None, hashes: list[bytes]) -> dict[bytes, npt.NDArray[np.float16]]:
    if chunk is None:
        return {}
    rows, has = chunk.find(pa.array(hashes, pa.binary(16)))
    there = np.flatnonzero(has).tolist()
    return dict(zip((hashes[i] for i in there), chunk.take(rows[has]), strict=True))
