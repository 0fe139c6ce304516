"""Vectors between Arrow (fp16 lists) and numpy, without a detour through Python objects."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.schema import vector_type

__all__ = ["matrix_of", "one_chunk", "vector_array"]


def one_chunk(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column as one array; without a copy when it is one already."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def vector_array(matrix: npt.NDArray[np.floating], *, valid: npt.NDArray[np.bool_] | None = None) -> pa.Array:
    """(n, dim) as a fixed-size list array of fp16.

    Args:
        matrix: (n, dim); cast to fp16 when it is not.
        valid: (n,) False for rows that become null.
    """
    values = pa.array(np.ascontiguousarray(matrix, np.float16).reshape(-1))
    mask = None if valid is None else pa.array(~valid)
    return pa.FixedSizeListArray.from_arrays(values, type=vector_type(matrix.shape[1]), mask=mask)


def matrix_of(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[Any]:
    """The (n, dim) matrix of a fixed-size list array, without a copy when it is one chunk.

    Rows that are null hold whatever lies there.
    """
    array = one_chunk(column)
    dim = array.type.list_size
    values = array.values.slice(array.offset * dim, len(array) * dim)
    return np.asarray(values.to_numpy(zero_copy_only=True)).reshape(-1, dim)
