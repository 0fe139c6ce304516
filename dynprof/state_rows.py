"""Rows of states as they lie on disk: found by id, read when touched."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.bank import Bank
from dynprof.state import ProfileStates
from dynprof.state_columns import StateColumns

__all__ = ["StateRows"]


class StateRows:
    """The users of one bucket, sorted by id, still on disk until a row is touched.

    Args:
        batches: Record batches of `states_schema`, users sorted across them.
    """

    def __init__(self, batches: list[pa.RecordBatch]) -> None:
        self.batches = [b for b in batches if len(b)]
        self.starts = [0, *accumulate(len(b) for b in self.batches)]
        self._last_ids = [b["user_id"][-1].as_py() for b in self.batches]
        self._columns: dict[int, StateColumns] = {}

    def __len__(self) -> int:
        return self.starts[-1]

    def find(self, user_id: str) -> int | None:
        """Row of a user by binary search, about 20 comparisons among a million; None where there is none.

        Python compares code points, Arrow sorts by bytes of UTF-8: the same order.
        """
        which = bisect_left(self._last_ids, user_id)
        if which == len(self.batches):
            return None
        ids = self.batches[which]["user_id"]
        row = bisect_left(ids, user_id, key=pa.StringScalar.as_py)
        return self.starts[which] + row if ids[row].as_py() == user_id else None

    def user(self, row: int, bank: Bank, dim: int) -> tuple[ProfileStates, npt.NDArray[np.float16] | None]:
        """One user's states and (dim,) vector of the bio; None without one. Microseconds: no copy, no table."""
        which = bisect_left(self.starts, row + 1) - 1
        if which not in self._columns:  # views; made twice where two threads are first at once
            self._columns[which] = StateColumns(self.batches[which], bank, dim)
        return self._columns[which].user(row - self.starts[which])

    def slice(self, row: int) -> pa.RecordBatch:
        """One user's row, without a copy."""
        which = bisect_left(self.starts, row + 1) - 1
        return self.batches[which].slice(row - self.starts[which], 1)
