"""What sampled users would be recommended now, shard after shard: the best of the parts are among the best of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.drift.trail import unit
from dynprof.profile import age_seconds
from dynprof.recommend import DEFAULT_ITEM_HALF_LIFE
from dynprof.scoring import Metric, score_of_cosine

__all__ = ["LIST_LENGTH", "LIST_METRICS", "Listed", "Reader", "best_of", "join_lists"]

LIST_LENGTH = 10
LIST_METRICS: tuple[Metric, ...] = ("cosine", "cosine_time")
_NOTHING = -1
_USERS_AT_ONCE = 256


@dataclass(frozen=True)
class Reader:
    """Who gets lists. Arrays over n users.

    Attributes:
        profiles: (n, dim).
        seen: (m,) items that they had, user after user.
        seen_starts: (n + 1,) where those of each begin in `seen`.
        first_us: (n_items,) when items appeared.
        as_of_us: Now.
    """

    profiles: npt.NDArray[np.float32]
    seen: npt.NDArray[np.int32]
    seen_starts: npt.NDArray[np.int64]
    first_us: npt.NDArray[np.int64]
    as_of_us: int


@dataclass(frozen=True)
class Listed:
    """Lists by metric, best first.

    Attributes:
        items: (n, metrics, `LIST_LENGTH`) int64; -1 beyond the candidates.
        scores: Likewise; -inf there.
    """

    items: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]


def best_of(items: npt.NDArray[np.integer], vectors: npt.NDArray[np.float16], reader: Reader) -> Listed:
    """The lists of all users from some items.

    Args:
        items: (k,) rising numbers.
        vectors: (k, dim) of them, norm 1 (or 0).
        reader: Who.
    """
    n = len(reader.profiles)
    found = np.full((n, len(LIST_METRICS), LIST_LENGTH), _NOTHING, np.int64)
    scores = np.full(found.shape, -np.inf)
    fresh = Decay("exponential", DEFAULT_ITEM_HALF_LIFE).weights(age_seconds(reader.as_of_us, reader.first_us[items]))
    wide, people = vectors.astype(np.float32), unit(reader.profiles).astype(np.float32)
    for start in range(0, n, _USERS_AT_ONCE):
        rows = slice(start, min(start + _USERS_AT_ONCE, n))
        cosines = np.clip(people[rows] @ wide.T, -1, 1)
        hidden = _hidden(items, reader, rows)
        for number, metric in enumerate(LIST_METRICS):
            given = score_of_cosine(cosines, 1.0, metric=metric, time_weights=fresh).copy()
            given[hidden] = -np.inf
            found[rows, number], scores[rows, number] = _best(given, np.asarray(items, np.int64))
    return Listed(found, scores)


def join_lists(parts: Sequence[Listed]) -> Listed:
    """The lists from all the items of at least one part; of equal scores the later item, which is the newer."""
    items = np.concatenate([p.items for p in parts], axis=2)
    scores = np.concatenate([p.scores for p in parts], axis=2)
    order = np.lexsort((-items, -scores), axis=2)[:, :, :LIST_LENGTH]
    return Listed(np.take_along_axis(items, order, axis=2), np.take_along_axis(scores, order, axis=2))


def _hidden(
    items: npt.NDArray[np.integer], reader: Reader, rows: slice
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Row and column of what the users had."""
    first, stop = reader.seen_starts[rows.start], reader.seen_starts[rows.stop]
    seen = reader.seen[first:stop]
    owner = np.repeat(np.arange(rows.stop - rows.start), np.diff(reader.seen_starts[rows.start : rows.stop + 1]))
    column = np.searchsorted(items, seen).clip(max=len(items) - 1)
    here = items[column] == seen
    return owner[here], column[here]


def _best(
    scores: npt.NDArray[np.float64], items: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """(n, `LIST_LENGTH`) best of (n, k) scores: items and scores."""
    k = scores.shape[1]
    width = min(LIST_LENGTH, k)
    near = np.argpartition(-scores, width - 1, axis=1)[:, :width]
    given = np.take_along_axis(scores, near, axis=1)
    best = np.where(given > -np.inf, items[near], _NOTHING)
    pad = ((0, 0), (0, LIST_LENGTH - width))
    return np.pad(best, pad, constant_values=_NOTHING), np.pad(given, pad, constant_values=-np.inf)
