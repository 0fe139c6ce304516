"""What the page asks of a snapshot that no other route does: made when first asked for, then kept with the engine."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, Literal, TypeVar

import numpy as np
import pyarrow as pa

from dynprof.atlas import Sheet, evenly
from dynprof.history import History
from dynprof.interests import Interests, find_interests
from dynprof.item_search import CatalogueItems
from dynprof.items import ItemCatalogue
from dynprof.neighbors import NeighborIndex
from dynprof.sheets import find_topics, item_sheet, user_sheet
from dynprof.store import SnapshotStore
from dynprof.umap_places import SheetKind, read_places
from dynprof.user_directory import UserDirectory
from dynprof.word_labels import Background

__all__ = ["Axes", "PageData"]

Axes = Literal["components", "umap"]

_BACKGROUND_TEXTS = 20_000
_MOST_INTERESTS = 256
_NO_HIDDEN = (0, frozenset[int]())

T = TypeVar("T")


class _Once(Generic[T]):
    """A value that the first who asks makes while the others wait."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make, self._lock = make, Lock()
        self._made: list[T] = []

    def __call__(self) -> T:
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


class PageData:
    """Derived from one snapshot and immutable like it. Safe to use from several threads: each part is made once.

    Args:
        store: The snapshot.
        items: Its items.
        neighbor_index: Its users.
    """

    def __init__(self, store: SnapshotStore, items: CatalogueItems, neighbor_index: NeighborIndex) -> None:
        self._items = items
        self._keeping = Lock()
        self._background = _Once(self._read_background)
        self._directory = _Once(lambda: UserDirectory.of(store))
        self._topics = _Once(lambda: find_topics(self.catalogue, self._background()))
        self._sheets: dict[SheetKind, _Once[Sheet]] = {
            "users": _Once(lambda: user_sheet(store, neighbor_index, self._directory(), self._topics())),
            "items": _Once(lambda: item_sheet(store, self.catalogue, self._topics())),
        }
        self._arranged: dict[SheetKind, Sheet] = {}
        self._store = store
        self._interests: OrderedDict[tuple[str, int, int, int], Interests] = OrderedDict()
        self._hidden: tuple[int, frozenset[int]] = _NO_HIDDEN

    @property
    def catalogue(self) -> ItemCatalogue:
        """The items as they are now: without those of whom was erased."""
        return self._items.catalogue

    @property
    def background(self) -> Background:
        """Words of a sample of the items."""
        return self._background()

    @property
    def directory(self) -> UserDirectory:
        """Everybody in the snapshot by name."""
        return self._directory()

    def sheet(self, kind: SheetKind) -> Sheet:
        """Users or items in two dimensions. The first question takes seconds where there are many."""
        return self._sheets[kind]()

    def arranged(self, kind: SheetKind) -> Sheet | None:
        """The same by UMAP; None where `jobs.map` has not been run for this snapshot."""
        if kind not in self._arranged:
            found = read_places(self._store.workspace, self._store.name, kind)
            if found is None:
                return None
            self._arranged[kind] = self.sheet(kind).placed(*found)
        return self._arranged[kind]

    def hidden(self, n_erased: int, is_erased: Callable[[str], bool]) -> frozenset[int]:
        """Numbers of erased users of the snapshot; looked up again when there are more of them than before.

        Args:
            n_erased: How many were erased so far.
            is_erased: Says who.
        """
        known, numbers = self._hidden
        if known != n_erased:
            ids = self.directory.ids.to_pylist()
            numbers = frozenset(number for number, user_id in enumerate(ids) if is_erased(user_id))
            self._hidden = n_erased, numbers
        return numbers

    def interests(self, user_id: str, history: History) -> Interests:
        """Groups of a user's posts; of those seen last they are kept until a post is added or erased."""
        sum_us = int(np.bitwise_xor.reduce(history.at_us)) if len(history) else 0
        key = user_id, len(history), sum_us, len(history.vectors)
        with self._keeping:
            if key in self._interests:
                self._interests.move_to_end(key)
                return self._interests[key]
        found = find_interests(history, self.background)
        with self._keeping:
            self._interests[key] = found
            while len(self._interests) > _MOST_INTERESTS:
                self._interests.popitem(last=False)
        return found

    def _read_background(self) -> Background:
        rows = evenly(len(self.catalogue.base), _BACKGROUND_TEXTS)
        return Background(self.catalogue.base.table["text"].take(pa.array(rows)))
