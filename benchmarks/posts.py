"""Distinct prepared texts to measure encoders on: of a file of real posts, or of a generated world."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynprof.text import prepare_texts
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world

__all__ = ["distinct_posts"]


def distinct_posts(events: str | None, n_texts: int) -> list[str]:
    """`n_texts` distinct texts, no empty one, in a fixed random order; fewer if there are no more.

    Args:
        events: Parquet with a column `text`; None generates a world.
        n_texts: How many.
    """
    if events is not None:
        column = pq.read_table(events, columns=["text"])["text"]
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_world(WorldSpec(n_users=max(10, n_texts // 25), n_events=2 * n_texts), Workspace(folder))
            files = sorted(Path(folder).glob("events*.parquet"))
            column = pa.chunked_array([c for f in files for c in pq.read_table(f, columns=["text"])["text"].chunks])
    distinct = [text for text in prepare_texts(column).unique().to_pylist() if text]
    order = np.random.default_rng(0).permutation(len(distinct))[:n_texts]
    return [distinct[i] for i in order]
