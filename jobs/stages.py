"""Ray Data, as every pipeline here uses it: parts in, one row of counts a finished part out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import ray.data
from ray.data import Dataset

__all__ = ["collect", "parts_of"]


def parts_of(parts: Sequence[Any]) -> Dataset:
    """A dataset with one block a part, so that one part is one task and is retried alone.

    Args:
        parts: Anything that pickles, at least one; the column is named `part`.
    """
    return ray.data.from_items([{"part": part} for part in parts], override_num_blocks=max(1, len(parts)))


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
