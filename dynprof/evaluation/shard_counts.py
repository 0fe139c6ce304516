"""What one embedding shard adds to the ranks of all tests: counts, whatever the order of the shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.embeddings import EMBEDDINGS, open_shard, shard_name
from dynprof.evaluation.item_vectors import ItemVectors, find_vectors
from dynprof.evaluation.retrieval import Queries, Ranks, count_candidates
from dynprof.keys import text_shards
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

__all__ = ["ShardTexts", "count_shard", "split_texts", "sum_shard"]

_VECTORS_AT_ONCE = 4_096


@dataclass(frozen=True)
class ShardTexts:
    """The items whose vectors one shard has; a text that several user buckets need is there once.

    Attributes:
        items: (k,) int32 numbers, rising.
        hashes: (k,) 16 bytes each.
    """

    items: npt.NDArray[np.int32]
    hashes: pa.FixedSizeBinaryArray


def split_texts(text_hashes: pa.FixedSizeBinaryArray, n_shards: int) -> Iterator[ShardTexts]:
    """The texts of each shard in turn, from the hash of every item."""
    shards = text_shards(text_hashes, n_shards)
    order = np.argsort(shards.astype(np.uint16), kind="stable").astype(np.int32)
    bounds = np.cumsum(np.bincount(shards, minlength=n_shards))
    for start, stop in zip([0, *bounds], bounds, strict=False):
        items = order[start:stop]
        yield ShardTexts(items, text_hashes.take(pa.array(items)))


def sum_shard(
    workspace: Workspace, fingerprint: str, shard: int, texts: ShardTexts, n_early: int
) -> npt.NDArray[np.float64]:
    """(dim,) sum of the vectors of items 0 to n_early - 1.

    Exact: fp16 numbers up to 1 are multiples of 2^-24, of which float64 adds half a billion without rounding. So the
    mean does not depend on how texts are cut into shards.

    Raises:
        WorkspaceError: The shard is missing, or a text has no vector.
    """
    vectors = _vectors(workspace, fingerprint, shard, texts)
    stop = int(np.searchsorted(texts.items, n_early))
    blocks = (slice(start, min(start + _VECTORS_AT_ONCE, stop)) for start in range(0, stop, _VECTORS_AT_ONCE))
    dim = vectors.chunk.pieces[0].shape[1]
    return sum((vectors.take(b).sum(axis=0, dtype=np.float64) for b in blocks), np.zeros(dim))


def count_shard(
    workspace: Workspace,
    fingerprint: str,
    shard: int,
    texts: ShardTexts,
    queries: Queries,
    catalogue: npt.NDArray[np.int64],
) -> Ranks:
    """(n, m) counts over the candidates in the shard, targets and texts that users had included.

    Memory: the shard's hashes and a few MB; from object storage its vectors too.

    Args:
        workspace: Where.
        fingerprint: Of the encoder.
        shard: Number of the shard.
        texts: From `split_texts`.
        queries: (n, m) in order of time.
        catalogue: (n,) of each test.

    Raises:
        WorkspaceError: The shard is missing, or a text has no vector.
    """
    return count_candidates(queries, catalogue, texts.items, _vectors(workspace, fingerprint, shard, texts))


def _vectors(workspace: Workspace, fingerprint: str, shard: int, texts: ShardTexts) -> ItemVectors:
    reader = open_shard(workspace, fingerprint, shard)
    chunk = VectorChunk.of([reader.get_batch(b) for b in range(reader.num_record_batches)])
    return find_vectors(chunk, texts.hashes, where=workspace.path(EMBEDDINGS, fingerprint, shard_name(shard)))
