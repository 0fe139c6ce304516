"""Topics: groups of posts by direction, and what happened to each in every window."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from sklearn.cluster import KMeans

from dynprof.decay import Decay
from dynprof.drift.surprise import share_z, surprise, turn_z
from dynprof.drift.trail import unit
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.profile import age_seconds, shrink

__all__ = ["SuddenTopics", "TopicWindows", "count_topics", "find_topics", "nearest_topic", "sudden_topics"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]

_ITEMS_AT_ONCE = 16_384


@dataclass(frozen=True)
class TopicWindows:
    """Counts that add up: those of several buckets are those of all. w windows, K topics.

    Attributes:
        start_us: (w,) beginnings, rising.
        counts: (w, K) posts.
        sums: (w, K, dim) of their vectors.
    """

    start_us: IntArray
    counts: IntArray
    sums: FloatArray


@dataclass(frozen=True)
class SuddenTopics:
    """What each topic did in each window; NaN where nothing can be said.

    Attributes:
        shares: (w, K) of the window's posts.
        share_z: (w, K).
        surprises: (w, K).
        turn_z: (w, K) of their cube root.
    """

    shares: FloatArray
    share_z: FloatArray
    surprises: FloatArray
    turn_z: FloatArray


def find_topics(vectors: npt.NDArray[np.floating], k: int, seed: int) -> Matrix:
    """(k', dim) unit centres of k-means on unit vectors; fewer where there are fewer distinct posts."""
    posts = np.unique(unit(vectors).astype(np.float32), axis=0)
    posts = posts[np.linalg.norm(posts, axis=1) > 0]
    if not len(posts):
        return np.empty((0, vectors.shape[1]), np.float32)
    model = KMeans(min(k, len(posts)), n_init=1, max_iter=50, random_state=seed).fit(posts)
    return unit(model.cluster_centers_).astype(np.float32)


def nearest_topic(vectors: ItemVectors, n_items: int, centres: Matrix) -> IntArray:
    """(n_items,) number of the closest centre of each item."""
    found = np.empty(n_items, np.int64)
    for start in range(0, n_items, _ITEMS_AT_ONCE):
        block = slice(start, min(start + _ITEMS_AT_ONCE, n_items))
        found[block] = np.argmax(vectors.take(block).astype(np.float32) @ centres.T, axis=1)
    return found


def count_topics(
    at_us: IntArray, items: npt.NDArray[np.integer], vectors: ItemVectors, topics: IntArray, k: int, length_us: int
) -> TopicWindows:
    """The windows of some posts.

    Args:
        at_us: (n,) in any order.
        items: (n,) their items.
        vectors: Of all items.
        topics: (n_items,) from `nearest_topic`.
        k: Number of topics.
        length_us: Of a window.
    """
    start_us, window = np.unique(at_us // length_us * length_us, return_inverse=True)
    cell, n_items = window * k + topics[items], len(topics)
    counts = np.bincount(cell, minlength=len(start_us) * k).reshape(-1, k)
    n_cells = len(start_us) * k
    pairs = coo_matrix((np.ones(len(items), np.float32), (cell, items)), (n_cells, n_items)).tocsc()
    dim = vectors.chunk.pieces[0].shape[1]
    sums = np.zeros((n_cells, dim))
    for start in range(0, n_items, _ITEMS_AT_ONCE):
        block = slice(start, min(start + _ITEMS_AT_ONCE, n_items))
        sums += pairs[:, block] @ vectors.take(block).astype(np.float32)
    return TopicWindows(start_us, counts, sums.reshape(-1, k, dim))


def sudden_topics(windows: TopicWindows, decay: Decay, length_us: int, *, history: int) -> SuddenTopics:
    """Each topic against its own past.

    A topic's profile before a window is the decayed mean of the posts of its earlier windows, taken as posted in the
    middle of each.

    Args:
        windows: Of all buckets.
        decay: f.
        length_us: Of a window.
        history: Windows that are needed before one is judged.
    """
    w, k, dim = windows.sums.shape
    ages = age_seconds(windows.start_us[:, None], windows.start_us[None, :] + length_us // 2)
    weights = np.where(ages > 0, decay.weights(ages), 0.0)
    totals = windows.counts.sum(axis=1)
    shapes = np.full((4, w, k), np.nan)
    for topic in range(k):
        counts, sums = windows.counts[:, topic], windows.sums[:, topic]
        mass, square = (of @ counts.astype(np.float64) for of in (weights, np.square(weights)))
        no_prior = np.zeros(dim, np.float32)
        before = shrink(weights @ sums, mass, square, np.zeros(w), prior=no_prior, prior_weight=0.0)
        surprises = surprise(before, sums / np.maximum(counts, 1)[:, None], counts)
        surprises[counts == 0] = np.nan
        shapes[0, :, topic] = counts / np.maximum(totals, 1)
        shapes[1, :, topic] = share_z(counts, totals, least=history)
        shapes[2, :, topic] = surprises
        shapes[3, :, topic] = turn_z(surprises, least=history)
    return SuddenTopics(*shapes)
