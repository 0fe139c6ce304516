"""The approximate index: usearch's HNSW graph over int8 codes. What it finds is compared again, exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from usearch.index import Index

from dynprof.errors import WorkspaceError
from dynprof.index.codes import Codes, encode

__all__ = ["Graph"]

CONNECTIVITY = 16
EXPANSION_ADD = 512
_ROWS_AT_ONCE = 65_536


class Graph:
    """Nearest rows by cosine, most of them. Safe to search from several threads.

    The codes are ours, each row by its own largest coordinate: usearch's own int8 scales all rows alike, which at 384
    dimensions leaves 20 steps to most coordinates.
    """

    least_asked = 1024
    """A profile is a mean and lies between the items, where a graph finds its way less well than from item to item; few
    rows would cost a few of the best ten (`bench_retrieval --asked`)."""

    def __init__(self, index: Index) -> None:
        self._index = index

    @classmethod
    def build(cls, codes: Codes, *, threads: int = 0) -> Graph:
        """A graph of all coded rows; row numbers are positions.

        Args:
            codes: Of n rows.
            threads: 0: as many as there are cores.
        """
        index = Index(
            ndim=codes.values.shape[1],
            metric="cos",
            dtype="i8",
            connectivity=CONNECTIVITY,
            expansion_add=EXPANSION_ADD,
        )
        for first in range(0, len(codes), _ROWS_AT_ONCE):
            stop = min(first + _ROWS_AT_ONCE, len(codes))
            index.add(np.arange(first, stop, dtype=np.uint64), codes.values[first:stop], threads=threads)
        return cls(index)

    @classmethod
    def open(cls, file: Path | bytes, n_rows: int) -> Graph:
        """From a file, memory-mapped and shared with whoever else has it open, or from its bytes.

        Raises:
            WorkspaceError: Not a graph of `n_rows` rows.
        """
        try:
            index = Index.restore(str(file), view=True) if isinstance(file, Path) else Index.restore(bytearray(file))
        except (RuntimeError, ValueError) as error:
            raise _unreadable(file, n_rows, str(error)) from error
        if index is None or len(index) != n_rows:
            raise _unreadable(file, n_rows, "nothing" if index is None else f"{len(index)}")
        return cls(index)

    def to_bytes(self) -> bytes:
        """What `open` reads."""
        return bytes(self._index.save() or b"")

    def __len__(self) -> int:
        return len(self._index)

    @property
    def size_bytes(self) -> int:
        """Memory, codes included."""
        return int(self._index.serialized_length)

    def nearest(self, unit: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
        """Rows with about the largest cosines, in no order that means anything.

        Args:
            unit: (dim,) norm 1.
            count: How many; the more, the better the best of them.
        """
        code = encode(unit[None].astype(np.float16)).values[0]
        return np.asarray(self._index.search(code, count, threads=1).keys).astype(np.int64)


def _unreadable(file: Path | bytes, n_rows: int, found: str) -> WorkspaceError:
    where = file if isinstance(file, Path) else "graph.usearch"
    return WorkspaceError(
        f"{where}: expected a graph of {n_rows} rows, found {found}. Remove its folder and run `python -m jobs.index`."
    )
