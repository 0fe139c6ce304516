"""Which of tomorrow's posts is this user's? A profile as of midnight ranks every text that is new on the next day.

A test is one text that a user posted on a day, that nobody had posted before that day, and that is the user's first
event with it. Candidates are all texts that are new on that day, less the user's other ones. Everything strictly before
midnight (UTC) is known. So the question is whose interests a post fits; that accounts copy each other within minutes,
which makes "newest first" unbeatable at the next repost, is of no use here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.study.corpora import Posts, ask_at
from benchmarks.study.profiles import unit_profiles
from dynprof.decay import Decay

__all__ = ["DAY_US", "Tests", "choose", "rank", "spans"]

DAY_US = 86_400_000_000
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tests:
    """n tests of one window, by day.

    Attributes:
        window: Its name.
        users: (n,) numbers of users.
        day_us: (n,) midnight before the post.
        items: (n,) the posts.
    """

    window: str
    users: IntArray
    day_us: IntArray
    items: IntArray


def spans(posts: Posts, share: float = 0.2, windows: int = 3) -> dict[str, tuple[int, int]]:
    """Days of validation and test windows: the last share of the events in equal parts, and one such part before."""
    days = np.sort(posts.log.event_us) // DAY_US * DAY_US
    part = share / windows
    cuts = [1 - share - part + part * i for i in range(windows + 1)]
    bounds = [int(days[int(len(days) * c)]) for c in cuts] + [int(days[-1]) + DAY_US]
    names = ["validation", *(f"test {i}" for i in range(1, windows + 1))]
    return {name: (a, b) for name, a, b in zip(names, bounds, bounds[1:], strict=False)}


def choose(posts: Posts, window: str, span: tuple[int, int], n_tests: int, seed: int = 0) -> Tests:
    """A sample of the tests of a window, the same for all methods."""
    log = posts.log
    day = log.event_us // DAY_US * DAY_US
    good = (day >= span[0]) & (day < span[1]) & log.novel & (log.weights > 0) & (log.first_us[log.items] >= day)
    good &= log.event_us[posts.starts[log.users]] < day  # there is a history
    found = np.flatnonzero(good)
    drawn = np.random.default_rng(seed).permutation(found)[:n_tests]
    drawn = drawn[np.lexsort((drawn, day[drawn]))]
    return Tests(window, log.users[drawn].astype(np.int64), day[drawn], log.items[drawn].astype(np.int64))


def rank(posts: Posts, tests: Tests, decays: Sequence[Decay]) -> tuple[IntArray, IntArray, IntArray]:
    """Places of the targets under every column of `unit_profiles` and, last, under "same language".

    Returns:
        above and tied, (n, m) other candidates with a greater and an equal score, and (n,) numbers of candidates.
    """
    m = len(decays) + 4
    above, tied = np.zeros((len(tests.users), m), np.int64), np.zeros((len(tests.users), m), np.int64)
    n_candidates = np.zeros(len(tests.users), np.int64)
    spoken = _language_of_items(posts)
    for day in np.unique(tests.day_us):
        rows = np.flatnonzero(tests.day_us == day)
        first, stop = np.searchsorted(posts.log.first_us, [day, day + DAY_US])
        pairs, pair = np.unique(tests.users[rows], return_inverse=True)
        asked = ask_at(posts, pairs, np.full(len(pairs), day, np.int64))
        profiles = unit_profiles(posts, asked, decays)
        vectors = posts.vectors.take(slice(int(first), int(stop))).astype(np.float32)
        scores = np.einsum("umd,cd->umc", profiles, vectors, optimize=True)
        for user, start, end in zip(range(len(pairs)), asked.history_start, asked.history_stop, strict=True):
            mine = np.flatnonzero(pair == user)
            own = _own(posts, int(pairs[user]), int(day), int(first), int(stop))
            most = _usual(posts.languages[start:end])
            columns = np.vstack([scores[user], (spoken[first:stop] == most)[None].astype(np.float32)])
            for row in rows[mine]:
                target = int(tests.items[row] - first)
                left = np.ones(columns.shape[1], np.bool_)
                left[own] = False
                value = columns[:, target : target + 1]
                above[row] = ((columns > value) & left).sum(axis=1)
                tied[row] = ((columns == value) & left).sum(axis=1)
                n_candidates[row] = np.count_nonzero(left) + 1
    return above, tied, n_candidates


def _own(posts: Posts, user: int, day: int, first: int, stop: int) -> IntArray:
    """The user's texts of that day, as places among the candidates; the target is among them."""
    log, events = posts.log, slice(posts.starts[user], posts.ends[user])
    items = log.items[events][(log.event_us[events] >= day) & (log.event_us[events] < day + DAY_US)]
    return np.unique(items[(items >= first) & (items < stop)]).astype(np.int64) - first


def _language_of_items(posts: Posts) -> npt.NDArray[np.object_]:
    """(n_items,) language of one event of each item."""
    found = np.full(posts.log.n_items, "", object)
    found[posts.log.items] = posts.languages
    return found


def _usual(languages: npt.NDArray[np.object_]) -> str:
    """The most frequent language; the first by name of equals."""
    names, counts = np.unique(languages.astype(str), return_counts=True)
    return str(names[np.argmax(counts)])
