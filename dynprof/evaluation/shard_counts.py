"""What embedding shards add to the ranks of all tests: counts, whatever their order and whatever is taken together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.embedded import CorpusVectors
from dynprof.embeddings import EMBEDDINGS, open_shard, shard_name
from dynprof.evaluation.item_vectors import ItemVectors, find_vectors
from dynprof.evaluation.judging import Judged, judge_candidates
from dynprof.evaluation.retrieval import Queries
from dynprof.evaluation.seen import SeenItems
from dynprof.evaluation.tiles import Candidates
from dynprof.keys import text_shards
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

__all__ = [
    "ShardTexts",
    "all_vectors",
    "gather_shards",
    "judge_shards",
    "open_candidates",
    "shard_vectors",
    "split_texts",
    "sum_shard",
]

_VECTORS_AT_ONCE = 4_096
_PARTS_OF_SMALL = 32
"""Enough for the cores of a few machines to end together."""
_MOST_SHARDS_A_PART = 16
"""From object storage a task holds their vectors: 100 MB at 384 dimensions and 8,192 texts a shard."""


@dataclass(frozen=True)
class ShardTexts:
    """The items whose vectors are taken from one shard.

    A text that several user buckets need is there once, and one that base and segments have is in one part's shard.

    Attributes:
        folder: Of the shard, below `embeddings/`: the base's or a segment's.
        shard: Its number there.
        items: (k,) int32 numbers, rising.
        hashes: (k,) 16 bytes each.
        first_us: (k,) time of each one's first event.
    """

    folder: str
    shard: int
    items: npt.NDArray[np.int32]
    hashes: pa.FixedSizeBinaryArray
    first_us: npt.NDArray[np.int64]


def split_texts(
    corpus: CorpusVectors, text_hashes: pa.FixedSizeBinaryArray, first_us: npt.NDArray[np.int64]
) -> Iterator[ShardTexts]:
    """The texts of each shard of every part in turn, from the hash of every item. Each item is in one of them.

    Args:
        corpus: Where its vectors lie.
        text_hashes: (n_items,) distinct.
        first_us: (n_items,) as of the log.
    """
    place = corpus.locate(text_hashes)
    for number, (folder, n_shards) in enumerate(corpus.folders):
        mine = np.flatnonzero(place == number).astype(np.int32)
        shards = text_shards(text_hashes.take(pa.array(mine)), n_shards)
        order = np.argsort(shards.astype(np.uint16), kind="stable")
        bounds = np.cumsum(np.bincount(shards, minlength=n_shards))
        for shard, (start, stop) in enumerate(zip([0, *bounds], bounds, strict=False)):
            items = mine[order[start:stop]]
            if len(items):
                yield ShardTexts(folder, shard, items, text_hashes.take(pa.array(items)), first_us[items])


def gather_shards(shards: Iterable[ShardTexts]) -> list[tuple[ShardTexts, ...]]:
    """Shards that one task reads: one each of a small corpus, never more than `_MOST_SHARDS_A_PART`.

    A task has costs of its own, and whoever keeps lists compares more within one than between two.
    """
    given = list(shards)
    size = min(max(1, len(given) // _PARTS_OF_SMALL), _MOST_SHARDS_A_PART)
    return [tuple(given[start : start + size]) for start in range(0, len(given), size)]


def sum_shard(workspace: Workspace, texts: ShardTexts, n_early: int) -> npt.NDArray[np.float64]:
    """(dim,) sum of the vectors of items 0 to n_early - 1.

    Exact: fp16 numbers up to 1 are multiples of 2^-24, of which float64 adds half a billion without rounding. So the
    mean does not depend on how texts are cut into shards.

    Raises:
        WorkspaceError: The shard is missing, or a text has no vector.
    """
    vectors = shard_vectors(workspace, texts)
    stop = int(np.searchsorted(texts.items, n_early))
    blocks = (slice(start, min(start + _VECTORS_AT_ONCE, stop)) for start in range(0, stop, _VECTORS_AT_ONCE))
    dim = vectors.chunk.pieces[0].shape[1]
    return sum((vectors.take(b).sum(axis=0, dtype=np.float64) for b in blocks), np.zeros(dim))


def judge_shards(
    workspace: Workspace,
    shards: Sequence[ShardTexts],
    queries: Queries,
    catalogue: npt.NDArray[np.int64],
    *,
    seen: SeenItems | None = None,
    list_size: int = 0,
) -> Judged:
    """What the candidates in some shards add; see `judge_candidates`. The same whatever shards are taken together.

    Memory: the shards' hashes and a few MB; from object storage their vectors too.

    Args:
        workspace: Where.
        shards: At least one, from `split_texts`.
        queries: (n, m) in order of time.
        catalogue: (n,) of each test.
        seen: Of the tests, numbered as in the log.
        list_size: Of the lists; 0 for none.

    Raises:
        WorkspaceError: A shard is missing, or a text has no vector.
    """
    candidates = open_candidates(workspace, shards)
    return judge_candidates(queries, catalogue, candidates, seen=seen, list_size=list_size)


def open_candidates(workspace: Workspace, shards: Sequence[ShardTexts]) -> Candidates:
    """The items of at least one shard with their vectors, which are left where they lie.

    Raises:
        WorkspaceError: A shard is missing, or a text has no vector.
    """
    found = [shard_vectors(workspace, texts) for texts in shards]
    starts = np.cumsum([0, *(len(vectors.chunk) for vectors in found)])
    items = np.concatenate([texts.items for texts in shards])
    rows = np.concatenate([vectors.rows + start for vectors, start in zip(found, starts, strict=False)])
    first_us = np.concatenate([texts.first_us for texts in shards])
    order = np.argsort(items)
    chunk = VectorChunk.joined([vectors.chunk for vectors in found])
    return Candidates(items[order], ItemVectors(chunk, rows[order]), first_us[order])


def shard_vectors(workspace: Workspace, texts: ShardTexts) -> ItemVectors:
    """The vectors of the shard's texts, by their place in `texts`, left where they lie.

    Raises:
        WorkspaceError: The shard is missing, or a text has no vector.
    """
    reader = open_shard(workspace, texts.folder, texts.shard)
    chunk = VectorChunk.of([reader.get_batch(b) for b in range(reader.num_record_batches)])
    return find_vectors(chunk, texts.hashes, where=workspace.path(EMBEDDINGS, texts.folder, shard_name(texts.shard)))


def all_vectors(workspace: Workspace, shards: Iterable[ShardTexts]) -> ItemVectors:
    """The vectors of all items, by number, left where they lie. The shards are all there are, at least one."""
    return open_candidates(workspace, list(shards)).of
