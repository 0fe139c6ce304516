"""Which item a repost, like or reply is about: recent ones of the right topic and language, popular ones more often."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.world.measured import REPOST_AGE_MEDIAN_S, REPOST_AGE_SIGMA
from dynprof.world.membership import is_among

__all__ = ["HORIZON_US", "Attention", "Posts"]

HORIZON_US = 14 * 86_400 * 1_000_000
"""Nobody reposts, likes or answers what is older than two weeks."""

_SHELF_CAPACITY = 4_096
"""Items of one topic and language that stay in mind; bounds memory when millions are posted a day."""

_FEWEST = 3
"""Where the last hours brought fewer items, the newest three are looked at anyway."""

_WINDOW_MEDIAN_US = 2 * REPOST_AGE_MEDIAN_S * 1e6
"""An item is drawn from the window before now, so its age is about half the window."""

_WIDER = (1, 6, 36, 216)
"""Who finds only own or known items looks again, in a window so many times as wide."""

_NONE = -1

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Posts:
    """Items that can be picked, every array (n,).

    Attributes:
        event: Number of the event that is the item.
        shelf: Number of its topic and language.
        at_us: When it appeared, microseconds after the world's start.
        author: Number of the user.
        weight: How attractive it is. > 0.
    """

    event: Numbers
    shelf: Numbers
    at_us: Numbers
    author: Numbers
    weight: npt.NDArray[np.float64]

    def take(self, rows: Numbers | npt.NDArray[np.bool_]) -> Posts:
        """The same of some rows."""
        return Posts(self.event[rows], self.shelf[rows], self.at_us[rows], self.author[rows], self.weight[rows])


class Attention:
    """The items of the last two weeks, by shelf and time, and who picked which of them.

    Args:
        n_users: Of the world.
        span_us: Length of the world.
    """

    def __init__(self, n_users: int, span_us: int) -> None:
        self._n_users, self._span_us = n_users, span_us
        none = np.zeros(0, np.int64)
        self._picked = none
        self._place(Posts(none, none, none, none, np.zeros(0)))

    @property
    def events(self) -> Numbers:
        """Numbers of the items that can still be picked, sorted."""
        return np.sort(self._posts.event)

    def add(self, posts: Posts) -> None:
        """Put items on their shelves. They need not be newer than those that are there."""
        both = (self._posts, posts)
        joined = Posts(*(np.concatenate([getattr(p, name) for p in both]) for name in Posts.__dataclass_fields__))
        self._place(joined.take(np.lexsort((joined.event, joined.shelf))))

    def forget(self, now_us: int) -> None:
        """Drop items past the horizon or beyond a shelf's capacity, and who picked them."""
        shelf = self._posts.shelf
        newer = np.searchsorted(shelf, shelf, side="right") - np.arange(len(shelf))
        self._place(self._posts.take((newer <= _SHELF_CAPACITY) & (self._posts.at_us >= now_us - HORIZON_US)))
        self._picked = self._picked[is_among(self._picked // self._n_users, self.events)]

    def pick(self, users: Numbers, shelf: Numbers, at_us: Numbers, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
        """An item that appeared strictly before each time, is not the user's own and was not picked by them before.

        Args:
            users: (n,) who looks.
            shelf: (n,) where.
            at_us: (n,) when.
            rng: Source of every choice.

        Returns:
            (n,) numbers of the items' events and of their authors, -1 where there is none.
        """
        event, author = np.full(len(users), _NONE), np.full(len(users), _NONE)
        for wider in _WIDER:
            open_rows = np.flatnonzero(event == _NONE)
            row = self._look(shelf[open_rows], at_us[open_rows], wider, rng)
            found = row != _NONE
            open_rows, row = open_rows[found], row[found]
            accepted = self._accept(users[open_rows], row)
            event[open_rows[accepted]] = self._posts.event[row[accepted]]
            author[open_rows[accepted]] = self._posts.author[row[accepted]]
        return event, author

    def _place(self, posts: Posts) -> None:
        self._posts = posts
        self._keys = posts.shelf * self._span_us + posts.at_us
        self._reached = np.append(0.0, np.cumsum(posts.weight))

    def _look(self, shelf: Numbers, at_us: Numbers, wider: int, rng: np.random.Generator) -> Numbers:
        """A row of the posts for each look, by weight within a window of random length before it; -1 for none."""
        window = wider * _WINDOW_MEDIAN_US * np.exp(REPOST_AGE_SIGMA * rng.standard_normal(len(shelf)))
        u = rng.random(len(shelf))
        base = shelf * self._span_us
        high = np.searchsorted(self._keys, base + at_us)
        oldest = np.searchsorted(self._keys, base + np.maximum(at_us - HORIZON_US, 0))
        since = np.searchsorted(self._keys, base + np.maximum(at_us - window.astype(np.int64), 0))
        low = np.maximum(oldest, np.minimum(since, high - wider * _FEWEST))
        target = self._reached[low] + u * (self._reached[high] - self._reached[low])
        row = np.searchsorted(self._reached, target, side="right") - 1
        return np.where(high > low, row.clip(low, np.maximum(high - 1, low)), _NONE)

    def _accept(self, users: Numbers, row: Numbers) -> npt.NDArray[np.bool_]:
        """Which picks are new and not of the user's own item; those are remembered."""
        pair = self._posts.event[row] * self._n_users + users
        order = np.argsort(pair, kind="stable")
        first = np.ones(len(pair), np.bool_)
        first[order[1:]] = pair[order[1:]] != pair[order[:-1]]
        accepted: npt.NDArray[np.bool_] = first & (self._posts.author[row] != users) & ~is_among(pair, self._picked)
        # Stable sort is a merge sort: fast on what is sorted but for its end.
        self._picked = np.sort(np.concatenate([self._picked, pair[accepted]]), kind="stable")
        return accepted
