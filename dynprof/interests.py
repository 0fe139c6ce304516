"""What a user cares about, as groups of the user's own posts: found once, weighed at any decay."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.clusters import sensible_clusters
from dynprof.decay import Decay
from dynprof.history import History
from dynprof.profile import age_seconds
from dynprof.word_labels import Background, label_groups

__all__ = ["Interests", "WeighedInterest", "find_interests"]

IntArray = npt.NDArray[np.int64]

_MOST_TEXTS = 2000  # that groups are looked for in; the others join the nearest
_MOST_LABELLED = 4000


@dataclass(frozen=True)
class WeighedInterest:
    """One group at one decay and time.

    Attributes:
        number: Which group, the same at every decay.
        words: What its posts say more often than everybody else; may be empty.
        n_events: Of the group, before the time.
        share: Of the mass of all events, in [0, 1].
        last_us: Time of its latest event, microseconds since 1970.
        typical: Positions in the history of the events that weigh most and are nearest to the middle of the group.
    """

    number: int
    words: list[str]
    n_events: int
    share: float
    last_us: int
    typical: IntArray


@dataclass(frozen=True)
class Interests:
    """Groups of the events of one history.

    Attributes:
        groups: (n,) group of each event.
        nearness: (n,) cosine of each event with the middle of its group.
        words: Of each group.
    """

    groups: IntArray
    nearness: npt.NDArray[np.float64]
    words: list[list[str]]

    def take(self, positions: IntArray) -> Interests:
        """The same groups of the events at some positions."""
        return Interests(self.groups[positions], self.nearness[positions], self.words)

    def weigh(self, history: History, decay: Decay, as_of_us: int, *, n_typical: int = 3) -> list[WeighedInterest]:
        """The groups that have an event before a time, heaviest first. Negative weights count by size, as in mass.

        Args:
            history: The one that the groups were found in.
            decay: f.
            as_of_us: Microseconds since 1970; events at or after it do not count.
            n_typical: Posts to name a group, each text once.
        """
        early = np.flatnonzero(history.at_us < as_of_us)
        groups, n_groups = self.groups[early], len(self.words)
        weights = np.abs(history.weights[early]) * decay.weights(age_seconds(as_of_us, history.at_us[early]))
        mass, counts = np.bincount(groups, weights, n_groups), np.bincount(groups, minlength=n_groups)
        shares = mass / mass.sum() if mass.sum() > 0 else np.zeros(n_groups)
        found = []
        for number in np.lexsort((-counts, -shares)).tolist():
            if counts[number]:
                mine = np.flatnonzero(groups == number)
                typical = self._typical(history, early[mine], weights[mine], n_typical)
                last_us = int(history.at_us[early[mine[-1]]])
                about = self.words[number], int(counts[number]), float(shares[number])
                found.append(WeighedInterest(number, *about, last_us, typical))
        return found

    def _typical(self, history: History, events: IntArray, weights: npt.NDArray[np.float64], n: int) -> IntArray:
        """Weight times nearness; where all weights have faded away, nearness alone."""
        near = np.maximum(self.nearness[events], 0.0)
        order = events[np.argsort(-(near * weights if weights.max() > 0 else near), kind="stable")]
        _, first = np.unique(history.rows[order], return_index=True)
        return order[np.sort(first)[:n]]


def find_interests(history: History, background: Background, *, most: int = 8) -> Interests:
    """Group the events of a user by what they say. Depends on the history alone, not on any decay.

    Args:
        history: Of the user; may be empty.
        background: What everybody says, for the labels.
        most: Number of groups at most; of few events fewer.
    """
    if not len(history):
        return Interests(np.empty(0, np.int64), np.empty(0), [])
    vectors = history.vectors.astype(np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, norms, out=vectors, where=norms > 0)
    few = 1 + math.isqrt(len(history) // 2)  # ten posts are no eight interests, even where all ten differ
    clusters = sensible_clusters(vectors[_evenly(len(vectors), _MOST_TEXTS)], most=min(most, few))
    of_text = clusters.assign(vectors)
    nearness = np.einsum("ij,ij->i", vectors, clusters.centers[of_text]).astype(np.float64)
    groups = of_text[history.rows]
    shown = _evenly(len(history), _MOST_LABELLED)
    words = label_groups(history.events["text"].take(shown), groups[shown], len(clusters), background)
    return Interests(groups, nearness[history.rows], words)


def _evenly(n: int, most: int) -> IntArray:
    """Positions of all of n, or of `most` of them, evenly spread."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).astype(np.int64)
