"""The items of a snapshot with those that live events brought, and without those of whom was erased."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.item_search import CatalogueItems
from dynprof.items import ItemCatalogue
from dynprof.keys import hash_words
from dynprof.live.new_items import ItemCursor
from dynprof.live.overlay import Overlay
from dynprof.sources import FoundItems, ItemQuery, KnownTexts, Words

__all__ = ["LiveItems"]

_NOBODY: tuple[int, frozenset[bytes]] = 0, frozenset()


class LiveItems:
    """A `sources.ItemSource` that follows an overlay. Safe to use from several threads.

    Recent popularity is the snapshot's: an item that came since has none.

    Args:
        items: Of the snapshot. What is added goes into its catalogue.
        overlay: What came since; `refresh` after it caught up.
    """

    def __init__(self, items: CatalogueItems, overlay: Overlay) -> None:
        self._items, self._overlay = items, overlay
        self._cursor = ItemCursor()
        self._erased = _NOBODY
        self._refreshing = Lock()

    def refresh(self) -> int:
        """Take over what the overlay has; the number of items read."""
        with self._refreshing:
            new, cursor = self._overlay.items_since(self._cursor)
            if new.restarts:  # an item was taken back: begin again from the snapshot's, which are still mapped
                self._erased = _NOBODY
            catalogue = ItemCatalogue(self._items.catalogue.base) if new.restarts else self._items.catalogue
            if len(new):
                hashes = pa.FixedSizeBinaryArray.from_buffers(
                    pa.binary(16), len(new), [None, pa.py_buffer(new.words.tobytes())]
                )
                catalogue.add(new.table.append_column("text_hash", hashes), new.vectors)
            self._remove_erased(catalogue)
            self._items.catalogue, self._cursor = catalogue, cursor
            return len(new)

    def _remove_erased(self, catalogue: ItemCatalogue) -> None:
        """Items whose author was erased, and those about which only erased events were."""
        erased = self._overlay.n_erased_users, self._overlay.unsaid_texts()
        if erased == self._erased:
            return
        rows, found = catalogue.base.find_rows(hash_words(pa.array(erased[1], pa.binary(16))))
        catalogue.remove(rows[found])
        if erased[0] != self._erased[0]:
            for author in pc.unique(catalogue.base.table["author_id"]).drop_null().to_pylist():
                if self._overlay.is_erased(author):
                    catalogue.remove(catalogue.rows_by_author(author))
        self._erased = erased

    def __len__(self) -> int:
        return len(self._items)

    def search(self, query: ItemQuery) -> FoundItems:
        """The best items for a query."""
        return self._items.search(query)

    def search_all(self, queries: Sequence[ItemQuery]) -> list[FoundItems]:
        """The best items for each of some queries."""
        return self._items.search_all(queries)

    def find_items(self, item_ids: Sequence[str]) -> KnownTexts:
        """Items by their ids."""
        return self._items.find_items(item_ids)

    def find_texts(self, words: Words) -> KnownTexts:
        """Texts by their hashes."""
        return self._items.find_texts(words)

    def look_up(self, words: Words) -> tuple[FoundItems, npt.NDArray[np.bool_]]:
        """The items of texts; those that were removed are none."""
        return self._items.look_up(words)

    def has_popularity(self, as_of_us: int) -> bool:
        """Whether recent popularity is known as of a time."""
        return self._items.has_popularity(as_of_us)
