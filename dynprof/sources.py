"""What answers are made from: one interface for users and one for items, whatever stands behind them.

A snapshot alone is `snapshot_users.SnapshotUsers` and `item_search.CatalogueItems`; a snapshot with live events over it
implements the same two. Whoever answers holds one of each from the first line to the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.decay import Decay
from dynprof.history import History, WeightedTimes
from dynprof.recommend import DEFAULT_ITEM_HALF_LIFE, DEFAULT_METRIC, Metric
from dynprof.user_profile import KnownUser

__all__ = ["NO_FILTER", "FoundItems", "ItemFilter", "ItemQuery", "ItemSource", "KnownTexts", "UserSource", "Words"]

FloatArray = npt.NDArray[np.floating]
Words = npt.NDArray[np.uint64]


class UserSource(Protocol):
    """Users and their events. Safe to ask from several threads."""

    @property
    def as_of_us(self) -> int:
        """The time of a question that names none: later than every event that is known."""

    @property
    def population(self) -> npt.NDArray[np.float32]:
        """(dim,) prior of users without a bio."""

    @property
    def prior_weight(self) -> float:
        """kappa, in units of event weight."""

    def is_erased(self, user_id: str, /) -> bool:
        """Whether nothing of this user may be answered."""

    def user(self, user_id: str) -> KnownUser:
        """State and prior. Raises `UnknownUserError`."""

    def times(self, user_id: str) -> WeightedTimes:
        """When and how heavy the user's events were; nothing for whom nobody knows."""

    def history(self, user_id: str) -> History:
        """The user's events with their vectors; nothing for whom nobody knows."""

    def seen(self, user_id: str, as_of_us: int) -> Words:
        """(n, 2) hashes of the texts of the user's events strictly before a time, as of `hash_words`."""


@dataclass(frozen=True)
class ItemFilter:
    """Which items may be returned. None: any.

    Attributes:
        language: Equal to it; an item without a language has none.
        author: `author_id` equal to it.
        since_us: Appeared at or after it, microseconds since 1970.
    """

    language: str | None = None
    author: str | None = None
    since_us: int | None = None


NO_FILTER = ItemFilter()


@dataclass(frozen=True)
class ItemQuery:
    """Which items are wanted.

    Attributes:
        vector: (dim,) what they should be close to; None: the newest ones, scored by the weight of their age.
        k: How many, > 0.
        as_of_us: Only items that appeared strictly before it.
        metric: See `recommend.score`.
        item_decay: f_item, how fast candidates age; used by `cosine_time` and where there is no vector.
        filter: See there.
        excluded: (n, 2) hashes of texts never to return.
        popularity: Share of recent popularity in the score, in [0, 1]: (1 - p) score + p popularity.
    """

    vector: FloatArray | None
    k: int
    as_of_us: int
    metric: Metric = DEFAULT_METRIC
    item_decay: Decay = Decay("exponential", DEFAULT_ITEM_HALF_LIFE)  # noqa: RUF009 - frozen
    filter: ItemFilter = NO_FILTER
    excluded: Words = field(default_factory=lambda: np.empty((0, 2), np.uint64))
    popularity: float = 0.0


@dataclass(frozen=True)
class FoundItems:
    """The best items, best first; k of them when k exist that the query lets through.

    Attributes:
        table: (m,) item_id, text, language, author_id, created_at.
        vectors: (m, dim) float32, norm 1 (or 0).
        created_us: (m,) int64 microseconds since 1970.
        scores: (m,) float64, falling.
        popularity: (m,) in [0, 1]; None where it had no share.
    """

    table: pa.Table
    vectors: npt.NDArray[np.float32]
    created_us: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    popularity: npt.NDArray[np.float64] | None

    def take(self, positions: npt.NDArray[np.int64]) -> FoundItems:
        """Those at some positions, in their order."""
        popularity = None if self.popularity is None else self.popularity[positions]
        chosen = self.vectors[positions], self.created_us[positions], self.scores[positions]
        return FoundItems(self.table.take(pa.array(positions)), *chosen, popularity)


@dataclass(frozen=True)
class KnownTexts:
    """What is known of some items or texts, in the order in which they were asked for.

    Attributes:
        words: (n, 2) hashes of their texts; 0 where there is none.
        found: (n,) whether there is an item with a text that has a vector.
        vectors: (n, dim) float32; 0 where there is none.
    """

    words: Words
    found: npt.NDArray[np.bool_]
    vectors: npt.NDArray[np.float32]


class ItemSource(Protocol):
    """Items that can be recommended. Safe to ask from several threads."""

    def __len__(self) -> int:
        """Number of items, each text once."""

    def search(self, query: ItemQuery) -> FoundItems:
        """The best items for a query."""

    def search_all(self, queries: Sequence[ItemQuery]) -> list[FoundItems]:
        """The same for several, in order: an answer does not depend on what else is asked, but costs less."""

    def find_items(self, item_ids: Sequence[str]) -> KnownTexts:
        """Items by their ids."""

    def find_texts(self, words: Words) -> KnownTexts:
        """Texts by their hashes."""

    def look_up(self, words: Words) -> tuple[FoundItems, npt.NDArray[np.bool_]]:
        """The items of texts, scored 0, in the order of (n, 2) words; and (n,) which may be returned."""

    def has_popularity(self, as_of_us: int) -> bool:
        """Whether recent popularity is known as of a time."""
