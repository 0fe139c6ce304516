"""Rows that are added one by one: visible at once, never moved, coded as they come."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from dynprof.index.block import Block
from dynprof.index.codes import Codes, encode

__all__ = ["GROWING_ROWS", "GrowingRows"]

GROWING_ROWS = 4096
"""Of a chunk: what is set aside at once, 4.7 MB at 384 dimensions."""


@dataclass
class _Chunk:
    """Arrays of fixed size, the first rows of which are filled."""

    vectors: npt.NDArray[np.float16]
    created_us: npt.NDArray[np.int64]
    codes: Codes
    newest_us: int = np.iinfo(np.int64).min

    @classmethod
    def empty(cls, dim: int) -> _Chunk:
        n = GROWING_ROWS
        codes = Codes(np.empty((n, dim), np.int8), np.empty(n, np.float32), np.empty(n, np.float32))
        return cls(np.empty((n, dim), np.float16), np.empty(n, np.int64), codes)

    def put(self, at: int, vectors: npt.NDArray[np.float16], created_us: npt.NDArray[np.int64]) -> None:
        stop, coded = at + len(vectors), encode(vectors)
        self.vectors[at:stop], self.created_us[at:stop] = vectors, created_us
        self.codes.values[at:stop] = coded.values
        self.codes.scales[at:stop], self.codes.radii[at:stop] = coded.scales, coded.radii
        self.newest_us = max(self.newest_us, int(created_us.max()))


class GrowingRows:
    """A table of rows that only grows; a row costs the same however many there are.

    Safe with several threads: a reader sees the rows that were there when it asked, whole.

    Args:
        dim: Of the vectors.
        first: Number of the first row.
    """

    def __init__(self, dim: int, first: int) -> None:
        self._dim, self._first = dim, first
        self._chunks: list[_Chunk] = []
        self._n = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return self._n

    def append(self, vectors: npt.NDArray[np.float16], created_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Add rows, seen by whoever asks after this returns.

        Args:
            vectors: (n, dim) any norm.
            created_us: (n,) in any order.

        Returns:
            (n,) their numbers.
        """
        with self._lock:
            start, done = self._n, 0
            while done < len(vectors):
                at = (start + done) % GROWING_ROWS
                if at == 0:
                    self._chunks.append(_Chunk.empty(self._dim))
                step = min(GROWING_ROWS - at, len(vectors) - done)
                self._chunks[-1].put(at, vectors[done : done + step], created_us[done : done + step])
                done += step
            self._n = start + done  # last: until here no reader looks at what was written
        return np.arange(start, start + done) + self._first

    def blocks(self) -> list[Block]:
        """All rows, without a copy."""
        n = self._n
        return [
            self._block(self._chunks[i], i * GROWING_ROWS, min(n - i * GROWING_ROWS, GROWING_ROWS))
            for i in range(-(-n // GROWING_ROWS))
        ]

    def _block(self, chunk: _Chunk, start: int, n: int) -> Block:
        return Block(
            self._first + start, chunk.vectors[:n], chunk.created_us[:n], chunk.newest_us, chunk.codes.part(0, n)
        )

    def take(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.int64]]:
        """(j, dim) vectors and (j,) times of some rows, by number."""
        vectors, created_us = np.empty((len(rows), self._dim), np.float16), np.empty(len(rows), np.int64)
        chunk, local = np.divmod(rows - self._first, GROWING_ROWS)
        for i in np.unique(chunk).tolist():
            mine = chunk == i
            vectors[mine] = self._chunks[i].vectors[local[mine]]
            created_us[mine] = self._chunks[i].created_us[local[mine]]
        return vectors, created_us
