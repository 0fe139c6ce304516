"""Groups of directions: spherical k-means whose result depends on the vectors alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Clusters", "sensible_clusters", "spherical_k_means"]

FloatArray = npt.NDArray[np.float32]

_ROUNDS = 15
_SEED = 7
_LEAST_SEPARATION = 0.05


@dataclass(frozen=True)
class Clusters:
    """Directions that stand for groups of vectors.

    Attributes:
        centers: (k, dim) float32, norm 1 (or 0), largest group first.
    """

    centers: FloatArray

    def __len__(self) -> int:
        return len(self.centers)

    def assign(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.int64]:
        """(n,) the nearest center of each vector, of equally near ones the first."""
        return np.asarray(np.argmax(vectors.astype(np.float32, copy=False) @ self.centers.T, axis=1), np.int64)

    def separation(self, vectors: npt.NDArray[np.floating]) -> float:
        """Mean simplified silhouette of the vectors, in [-1, 1]; 0 for one group or none.

        Source: Hruschka et al., *Evolving clusters in gene-expression data*, 2006: distances to centers, not to all.
        """
        if len(self) < 2 or not len(vectors):
            return 0.0
        near = np.sort(1 - vectors.astype(np.float32, copy=False) @ self.centers.T, axis=1)
        widest = np.maximum(near[:, 1], 1e-9)
        return float(np.mean((near[:, 1] - near[:, 0]) / widest))


def spherical_k_means(vectors: FloatArray, k: int) -> Clusters:
    """At most k groups by cosine. The same vectors in the same order give the same groups.

    Args:
        vectors: (n, dim) float32, norm 1 (or 0), n > 0.
        k: > 0; fewer come back where there are fewer different vectors.

    Source: Dhillon and Modha, 2001; seeded as in k-means++ (Arthur and Vassilvitskii, 2007).
    """
    centers = _seeds(vectors, k)
    for _ in range(_ROUNDS):
        of = np.argmax(vectors @ centers.T, axis=1)
        sums = (of[:, None] == np.arange(len(centers))).astype(np.float32).T @ vectors
        moved = _unit(np.where(np.any(sums, axis=1, keepdims=True), sums, centers))
        done = np.allclose(moved, centers, atol=1e-5)
        centers = moved
        if done:
            break
    sizes = np.bincount(np.argmax(vectors @ centers.T, axis=1), minlength=len(centers))
    order = np.argsort(-sizes, kind="stable")
    return Clusters(centers[order[sizes[order] > 0]])


def sensible_clusters(vectors: FloatArray, *, most: int) -> Clusters:
    """As many groups, from 1 to `most`, as are best apart; 1 where no number of groups is apart at all.

    Args:
        vectors: (n, dim) float32, norm 1 (or 0), n > 0.
        most: > 0.
    """
    best, apart = spherical_k_means(vectors, 1), _LEAST_SEPARATION
    for k in range(2, min(most, len(vectors)) + 1):
        found = spherical_k_means(vectors, k)
        separation = found.separation(vectors)
        if separation > apart:
            best, apart = found, separation
    return best


def _seeds(vectors: FloatArray, k: int) -> FloatArray:
    """(at most k, dim) vectors far from each other, the first one nearest to the mean."""
    rng = np.random.default_rng(_SEED)
    chosen = [int(np.argmax(vectors @ vectors.mean(0)))]
    distance = 1 - vectors @ vectors[chosen[0]]
    while len(chosen) < k:
        weights = np.maximum(distance, 0.0).astype(np.float64) ** 2
        weights[weights < 1e-9] = 0.0
        if weights.sum() <= 0:
            break
        chosen.append(int(rng.choice(len(vectors), p=weights / weights.sum())))
        distance = np.minimum(distance, 1 - vectors @ vectors[chosen[-1]])
    return vectors[chosen].copy()


def _unit(vectors: npt.NDArray[np.floating]) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1.0), np.float32)
