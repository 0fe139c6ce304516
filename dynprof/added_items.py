"""Items that came in after the snapshot: what is known of them beside their vectors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.schema import CATALOGUE

__all__ = ["FILTERED", "AddedItems"]

FILTERED = ("language", "author_id")


@dataclass
class AddedItems:
    """Rows of CATALOGUE by number, from `first` on. One writer at a time.

    Attributes:
        first: Number of the first row.
        rows: One dict an item.
        by_text: Row of the text that was added last under a hash (two words of `hash_words`).
        by_value: Rows by column and value, of the columns in `FILTERED`.
    """

    first: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    by_text: dict[tuple[int, int], int] = field(default_factory=dict)
    by_value: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def append(self, row: dict[str, Any], words: tuple[int, int]) -> None:
        """Add the next row."""
        number = self.first + len(self.rows)
        self.by_text[words] = number
        for name in FILTERED:
            if row[name] is not None:
                self.by_value.setdefault((name, row[name]), []).append(number)
        self.rows.append(row)

    def find_rows(self, words: npt.NDArray[np.uint64]) -> list[tuple[int, int]]:
        """Position and row of the texts, (m, 2) hashes, that were added."""
        found = [self.by_text.get((a, b)) for a, b in words.tolist()] if self.by_text else []
        return [(i, row) for i, row in enumerate(found) if row is not None]

    def having(self, name: str, value: str) -> npt.NDArray[np.int64]:
        """Rows with a value in one of the columns `FILTERED`, rising."""
        return np.array(self.by_value.get((name, value), []), np.int64)

    def take(self, rows: npt.NDArray[np.int64]) -> pa.Table:
        """Rows by number, as a table of CATALOGUE."""
        return pa.Table.from_pylist([self.rows[row - self.first] for row in rows.tolist()], CATALOGUE)
