"""What runs on the workers of `jobs.encode`: gathering a bucket's texts, and the actor that encodes shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embeddings import read_shard, write_shard
from dynprof.encoders import load_encoder
from dynprof.errors import FingerprintError
from dynprof.keys import text_shards
from dynprof.segments import read_bios, read_events
from dynprof.text import prepare_texts
from dynprof.workspace import Workspace

__all__ = ["ShardEncoder", "texts_of_bucket"]


def texts_of_bucket(
    batch: dict[str, Any], *, workspace_uri: str, n_shards: int, done: list[int], segments: Sequence[str] = ()
) -> pa.Table:
    """The distinct texts that one user bucket needs, except those of finished shards."""
    bucket, workspace = int(batch["part"][0]), Workspace(workspace_uri)
    events = read_events(workspace, bucket, ["text_hash", "text"], segments=segments)
    bios = read_bios(workspace, bucket, ["text_hash", "bio"], segments=segments)
    texts = pa.concat_tables([events, bios.rename_columns({"bio": "text"})])
    is_event = pa.array(np.arange(len(texts)) < len(events))
    texts = texts.append_column("n_events", is_event.cast(pa.int64())).filter(pc.field("text_hash").is_valid())
    texts = texts.group_by("text_hash").aggregate([("text", "min"), ("n_events", "sum")])
    texts = texts.rename_columns(["text_hash", "text", "n_events"])
    shard = text_shards(texts["text_hash"], n_shards)
    texts = texts.append_column("shard", pa.array(shard))
    texts = texts.append_column("bucket", pa.array(np.full(len(texts), bucket, np.int32)))
    return texts.filter(pa.array(~np.isin(shard, done)))


class ShardEncoder:
    """The actor: loads the encoder once, then encodes and writes shard after shard."""

    def __init__(
        self,
        *,
        workspace_uri: str,
        encoder: Mapping[str, Any],
        fingerprint: str,
        corpus_id: str,
        n_buckets: int,
        n_shards: int,
    ) -> None:
        self.workspace = Workspace(workspace_uri)
        self.encoder = load_encoder(**encoder)
        if self.encoder.fingerprint != fingerprint:
            raise FingerprintError(
                f"encoder {encoder['name']}: expected fingerprint {fingerprint}, as on the driver, found "
                f"{self.encoder.fingerprint} on this node. Give every node the same weights and name --precision."
            )
        self.fingerprint, self.corpus_id = fingerprint, corpus_id
        self.n_buckets, self.n_shards = n_buckets, n_shards

    def __call__(self, rows: pa.Table) -> pa.Table:
        """Encode all shards of a partition; one row of counts a shard."""
        shards = pc.unique(rows["shard"]).to_pylist()
        return pa.Table.from_pylist([self._encode(s, rows.filter(pc.equal(rows["shard"], s))) for s in shards])

    def _encode(self, shard: int, rows: pa.Table) -> dict[str, Any]:
        rows = rows.sort_by([("text_hash", "ascending"), ("bucket", "ascending")]).combine_chunks()
        hashes = rows["text_hash"].combine_chunks()
        distinct = pc.unique(hashes)
        known = read_shard(self.workspace, self.fingerprint, shard)
        vectors = np.zeros((len(distinct), self.encoder.dim), np.float32)
        new = np.ones(len(distinct), np.bool_)
        if known is not None:
            where, found = known.find(distinct)
            vectors[found], new = known.take(where[found]), ~found
        texts = rows["text"].combine_chunks().take(pc.index_in(distinct, value_set=hashes))
        vectors[new] = self.encoder.encode(prepare_texts(texts.filter(pa.array(new))))
        row_of = np.asarray(pc.index_in(hashes, value_set=distinct), np.int64)
        n_events = np.bincount(row_of, np.asarray(rows["n_events"]), len(distinct))
        counts = {
            "shard": shard,
            "n_shards": self.n_shards,
            "corpus_id": self.corpus_id,
            "n_texts": len(distinct),
            "n_encoded": int(new.sum()),
            "n_events": int(n_events.sum()),
            # Of the vectors as they are stored: a shard that is written again, after a kill, gives the same sum.
            "vector_sum": (n_events @ vectors.astype(np.float16).astype(np.float64)).tolist(),
        }
        write_shard(
            self.workspace,
            self.fingerprint,
            shard,
            n_buckets=self.n_buckets,
            needed_by=np.asarray(rows["bucket"]),
            hashes=hashes,
            rows=row_of,
            vectors=vectors,
            metadata=counts,
        )
        return {"shard": shard, "n_texts": len(distinct), "n_encoded": int(new.sum())}
