"""Items that live events brought: candidates of recommendation beside the snapshot's catalogue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.keys import hash_words
from dynprof.live.corpus_lookup import CorpusLookup
from dynprof.live.deltas import Deltas
from dynprof.schema import ITEMS

__all__ = ["ItemCursor", "NewItems", "read_new_items"]

_COLUMNS = ("item_id", "text", "language", "author_id", "created_at")


@dataclass(frozen=True)
class ItemCursor:
    """How far somebody has read the new items.

    Attributes:
        epoch: Raised when an item was taken back.
        position: Number of items read.
    """

    epoch: int = 0
    position: int = 0


@dataclass(frozen=True)
class NewItems:
    """Items with a vector, in the order in which they got it. An item or a text may come more than once.

    Attributes:
        table: item_id, text, language, author_id, created_at, as in `ItemCatalogue.table`.
        words: (n, 2) uint64 text hashes: what is in the catalogue already is told by them.
        vectors: (n, dim) float32, norm 1 (or 0).
        restarts: These are all items, and earlier answers no longer hold.
    """

    table: pa.Table
    words: npt.NDArray[np.uint64]
    vectors: npt.NDArray[np.float32]
    restarts: bool

    def __len__(self) -> int:
        return len(self.table)


def read_new_items(
    deltas: Deltas, lock: Lock, corpus: CorpusLookup, is_erased: Callable[[str], bool], cursor: ItemCursor
) -> tuple[NewItems, ItemCursor]:
    """The items since a cursor, and the next one. Authors that were erased are not named."""
    rows: list[dict[str, Any]] = []
    hashes, vectors = [], [np.zeros((0, deltas.spec.dim), np.float32)]
    with lock:
        restarts = cursor.epoch != deltas.item_epoch
        start = 0 if restarts else cursor.position
        after = ItemCursor(deltas.item_epoch, len(deltas.arrived))
        for item_id in deltas.arrived[start:]:
            item = deltas.items.get(item_id)
            vector = None if item is None else deltas.vector(item.text_hash)
            if item is None or vector is None:
                continue
            live, known = item.live, item.known
            author = item.author or (None if known is None else known.author_id)
            created = min([item.first_us, *([] if known is None or known.created_us is None else [known.created_us])])
            language = live.event.language if live is not None else None if known is None else known.language
            text = None if live is None else live.text
            rows.append(dict(zip(_COLUMNS, (item_id, text, language, author, created), strict=True)))
            hashes.append(item.text_hash)
            vectors.append(vector[None].astype(np.float32))
    texts = corpus.item_texts([row["item_id"] for row in rows if row["text"] is None])
    for row in rows:
        row["text"] = texts.get(row["item_id"], "") if row["text"] is None else row["text"]
        row["author_id"] = None if row["author_id"] is None or is_erased(row["author_id"]) else row["author_id"]
    table = pa.Table.from_pylist(rows, schema=pa.schema([ITEMS.field(name) for name in _COLUMNS]))
    matrix = np.concatenate(vectors)
    norms = np.linalg.norm(matrix, axis=1, keepdims=True)
    np.divide(matrix, norms, out=matrix, where=norms > 0)
    return NewItems(table, hash_words(pa.array(hashes, pa.binary(16))), matrix, restarts), after
