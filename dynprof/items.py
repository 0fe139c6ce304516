"""The item catalogue: what can be recommended, with an index over its vectors, open to what comes in live."""

from __future__ import annotations

import logging
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.added_items import AddedItems
from dynprof.index.item_index import ItemIndex
from dynprof.item_files import open_items
from dynprof.item_rows import APPROXIMATE_FROM, ItemRows
from dynprof.keys import hash_words
from dynprof.lineage import CorpusView, present_corpus
from dynprof.schema import CATALOGUE
from dynprof.workspace import Workspace

__all__ = ["ItemCatalogue"]

LOG = logging.getLogger("dynprof.items")

IntArray = npt.NDArray[np.int64]
MaskArray = npt.NDArray[np.bool_]


class ItemCatalogue:
    """Items by row: first those of a corpus, in order of appearance, then those added since, in order of arrival.

    Safe to use from several threads: what is added or removed counts from the next question on.

    Args:
        base: The items of the corpus.
    """

    def __init__(self, base: ItemRows) -> None:
        self.base = base
        self.index = ItemIndex(base.vectors, base.created_us, base.codes, base.approximate)
        self._added = AddedItems(len(base))
        self._lock = Lock()
        self._encoded: dict[str, pa.DictionaryArray] = {}

    @classmethod
    def load(cls, workspace: Workspace, fingerprint: str, view: CorpusView | None = None) -> ItemCatalogue:
        """Map what `jobs.index` wrote, else read items and vectors into memory.

        Args:
            workspace: Where.
            fingerprint: Of the encoder.
            view: The corpus, as a snapshot has seen it; None for the present one.

        Raises:
            WorkspaceError: No finished corpus or embeddings, or an embedding shard is missing.
        """
        view = view or present_corpus(workspace)
        base = open_items(workspace, fingerprint, view.corpus_id)
        if base is None:
            base = ItemRows.read(workspace, fingerprint, view)
            if len(base) >= APPROXIMATE_FROM:
                LOG.warning("items=%d index=none all are compared; `python -m jobs.index` makes one", len(base))
        return cls(base)

    def __len__(self) -> int:
        """Rows that were ever there, removed ones included."""
        return len(self.index)

    @property
    def table(self) -> pa.Table:
        """item_id, text, language, author_id, created_at of the corpus' items; `take` knows the added ones too."""
        return self.base.table

    @property
    def created_us(self) -> IntArray:
        """(n,) microseconds since 1970, rising, of the corpus' items."""
        return self.base.created_us

    @property
    def vectors(self) -> npt.NDArray[np.float16]:
        """(n, dim) of the corpus' items, as stored; `unit_vectors` knows the added ones too."""
        return self.base.vectors

    def unit_vectors(self, rows: IntArray) -> npt.NDArray[np.float32]:
        """(j, dim) vectors of some rows at norm 1 (or 0), so that a product is a cosine."""
        vectors = self.index.take(rows)[0].astype(np.float32)
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(np.divide(vectors, norms, out=vectors, where=norms > 0), np.float32)

    def take(self, rows: IntArray) -> pa.Table:
        """Rows of CATALOGUE, in the order asked for."""
        old = rows < len(self.base)
        if old.all():
            return self.base.table.take(pa.array(rows))
        both = pa.concat_tables([self.base.table.take(pa.array(rows[old])), self._added.take(rows[~old])])
        place = np.empty(len(rows), np.int64)
        place[np.concatenate([np.flatnonzero(old), np.flatnonzero(~old)])] = np.arange(len(rows))
        return both.take(pa.array(place))

    def n_before(self, as_of_us: int) -> int:
        """How many of the corpus' items appeared strictly before a time: rows 0 to n - 1."""
        return int(np.searchsorted(self.created_us, as_of_us, "left"))

    def rows_of(self, words: npt.NDArray[np.uint64]) -> IntArray:
        """Rows of the texts that the catalogue has; of an added text the one that was added last.

        Args:
            words: (m, 2) text hashes, as of `hash_words`.
        """
        rows, found = self.find_rows(words)
        return rows[found]

    def find_rows(self, words: npt.NDArray[np.uint64]) -> tuple[IntArray, MaskArray]:
        """(m,) row of each text and whether the catalogue has it; rows of absent ones are 0. Arguments as above."""
        rows, found = self.base.find_rows(words)
        for i, row in self._added.find_rows(words):
            rows[i], found[i] = row, True
        return rows, found

    def rows_by_author(self, author_id: str) -> IntArray:
        """All rows of an author's items."""
        old = np.flatnonzero(self._of_base("author_id", author_id))
        return np.concatenate([old, self._added.having("author_id", author_id)])

    def add(self, items: pa.Table, vectors: npt.NDArray[np.floating]) -> IntArray:
        """Add items that came in; the next question sees them.

        A text that is there under an earlier item stays with that item; an item that turns out to be earlier takes its
        place, as it would in the next corpus.

        Args:
            items: (m,) rows of CATALOGUE with `text_hash` beside it.
            vectors: (m, dim) of their texts, any norm.

        Returns:
            (m,) the row that stands for the text of each.
        """
        words, half = hash_words(items["text_hash"]), np.asarray(vectors, np.float16)
        created_us = np.asarray(items["created_at"].cast(pa.int64()))
        rows = items.select(CATALOGUE.names).cast(CATALOGUE).to_pylist()
        parts = [slice(i, i + 1) for i in range(len(rows))]
        with self._lock:
            return np.array([self._add(rows[p.start], words[p], half[p], created_us[p]) for p in parts], np.int64)

    def _add(
        self,
        row: dict[str, object],
        words: npt.NDArray[np.uint64],
        vector: npt.NDArray[np.float16],
        created_us: IntArray,
    ) -> int:
        there = self.rows_of(words)
        there = there[~self.index.is_removed(there)]
        if len(there) and self.index.take(there[:1])[1][0] <= created_us[0]:
            return int(there[0])
        self._added.append(row, (int(words[0, 0]), int(words[0, 1])))  # first: whoever finds the row can name it
        added = self.index.add(vector, created_us)
        self.index.remove(there)
        return int(added[0])

    def remove(self, rows: IntArray) -> None:
        """Nobody is recommended these rows any more, from the next question on."""
        self.index.remove(rows)

    def allowed(
        self, *, language: str | None = None, author_id: str | None = None, since_us: int | None = None
    ) -> MaskArray | None:
        """Which rows a filter leaves, for `recommend`; None where there is no filter.

        Args:
            language: Of the item, exactly.
            author_id: Of the item, exactly.
            since_us: Only items that appeared at this time or later, in microseconds since 1970.
        """
        n = len(self.index)
        asked = {"language": language, "author_id": author_id}
        chosen = [self._has(name, value, n) for name, value in asked.items() if value is not None]
        if since_us is not None:
            chosen.append(self._times(n) >= since_us)
        return None if not chosen else np.logical_and.reduce(chosen)

    def _has(self, name: str, value: str, n: int) -> MaskArray:
        has, new = np.zeros(n, np.bool_), self._added.having(name, value)
        has[: len(self.base)] = self._of_base(name, value)
        has[new[new < n]] = True
        return has

    def _of_base(self, name: str, value: str) -> MaskArray:
        """(n,) which of the corpus' items have a value in a column."""
        if name not in self._encoded:  # numbers for the column: made when first asked for, then kept
            self._encoded[name] = self.base.table[name].combine_chunks().dictionary_encode()
        codes = self._encoded[name]
        number = pc.index(codes.dictionary, pa.scalar(value, codes.dictionary.type)).as_py()
        numbers = np.asarray(pc.fill_null(codes.indices, -2).to_numpy(zero_copy_only=False))
        return np.asarray(numbers == number, np.bool_)

    def _times(self, n: int) -> IntArray:
        return np.concatenate([self.created_us, self.index.take(np.arange(len(self.base), n))[1]])
