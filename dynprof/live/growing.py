"""An array that grows at its end: rows once written stay as they are, so that what was read of it stays true."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["GrowingArray"]

_FIRST_ROWS = 1024


class GrowingArray:
    """Rows of one type in one piece of memory, at most twice as large as what it holds.

    Args:
        dtype: Of the values.
        shape: Of a row; () for numbers.
    """

    def __init__(self, dtype: npt.DTypeLike, shape: tuple[int, ...] = ()) -> None:
        self._rows: npt.NDArray[Any] = np.empty((0, *shape), dtype)
        self._n = 0

    def __len__(self) -> int:
        return self._n

    @property
    def values(self) -> npt.NDArray[Any]:
        """(n, ...) all rows, a view. Later rows are not in it; changed ones may be."""
        return self._rows[: self._n]

    def extend(self, rows: npt.ArrayLike) -> None:
        """Append rows."""
        new = np.asarray(rows, self._rows.dtype)
        stop = self._n + len(new)
        if stop > len(self._rows):
            grown = np.empty((max(_FIRST_ROWS, 2 * stop), *self._rows.shape[1:]), self._rows.dtype)
            grown[: self._n] = self.values
            self._rows = grown
        self._rows[self._n : stop] = new
        self._n = stop
