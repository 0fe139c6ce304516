"""The tables that a monitor's parts and its report are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.schema import TIMESTAMP

__all__ = ["ENTITIES", "INTERACTIONS", "SUDDEN", "SUDDEN_POSTS", "USERS", "lists_of", "matrix_from", "stacked"]

INTERACTIONS = pa.schema(
    {
        "decay": pa.int8(),
        "schedule": pa.int8(),
        "n": pa.int32(),
        "norm": pa.float32(),
        "away": pa.float32(),
        "stale": pa.float32(),
        "step": pa.float32(),
        "resultant": pa.float32(),
    }
)
"""One row an interaction, decay and schedule; `step` and `resultant` in real time only, else NaN."""

ENTITIES = pa.schema(
    {
        "kind": pa.string(),
        "id": pa.string(),
        "decay": pa.string(),
        "schedule": pa.string(),
        "n_events": pa.int64(),
        "maturity": pa.list_(pa.int64()),
        "last_norm": pa.float64(),
        "mean_stale": pa.float64(),
        "peak_n": pa.int64(),
        "peak_step": pa.float64(),
    }
)
"""One row an entity, decay and schedule; `maturity` by alpha."""

USERS = pa.schema(
    {
        "user_id": pa.string(),
        "n_events": pa.int64(),
        "norm": pa.float64(),
        "drift": pa.float64(),
        "z_own": pa.float64(),
        "profile": pa.list_(pa.float32()),
        "replays": pa.list_(pa.float16()),
    }
)
"""One row a sampled user; `replays` null for who has no event before the earlier snapshot."""

SUDDEN = pa.schema(
    {
        "kind": pa.string(),
        "id": pa.string(),
        "reason": pa.string(),
        "start": TIMESTAMP,
        "stop": TIMESTAMP,
        "n_events": pa.int64(),
        "value": pa.float64(),
        "z": pa.float64(),
    }
)
"""One row a sudden window. `reason`: `turn` (value is the surprise) or `share` (value is the share)."""

SUDDEN_POSTS = pa.schema(
    {
        "kind": pa.string(),
        "id": pa.string(),
        "start": TIMESTAMP,
        "user_id": pa.string(),
        "event_id": pa.string(),
        "timestamp": TIMESTAMP,
        "contribution": pa.float64(),
    }
)
"""The posts that did it, those with the largest part first."""


def stacked(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table, also where there is none."""
    return pa.Table.from_pylist(list(rows), schema=schema)


def lists_of(matrix: npt.NDArray[Any]) -> pa.FixedSizeListArray:
    """(n, k) as a column."""
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(matrix).reshape(-1)), matrix.shape[1])


def matrix_from(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    """(n, k) of a column of lists of equal length, none null; without rows k is known of fixed lists only."""
    is_fixed = pa.types.is_fixed_size_list(column.type)
    flat = np.concatenate([np.empty(0, column.type.value_type.to_pandas_dtype()), *map(_flat, column.chunks)])
    return flat.reshape(len(column), column.type.list_size if is_fixed else len(flat) // max(len(column), 1))


def _flat(chunk: pa.Array) -> npt.NDArray[Any]:
    return np.asarray(chunk.flatten())
