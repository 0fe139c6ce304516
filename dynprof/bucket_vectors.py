"""What one user bucket reads of the embeddings: its record batch of every shard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial

import pyarrow as pa

from dynprof.embeddings import open_shard
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

__all__ = ["SHARDS_AT_ONCE", "BucketVectors"]

SHARDS_AT_ONCE = 16
"""Read together from object storage, where a read is mostly waiting."""


class BucketVectors:
    """The vectors that a bucket needs, rows counted through the shards in order.

    On a local disk all are one chunk of memory-mapped pieces, which take no memory of their own. From object storage
    they come in chunks of bounded size, fetched again each time they are asked for.

    Args:
        workspace: Where.
        fingerprint: Of the encoder.
        bucket: User bucket.
        n_shards: Number of shards.
        max_rows: Most vectors of a chunk from object storage, where a shard has no more.

    Raises:
        WorkspaceError: A shard is missing (when it is read).
    """

    def __init__(
        self, workspace: Workspace, fingerprint: str, bucket: int, n_shards: int, *, max_rows: int = 131_072
    ) -> None:
        self._workspace, self._fingerprint, self._bucket = workspace, fingerprint, bucket
        self._n_shards, self._max_rows = n_shards, max_rows

    @cached_property
    def hashes(self) -> pa.ChunkedArray:
        """(n,) 16-byte hash of the text of every row."""
        if self._workspace.is_local:
            return self._mapped.hashes
        return pa.chunked_array([b["text_hash"] for b in self._batches("text_hash")], pa.binary(16))

    def chunks(self) -> Iterator[tuple[int, VectorChunk]]:
        """The vectors, each chunk with the number of its first row."""
        if self._workspace.is_local:
            yield 0, self._mapped
            return
        first, n_pending = 0, 0
        pending: list[pa.RecordBatch] = []
        for batch in self._batches():
            if pending and n_pending + len(batch) > self._max_rows:
                yield first, VectorChunk.of(pending)
                first, pending, n_pending = first + n_pending, [], 0
            pending.append(batch)
            n_pending += len(batch)
        if pending:
            yield first, VectorChunk.of(pending)

    @cached_property
    def _mapped(self) -> VectorChunk:
        return VectorChunk.of(list(self._batches()))

    def _batches(self, *columns: str) -> Iterator[pa.RecordBatch]:
        """The bucket's batch of every shard; from object storage so many fetched together."""
        if self._workspace.is_local:
            yield from (self._batch(shard, columns) for shard in range(self._n_shards))
            return
        with ThreadPoolExecutor(SHARDS_AT_ONCE) as fetching:
            for first in range(0, self._n_shards, SHARDS_AT_ONCE):
                shards = range(first, min(first + SHARDS_AT_ONCE, self._n_shards))
                yield from fetching.map(partial(self._batch, columns=columns), shards)

    def _batch(self, shard: int, columns: Sequence[str]) -> pa.RecordBatch:
        return open_shard(self._workspace, self._fingerprint, shard, columns=columns).get_batch(self._bucket)
