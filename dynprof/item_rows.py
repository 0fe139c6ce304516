"""What can be recommended, read from corpus and embeddings: one row a distinct text that has a vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embedded import open_vectors
from dynprof.embeddings import EMBEDDINGS, read_shard
from dynprof.errors import WorkspaceError
from dynprof.index.approximate import APPROXIMATE, Approximate
from dynprof.index.codes import Codes, encode
from dynprof.keys import find_words, hash_words, text_shards
from dynprof.lineage import CorpusView
from dynprof.schema import CATALOGUE
from dynprof.segments import read_items
from dynprof.workspace import Workspace

__all__ = ["APPROXIMATE_FROM", "ItemRows"]

APPROXIMATE_FROM = 250_000
"""Rows from which on an approximate index is worth it; below, comparing all of them takes a few milliseconds."""

_COLUMNS = ["item_id", "text", "text_hash", "language", "author_id", "created_at"]
_CODED_SHARE = 4
"""Beside an approximate index only the newest one in so many rows are coded: it has codes of its own, and time looks at
the newest. So an index stays below twice its fp16 vectors."""


@dataclass(frozen=True)
class ItemRows:
    """One row a distinct text that has a vector, in order of appearance, so that the items before a time are a prefix.

    Of several items with one text the earliest stands for all (ties: the smallest id). Items without a text, without a
    time or without a vector (nobody posted, liked or reposted them, so they were never encoded) are left out.

    Attributes:
        table: item_id, text, language, author_id, created_at.
        created_us: (n,) int64 microseconds since 1970, rising.
        vectors: (n, dim) fp16 as they are stored: norm 1 but for rounding.
        sorted_words: (n, 2) uint64 text hashes, sorted.
        sorted_rows: (n,) row of each of them.
        codes: Of the last rows, or of all.
        approximate: Of all rows, or None.
    """

    table: pa.Table
    created_us: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float16]
    sorted_words: npt.NDArray[np.uint64]
    sorted_rows: npt.NDArray[np.int64]
    codes: Codes | None = None
    approximate: Approximate | None = None

    @classmethod
    def read(
        cls,
        workspace: Workspace,
        fingerprint: str,
        view: CorpusView,
        *,
        approximate: str | None = None,
        approximate_from: int = APPROXIMATE_FROM,
    ) -> ItemRows:
        """Read the items of a corpus and their vectors, and code them.

        Args:
            workspace: Where.
            fingerprint: Of the encoder.
            view: Which corpus.
            approximate: One of `dynprof.index.approximate.APPROXIMATE`, to build it too; None: none.
            approximate_from: Rows from which on to build it.

        Raises:
            WorkspaceError: No finished embeddings, or an embedding shard is missing.
        """
        tables = [read_items(workspace, b, _COLUMNS, segments=view.segments) for b in range(view.n_buckets)]
        items = _first_of_each_text(pa.concat_tables(tables))
        hashes = items["text_hash"].combine_chunks()
        vectors, found = _find_vectors(workspace, fingerprint, hashes)
        found |= open_vectors(workspace, fingerprint, view).fill(hashes, vectors)
        if not found.all():
            items, vectors = items.filter(pa.array(found)), vectors[found]
        words = hash_words(items["text_hash"])
        order = np.lexsort((words[:, 1], words[:, 0]))
        created_us = np.asarray(items["created_at"].cast(pa.int64()))
        table, codes = items.drop_columns("text_hash").cast(CATALOGUE), encode(vectors)
        if approximate is None or len(vectors) < max(approximate_from, 1):
            return cls(table, created_us, vectors, words[order], order, codes)
        newest = codes.part(len(codes) - len(codes) // _CODED_SHARE, len(codes))
        return cls(table, created_us, vectors, words[order], order, newest, APPROXIMATE[approximate].build(codes))

    def __len__(self) -> int:
        return len(self.created_us)

    def find_rows(self, words: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """(m,) row of each text, (m, 2) as of `hash_words`, and whether there is one; rows of absent ones are 0."""
        return find_words(words, self.sorted_words, self.sorted_rows)


def _first_of_each_text(items: pa.Table) -> pa.Table:
    items = items.filter(pc.and_(pc.is_valid(items["text_hash"]), pc.is_valid(items["created_at"])))
    items = items.sort_by([("created_at", "ascending"), ("item_id", "ascending")]).combine_chunks()
    words = hash_words(items["text_hash"])
    order = np.lexsort((words[:, 1], words[:, 0]))  # stable: within a text the earliest stays first
    is_first = np.ones(len(order), np.bool_)
    is_first[1:] = (np.diff(words[order], axis=0) != 0).any(1)
    return items.take(pa.array(np.sort(order[is_first])))


def _find_vectors(
    workspace: Workspace, fingerprint: str, hashes: pa.Array
) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.bool_]]:
    """(n, dim) vectors of texts, a shard at a time, and (n,) whether there is one."""
    manifest = workspace.require_manifest(EMBEDDINGS, fingerprint, made_by="encode")
    vectors, found = np.zeros((len(hashes), manifest["dim"]), np.float16), np.zeros(len(hashes), np.bool_)
    shards = text_shards(hashes, manifest["n_shards"])
    order = np.argsort(shards, kind="stable")
    bounds = np.searchsorted(shards[order], np.arange(manifest["n_shards"] + 1))
    for shard in np.flatnonzero(np.diff(bounds)).tolist():
        mine = order[bounds[shard] : bounds[shard + 1]]
        chunk = read_shard(workspace, fingerprint, shard)
        if chunk is None:
            raise WorkspaceError(
                f"{workspace.path(EMBEDDINGS, fingerprint)}: expected {manifest['n_shards']} shards, found no shard "
                f"{shard}. Run `python -m jobs.encode` again: it writes only what is missing."
            )
        rows, found[mine] = chunk.find(hashes.take(pa.array(mine)))
        vectors[mine[found[mine]]] = chunk.take(rows[found[mine]])
    return vectors, found
