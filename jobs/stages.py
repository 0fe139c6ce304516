"""Ray Data, as every pipeline here uses it: parts in, one row of counts a finished part out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import ray
import ray.data
from ray.data import Dataset

__all__ = ["collect", "parts_of", "tables_of", "tables_of_texts"]

_REFERENCES_AT_ONCE = 128
"""Every task of a pipeline unpacks all references in its arguments: with one a part, work that grows with the square
of the parts."""


def parts_of(parts: Sequence[Any]) -> Dataset:
    """A dataset with one block a part, so that one part is one task and is retried alone.

    Args:
        parts: Anything that pickles, at least one; the column is named `part`.
    """
    return ray.data.from_items([{"part": part} for part in parts], override_num_blocks=max(1, len(parts)))


def tables_of(task: Callable[..., pa.Table], parts: Sequence[Any], arguments: Mapping[str, Any]) -> Iterator[pa.Table]:
    """One table a part, as they come. `task` is called with {"part": [part]} and the arguments."""
    done = parts_of(parts).map_batches(task, batch_size=1, batch_format="numpy", fn_kwargs=dict(arguments))
    yield from done.iter_batches(batch_size=None, batch_format="pyarrow")


def tables_of_texts(
    task: Callable[..., pa.Table], texts: Sequence[ray.ObjectRef], arguments: Mapping[str, Any]
) -> Iterator[pa.Table]:
    """One table a reference, as they come. The part of a task is its place in the `texts` that it is given."""
    for start in range(0, len(texts), _REFERENCES_AT_ONCE):
        given = list(texts[start : start + _REFERENCES_AT_ONCE])
        yield from tables_of(task, range(len(given)), {**arguments, "texts": given})


def collect(dataset: Dataset) -> list[dict[str, Any]]:
    """Run a pipeline and return the rows of counts that its last stage made.

    Raises:
        RuntimeError: A bucket or shard came out twice, so that a part was split: a defect of the pipeline.
    """
    rows = [_plain(row) for row in dataset.iter_rows()]
    for key in ("bucket", "shard"):
        seen = [row[key] for row in rows if key in row]
        if len(set(seen)) < len(seen):
            raise RuntimeError(f"{key}: expected each once, found {len(seen)} rows for {len(set(seen))} of them.")
    return rows


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
