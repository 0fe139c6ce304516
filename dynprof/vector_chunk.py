"""Vectors found by the hash of their text, in the pieces they were written in: copied only when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.vectors import matrix_of

__all__ = ["TextVectors", "VectorChunk", "find_hashes", "join_hashes"]

IntArray = npt.NDArray[np.int64]

_KNOWN_AT_ONCE = 65_536  # bounds Arrow's hash table, which is several times the hashes


@dataclass(frozen=True)
class VectorChunk:
    """Some record batches of embedding shards, rows counted through them.

    Attributes:
        hashes: (n,) 16-byte text hashes, also in pieces, as they lie in memory-mapped files.
        pieces: Matrices (n_i, dim) float16, as they lie in memory-mapped files; their lengths add up to n.
    """

    hashes: pa.ChunkedArray
    pieces: Sequence[npt.NDArray[np.float16]]

    @classmethod
    def of(cls, batches: Sequence[pa.RecordBatch]) -> VectorChunk:
        """The rows of at least one batch of `schema.embeddings_schema`."""
        hashes = pa.chunked_array([b["text_hash"] for b in batches])
        return cls(hashes, [matrix_of(b["vector"]) for b in batches])

    @classmethod
    def joined(cls, chunks: Sequence[VectorChunk]) -> VectorChunk:
        """The rows of at least one chunk, one after the other. No vector is copied."""
        if len(chunks) == 1:
            return chunks[0]
        return cls(join_hashes([c.hashes for c in chunks]), [piece for c in chunks for piece in c.pieces])

    def __len__(self) -> int:
        return len(self.hashes)

    @cached_property
    def _offsets(self) -> IntArray:
        return np.cumsum([0, *map(len, self.pieces)])

    def find(self, hashes: pa.Array) -> tuple[IntArray, npt.NDArray[np.bool_]]:
        """Row of each hash and whether the chunk has it; rows of absent ones are 0."""
        return find_hashes(hashes, self.hashes)

    def take(self, rows: IntArray) -> npt.NDArray[np.float16]:
        """(k, dim) vectors of (k,) rows, which may repeat, in their order."""
        out = np.empty((len(rows), self.pieces[0].shape[1]), np.float16)
        if not len(rows):
            return out
        piece = np.searchsorted(self._offsets, rows, side="right") - 1
        order = np.argsort(piece, kind="stable")
        bounds = np.searchsorted(piece[order], np.arange(len(self.pieces) + 1))
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            mine = order[bounds[number] : bounds[number + 1]]
            out[mine] = self.pieces[number][rows[mine] - self._offsets[number]]
        return out

    def weighted_sum(self, weights: npt.NDArray[np.number[Any]]) -> npt.NDArray[np.float64]:
        """(dim,) sum over rows of weight (n,) x vector."""
        parts = zip(pairwise(self._offsets), self.pieces, strict=True)
        sums = [weights[a:b].astype(np.float32) @ piece.astype(np.float32) for (a, b), piece in parts]
        return np.asarray(np.sum(sums, axis=0, dtype=np.float64))


class TextVectors(Protocol):
    """Vectors of many texts that can be read more than once: `BucketVectors`, or several of them as one."""

    @property
    def hashes(self) -> pa.ChunkedArray:
        """(n,) 16-byte hash of the text of every row."""

    def chunks(self) -> Iterator[tuple[int, VectorChunk]]:
        """The vectors, each chunk with the number of its first row."""


def join_hashes(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Hashes one after the other; none is copied."""
    return pa.chunked_array([piece for part in parts for piece in part.chunks], pa.binary(16))


def find_hashes(wanted: pa.Array, known: pa.ChunkedArray) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """Position of each wanted hash among the known ones and whether it is there; positions of absent ones are 0."""
    rows, found = np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    for start in range(0, len(known), _KNOWN_AT_ONCE):
        index = pc.index_in(wanted, value_set=known.slice(start, _KNOWN_AT_ONCE))
        here = np.asarray(pc.is_valid(index))
        rows[here] = start + np.asarray(index.drop_null(), np.int64)
        found |= here
    return rows, found
