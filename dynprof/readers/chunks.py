"""What a reader hands on: a bounded number of rows, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.checks import TableName, check_rows
from dynprof.schema import QUARANTINE

__all__ = ["CHUNK_BYTES", "CHUNK_ROWS", "MAX_RAW_CHARS", "Checked", "Chunk", "Refusal", "check_chunk"]

CHUNK_ROWS = 65_536
CHUNK_BYTES = 8 << 20
"""A chunk ends at whichever bound comes first: a task's memory does not grow with its file."""

MAX_RAW_CHARS = 2_000


@dataclass(frozen=True)
class Refusal:
    """A record that never became a row."""

    row: int
    reason: str
    detail: str
    raw: str


def _from_the_start() -> int:
    return 0


@dataclass(frozen=True)
class Chunk:
    """Rows as read, before any check.

    Attributes:
        table: (n,) columns under our names, of any type; absent ones are null.
        rows: (n,) row number or line of each, counted from `first_row()`.
        raw: JSON of the row at a position in `table`; asked for refused rows only.
        refusals: Records that could not become rows; their `row` counts from `first_row()` too.
        n_ignored: Records that are no rows of this table by their nature (a Jetstream "identity" message).
        first_row: Row or line number that 0 stands for. A function, because finding it may cost a pass over the file.
    """

    table: pa.Table
    rows: npt.NDArray[np.int64]
    raw: Callable[[int], str]
    refusals: list[Refusal] = field(default_factory=list)
    n_ignored: int = 0
    first_row: Callable[[], int] = _from_the_start


@dataclass(frozen=True)
class Checked:
    """A chunk after the checks: `rows + quarantine + n_ignored == n_read`.

    Attributes:
        rows: RAW_EVENTS, RAW_USERS or RAW_ITEMS.
        quarantine: QUARANTINE, sorted by row.
        n_read: Records read.
        n_ignored: Records that are none of this table's.
    """

    rows: pa.Table
    quarantine: pa.Table
    n_read: int
    n_ignored: int


def check_chunk(chunk: Chunk, kind: TableName, *, source: str, now: float) -> Checked:
    """Check and type a chunk.

    Args:
        chunk: What a reader read.
        kind: Which table the rows are for.
        source: Path of the file, for the quarantine.
        now: Unix seconds.
    """
    verdict = check_rows(chunk.table, kind, now=now)
    refusals = list(chunk.refusals)
    for position, reason, detail in zip(verdict.refused.tolist(), verdict.reasons, verdict.details, strict=True):
        refusals.append(Refusal(int(chunk.rows[position]), reason, detail, chunk.raw(position)))
    first = chunk.first_row() if refusals else 0
    return Checked(
        rows=verdict.rows,
        quarantine=_quarantine(sorted(refusals, key=lambda r: r.row), source, first),
        n_read=len(chunk.table) + len(chunk.refusals) + chunk.n_ignored,
        n_ignored=chunk.n_ignored,
    )


def _quarantine(refusals: list[Refusal], source: str, first_row: int) -> pa.Table:
    return pa.table(
        {
            "source": [source] * len(refusals),
            "row": [first_row + r.row for r in refusals],
            "reason": [r.reason for r in refusals],
            "detail": [r.detail for r in refusals],
            "raw": [r.raw[:MAX_RAW_CHARS] for r in refusals],
        },
        schema=QUARANTINE,
    )
