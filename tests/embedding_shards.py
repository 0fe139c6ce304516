"""Shards of embeddings of a small world's texts, written by the library."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embeddings import write_shard
from dynprof.encoders import Encoder
from dynprof.keys import buckets, text_shards
from dynprof.workspace import Workspace


def write_shards(workspace: Workspace, encoder: Encoder, texts: pa.Table, n_buckets: int, n_shards: int) -> None:
    """`texts` has `user_id`, `text` and `text_hash`, null where there is nothing to encode."""
    needed = texts.filter(pc.is_valid(texts["text_hash"]))
    needed = needed.append_column("bucket", pa.array(buckets(needed["user_id"], n_buckets)))
    needed = needed.group_by(["text_hash", "bucket"]).aggregate([("text", "min")])
    placed = text_shards(needed["text_hash"], n_shards)
    for shard in range(n_shards):
        mine = needed.filter(pa.array(placed == shard))
        write_shard(
            workspace,
            encoder.fingerprint,
            shard,
            n_buckets=n_buckets,
            needed_by=np.asarray(mine["bucket"]),
            hashes=mine["text_hash"].combine_chunks(),
            rows=np.arange(len(mine)),
            vectors=encoder.encode(mine["text_min"]),
            metadata={"shard": shard},
        )
