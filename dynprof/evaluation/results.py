"""The table that every report, plot and study reads: one row a number."""

from __future__ import annotations

import pyarrow as pa

__all__ = ["RESULTS", "WHOLE"]

WHOLE = "all"
"""`slice` and `slice_value` of numbers over all test events."""

RESULTS = pa.schema(
    [
        pa.field("window", pa.string(), nullable=False),
        pa.field("slice", pa.string(), nullable=False),
        pa.field("slice_value", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),
        pa.field("family", pa.string(), nullable=False),
        pa.field("kind", pa.string()),
        pa.field("half_life_s", pa.float64()),
        pa.field("similarity", pa.string()),
        pa.field("encoder", pa.string()),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("n_tests", pa.int64(), nullable=False),
        pa.field("n_users", pa.int64(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("low", pa.float64()),
        pa.field("high", pa.float64()),
        pa.field("reference", pa.string()),
        pa.field("difference", pa.float64()),
        pa.field("difference_low", pa.float64()),
        pa.field("difference_high", pa.float64()),
        pa.field("relative", pa.float64()),
        pa.field("p", pa.float64()),
        pa.field("p_holm", pa.float64()),
        pa.field("effect", pa.float64()),
    ]
)
"""The columns are explained in docs/evaluation.md. Null: the number does not exist (too few users, no reference)."""
