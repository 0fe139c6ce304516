"""Items as one catalogue has them: search with filters that never cost results."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.index.question import Question
from dynprof.items import ItemCatalogue
from dynprof.keys import buckets, hash_words
from dynprof.popularity import Popularity
from dynprof.scoring import Ranking
from dynprof.segments import find_rows
from dynprof.sources import FoundItems, ItemQuery, KnownTexts
from dynprof.store import SnapshotStore

__all__ = ["CatalogueItems"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint64]


class CatalogueItems:
    """A `sources.ItemSource` over the items of a snapshot's corpus, and those added to the catalogue since.

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
        return self.search_all([query])[0]

    def search_all(self, queries: Sequence[ItemQuery]) -> list[FoundItems]:
        """The same for several, which share one pass over the items."""
        catalogue = self.catalogue  # of this search from beginning to end
        questions = [self._question(catalogue, query) for query in queries]
        best = catalogue.index.search(questions)
        return [self._found(catalogue, query, ranking) for query, ranking in zip(queries, best, strict=True)]

    def _question(self, catalogue: ItemCatalogue, query: ItemQuery) -> Question:
        popularity = None if query.popularity == 0 else self._popularity.at(query.as_of_us)
        share, metric, profile = 1.0, query.metric, query.vector
        if profile is None:  # as near to everything as to nothing: half the weight of the age
            share, metric, profile = 2.0, "cosine_time", np.zeros(self._store.spec.dim)
        wanted = query.filter
        return Question(
            np.asarray(profile),
            query.k,
            query.as_of_us,
            metric,
            query.item_decay,
            catalogue.rows_of(query.excluded),
            catalogue.allowed(language=wanted.language, author_id=wanted.author, since_us=wanted.since_us),
            share * (1.0 if popularity is None else 1 - query.popularity),
            None if popularity is None else query.popularity * popularity,
        )

    def _found(self, catalogue: ItemCatalogue, query: ItemQuery, best: Ranking) -> FoundItems:
        popularity = None if query.popularity == 0 else self._popularity.at(query.as_of_us)
        table = catalogue.take(best.rows)
        return FoundItems(
            table,
            catalogue.unit_vectors(best.rows),
            np.asarray(table["created_at"].cast(pa.int64())),
            best.scores,
            None if popularity is None else _padded(popularity, len(catalogue))[best.rows],
        )

    def find_items(self, item_ids: Sequence[str]) -> KnownTexts:
        """Items by their ids, also those that share the text of an earlier one, but no removed ones.

        Reads the ids of their buckets.
        """
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
        return self._known(words, removed_too=False)

    def find_texts(self, words: Words) -> KnownTexts:
        """Texts by their hashes, those of removed items too."""
        return self._known(words, removed_too=True)

    def _known(self, words: Words, *, removed_too: bool) -> KnownTexts:
        catalogue = self.catalogue  # another one may take its place meanwhile
        rows, found = catalogue.find_rows(words)
        if not removed_too:
            found &= ~catalogue.index.is_removed(rows)
        vectors = np.zeros((len(words), self._store.spec.dim), np.float32)
        vectors[found] = catalogue.unit_vectors(rows[found])
        return KnownTexts(words, found, vectors)

    def look_up(self, words: Words) -> tuple[FoundItems, npt.NDArray[np.bool_]]:
        """The items of texts; those that were removed are none."""
        catalogue = self.catalogue
        rows, there = catalogue.find_rows(words)
        there &= ~catalogue.index.is_removed(rows)
        table = catalogue.take(rows[there])
        created_us = np.asarray(table["created_at"].cast(pa.int64()))
        vectors = catalogue.unit_vectors(rows[there])
        return FoundItems(table, vectors, created_us, np.zeros(len(table)), None), there


def _padded(popularity: npt.NDArray[np.float32], n: int) -> FloatArray:
    """(n,) popularity of all rows; those that came since it was counted have none."""
    return np.pad(popularity.astype(np.float64), (0, max(0, n - len(popularity))))
