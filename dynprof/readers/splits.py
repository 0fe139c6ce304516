"""A split: the part of one input file that one task reads."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FORMATS", "JSON_FORMATS", "Split"]

JSON_FORMATS = ("jsonl", "x-api-v2", "jetstream")
FORMATS = ("parquet", "csv", *JSON_FORMATS)


@dataclass(frozen=True)
class Split:
    """A part of a file. Small, and cheap to send to another machine.

    Attributes:
        path: Absolute local path or URI.
        format: One of `FORMATS`.
        part: Which part of the file, from 0.
        n_parts: Parts of the file; more than 1 only for Parquet (row groups) and uncompressed JSON lines (byte ranges).
        row_groups: Parquet: consecutive row groups of the part, () for a file without any. None for other formats.
        index: Number among all splits of the plan, from 0.
        size_bytes: Bytes in the file, uncompressed ones for Parquet; 0 for an empty file.
    """

    path: str
    format: str
    part: int
    n_parts: int
    row_groups: tuple[int, ...] | None
    index: int
    size_bytes: int
