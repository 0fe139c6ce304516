"""Two dimensions of many: users or items on one sheet, by the principal components of their vectors.

The sheet of a snapshot never moves: the axes are computed from what was there when it was built, and whatever is placed
on it later (a user's path, a live profile) is projected on the same axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.linalg import eigh

from dynprof.clusters import Clusters, spherical_k_means
from dynprof.word_labels import Background, label_groups

__all__ = ["MOST_POINTS", "Codes", "Projection", "Sheet", "Topics", "coded", "evenly"]

FloatArray = npt.NDArray[np.floating]
IntArray = npt.NDArray[np.int64]

MOST_POINTS = 100_000
"""On one sheet; of more, as many evenly spread over the table."""

_FITTED = 20_000
_MOST_CODES = 11
_TOPICS = 11


def evenly(n: int, most: int) -> IntArray:
    """Positions of all of n, or of `most` of them, evenly spread."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)


@dataclass(frozen=True)
class Projection:
    """Two axes.

    Attributes:
        mean: (dim,) what lies in the middle.
        axes: (2, dim) orthonormal; 0 where the vectors do not spread that far.
        explained: (2,) share of the variance on each axis, falling.
    """

    mean: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    explained: npt.NDArray[np.float64]

    @classmethod
    def fit(cls, vectors: FloatArray) -> Projection:
        """Axes of the largest variance of at most 20,000 of the vectors, evenly spread.

        The sign of an axis is the one in which its largest loading is positive, so that the same vectors always lie
        the same way round.

        Args:
            vectors: (n, dim); n may be 0.
        """
        dim = vectors.shape[1]
        sample = np.asarray(vectors[evenly(len(vectors), _FITTED)], np.float64)
        if not len(sample):
            return cls(np.zeros(dim), np.zeros((2, dim)), np.zeros(2))
        mean = sample.mean(0)
        sample -= mean
        scatter = sample.T @ sample
        total = float(np.trace(scatter))
        values, columns = eigh(scatter, subset_by_index=[max(0, dim - 2), dim - 1])
        values, axes = np.maximum(values[::-1], 0.0), columns.T[::-1].copy()
        axes *= np.sign(axes[np.arange(len(axes)), np.argmax(np.abs(axes), axis=1)])[:, None]
        explained = values / total if total > 1e-12 * len(sample) else np.zeros(len(axes))
        axes[explained <= 0] = 0.0
        missing = 2 - len(axes)
        return cls(mean, np.pad(axes, ((0, missing), (0, 0))), np.pad(explained, (0, missing)))

    def place(self, vectors: FloatArray) -> npt.NDArray[np.float32]:
        """(n, 2) where vectors lie."""
        axes, mean = self.axes.T.astype(np.float32), self.mean.astype(np.float32)
        return np.asarray((vectors.astype(np.float32, copy=False) - mean) @ axes, np.float32)


@dataclass(frozen=True)
class Codes:
    """A property of points as small numbers.

    Attributes:
        names: What each number stands for.
        of: (n,) uint8 number of each point; `len(names)` where it has none.
    """

    names: list[str]
    of: npt.NDArray[np.uint8]


def coded(values: pa.Array | pa.ChunkedArray) -> Codes:
    """The most frequent values as numbers, most frequent first; all others are one, `other`.

    Args:
        values: (n,) strings; null where there is none.
    """
    counted = pc.value_counts(values.drop_null())
    names, counts = counted.field("values"), np.asarray(counted.field("counts"))
    order = np.lexsort((np.argsort(np.asarray(pc.sort_indices(names))), -counts))
    frequent = names.take(pa.array(order[:_MOST_CODES]))
    where = pc.fill_null(pc.index_in(values, value_set=frequent), len(frequent)).to_numpy(zero_copy_only=False)
    numbers = np.where(np.asarray(values.is_valid()), where, -1).astype(np.int64)
    shown = [str(name) for name in frequent.to_pylist()] + (["other"] if len(order) > _MOST_CODES else [])
    return Codes(shown, np.where(numbers < 0, len(shown), numbers).astype(np.uint8))


@dataclass(frozen=True)
class Topics:
    """Groups of items, and what each says.

    Attributes:
        mean: (dim,) subtracted before a vector is compared: what everybody has in common is no topic.
        clusters: Groups.
        words: Of each group.
    """

    mean: npt.NDArray[np.float32]
    clusters: Clusters
    words: list[list[str]]

    @classmethod
    def of(cls, vectors: FloatArray, texts: pa.Array | pa.ChunkedArray, background: Background) -> Topics:
        """Find them.

        Args:
            vectors: (n, dim) of the items, or of a sample.
            texts: (n,) of the same.
            background: What all of them say.
        """
        mean = np.asarray(vectors, np.float32).mean(0) if len(vectors) else np.zeros(vectors.shape[1], np.float32)
        centered = _centered(vectors, mean)
        if not len(centered):
            return cls(mean, Clusters(np.empty((0, len(mean)), np.float32)), [])
        clusters = spherical_k_means(centered, _TOPICS)
        words = label_groups(texts, clusters.assign(centered), len(clusters), background, n_words=3)
        return cls(mean, clusters, words)

    def codes(self, vectors: FloatArray) -> Codes:
        """The topic that each vector is nearest to."""
        names = [" · ".join(words) or f"group {number + 1}" for number, words in enumerate(self.words)]
        if not names:
            return Codes([], np.zeros(len(vectors), np.uint8))
        return Codes(names, self.clusters.assign(_centered(vectors, self.mean)).astype(np.uint8))


@dataclass(frozen=True)
class Sheet:
    """Points in two dimensions.

    Attributes:
        projection: The principal axes.
        numbers: (n,) user numbers or catalogue rows.
        places: (n, 2) float32.
        activity: (n,) number of events of a user; days since it appeared of an item.
        languages: Most frequent language of a user's events; of an item its own.
        topics: See `Topics`.
        n_total: How many there are of which these are shown.
        is_projected: Whether points lie where `projection` places their vectors.
    """

    projection: Projection
    numbers: IntArray
    places: npt.NDArray[np.float32]
    activity: npt.NDArray[np.float32]
    languages: Codes
    topics: Codes
    n_total: int
    is_projected: bool = True

    def without(self, numbers: Sequence[int]) -> Sheet:
        """The same without some points."""
        return self._kept(~np.isin(self.numbers, np.asarray(list(numbers), np.int64)))

    def placed(self, numbers: IntArray, places: npt.NDArray[np.float32]) -> Sheet:
        """The same points elsewhere; those without a place are left out.

        Args:
            numbers: (m,) rising.
            places: (m, 2).
        """
        kept = self._kept(np.isin(self.numbers, numbers))
        there = places[np.searchsorted(numbers, kept.numbers)]
        return replace(kept, places=there, n_total=self.n_total, is_projected=False)

    def _kept(self, keep: npt.NDArray[np.bool_]) -> Sheet:
        languages, topics = (Codes(c.names, c.of[keep]) for c in (self.languages, self.topics))
        return replace(
            self,
            numbers=self.numbers[keep],
            places=self.places[keep],
            activity=self.activity[keep],
            languages=languages,
            topics=topics,
            n_total=self.n_total - int((~keep).sum()),
        )


def _centered(vectors: FloatArray, mean: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    moved = np.asarray(vectors, np.float32) - mean
    norms = np.linalg.norm(moved, axis=1, keepdims=True)
    return np.asarray(np.divide(moved, norms, out=moved, where=norms > 0), np.float32)
