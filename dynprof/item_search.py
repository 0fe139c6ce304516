"""Items as one catalogue has them: exact search with filters that never cost results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.items import ItemCatalogue
from dynprof.keys import buckets, hash_words
from dynprof.popularity import Popularity
from dynprof.profile import age_seconds
from dynprof.recommend import score, top_k
from dynprof.segments import find_rows
from dynprof.sources import FoundItems, ItemQuery, KnownTexts
from dynprof.store import SnapshotStore

__all__ = ["CatalogueItems"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]

_FEW = 8
"""Where a filter leaves fewer than one row in so many, only those are brought together and multiplied."""


class CatalogueItems:
    """A `sources.ItemSource` over the items of a snapshot's corpus: every candidate is scored.

    Filters come before the choice of the k best, so k come back when k exist.

    Args:
        store: The snapshot.
        catalogue: Its items.
    """

    def __init__(self, store: SnapshotStore, catalogue: ItemCatalogue) -> None:
        self.catalogue = catalogue
        self._store = store
        self._popularity = Popularity(store.workspace, store.corpus, catalogue, store.spec.as_of_us)

    def __len__(self) -> int:
        return len(self.catalogue)

    def has_popularity(self, as_of_us: int) -> bool:
        """Whether recent popularity is known as of a time."""
        return self._popularity.at(as_of_us) is not None

    def search(self, query: ItemQuery) -> FoundItems:
        """The best items for a query, of equal ones the newer first."""
        rows = self._candidates(query)
        scores, popularity = self._scores(query, rows)
        best = top_k(scores, query.k)
        chosen = _at(rows, best)
        return FoundItems(
            self.catalogue.table.take(pa.array(chosen)),
            self.catalogue.vectors[chosen],
            self.catalogue.created_us[chosen],
            scores[best],
            None if popularity is None else popularity[best],
        )

    def find_items(self, item_ids: Sequence[str]) -> KnownTexts:
        """Items by their ids, also those that share the text of an earlier one. Reads the ids of their buckets."""
        workspace, view = self._store.workspace, self._store.corpus
        words = np.zeros((len(item_ids), 2), np.uint64)
        ids = pa.array(item_ids, pa.string())
        of = buckets(ids, view.n_buckets)
        for bucket in np.unique(of).tolist():
            mine = np.flatnonzero(of == bucket)
            wanted = ids.take(pa.array(mine))
            columns = ["item_id", "text_hash"]
            table = find_rows(workspace, "items", bucket, pc.unique(wanted), columns, segments=view.segments)
            table = table.filter(pc.is_valid(table["text_hash"]))
            where = pc.index_in(wanted, value_set=table["item_id"].combine_chunks())
            has = np.asarray(where.is_valid())
            words[mine[has]] = hash_words(table["text_hash"])[np.asarray(where.drop_null(), np.int64)]
        return self.find_texts(words)

    def find_texts(self, words: Words) -> KnownTexts:
        """Texts by their hashes."""
        rows, found = self.catalogue.find_rows(words)
        vectors = np.zeros((len(words), self._store.spec.dim), np.float32)
        vectors[found] = self.catalogue.vectors[rows[found]]
        return KnownTexts(words, found, vectors)

    def _candidates(self, query: ItemQuery) -> slice | IntArray:
        """Rows that the filters leave, rising. Texts never to return are still among them."""
        c, wanted = self.catalogue, query.filter
        first = 0 if wanted.since_us is None else int(np.searchsorted(c.created_us, wanted.since_us, "left"))
        part = slice(first, max(first, c.n_before(query.as_of_us)))
        table = c.table.slice(part.start, part.stop - part.start)
        asked = [("language", wanted.language), ("author_id", wanted.author)]
        masks = [
            pc.equal(table[name], pa.scalar(v, pa.string())).fill_null(False) for name, v in asked if v is not None
        ]
        if not masks:
            return part
        mask = masks[0] if len(masks) == 1 else pc.and_(*masks)
        return part.start + np.flatnonzero(np.asarray(mask.fill_null(False)))

    def _scores(self, query: ItemQuery, rows: slice | IntArray) -> tuple[FloatArray, FloatArray | None]:
        """(n,) score of every candidate, -inf for what must not be returned; and popularity where it has a share."""
        ages_s = age_seconds(query.as_of_us, self.catalogue.created_us[rows])
        weights = query.item_decay.weights(ages_s)
        scores = weights if query.vector is None else self._close(query, rows, weights)
        popularity = None
        if query.popularity > 0 and (known := self._popularity.at(query.as_of_us)) is not None:
            popularity = known[rows].astype(np.float64)
            scores = (1 - query.popularity) * scores + query.popularity * popularity
        excluded = self.catalogue.rows_of(query.excluded)
        scores[_places(rows, excluded)] = -np.inf
        return scores, popularity

    def _close(self, query: ItemQuery, rows: slice | IntArray, weights: FloatArray) -> FloatArray:
        """Scores without popularity."""
        vectors, profile = self.catalogue.vectors, np.asarray(query.vector)
        if isinstance(rows, slice) or len(rows) * _FEW < len(vectors):
            return score(profile, vectors[rows], metric=query.metric, time_weights=weights)
        # Many, but not all: multiplying the others too costs less than bringing these together.
        part = slice(int(rows[0]), int(rows[-1]) + 1)
        spread = np.zeros(part.stop - part.start)
        spread[rows - part.start] = weights
        return score(profile, vectors[part], metric=query.metric, time_weights=spread)[rows - part.start]


def _at(rows: slice | IntArray, positions: IntArray) -> IntArray:
    """Rows at some positions of the candidates."""
    return positions + rows.start if isinstance(rows, slice) else rows[positions]


def _places(rows: slice | IntArray, wanted: IntArray) -> IntArray:
    """Positions of some rows among the candidates; those that are no candidates are left out."""
    if isinstance(rows, slice):
        return np.asarray(wanted[(wanted >= rows.start) & (wanted < rows.stop)] - rows.start, np.int64)
    places = np.searchsorted(rows, wanted)
    inside = places < len(rows)
    inside[inside] = rows[places[inside]] == wanted[inside]
    return np.asarray(places[inside], np.int64)
