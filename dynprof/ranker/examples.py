"""What the network learns from: of each event the candidates' features, and which of them it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.protocol import TestEvents
from dynprof.ranker.questions import Questions

__all__ = ["MISSED", "Examples", "make_examples"]

MISSED = -1
"""Place of the target among candidates that do not have it."""


@dataclass(frozen=True)
class Examples:
    """n events with all their candidates.

    Attributes:
        features: (m, features) float32, the candidates of one event after those of the other.
        counts: (n,) int64 number of candidates of each event.
        targets: (n,) int64 place of the target among the event's candidates; `MISSED` where it is none.
        below: (n,) int64 how many items are no candidates of the event, the target among them where it was missed.
    """

    features: npt.NDArray[np.float32]
    counts: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    below: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def starts(self) -> npt.NDArray[np.int64]:
        """(n + 1,) row of the first candidate of each event."""
        return np.concatenate([[0], np.cumsum(self.counts)])

    @classmethod
    def join(cls, parts: Sequence[Examples]) -> Examples:
        """At least one, one after the other."""
        names = ("features", "counts", "targets", "below")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def ranks(self, scores: npt.NDArray[np.floating]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """From (m,) scores the number of items above each target and of others beside it, as in `metrics`."""
        owner = np.repeat(np.arange(len(self)), self.counts)
        hit = self.targets >= 0
        own = np.full(len(self), -np.inf)
        own[hit] = scores[self.starts[:-1][hit] + self.targets[hit]]
        above = np.bincount(owner, scores > own[owner], len(self)).astype(np.int64)
        tied = np.bincount(owner, scores == own[owner], len(self)).astype(np.int64) - 1
        return above, np.where(hit, tied, np.maximum(self.below - 1, 0))


def make_examples(questions: Questions, tests: TestEvents) -> Examples:
    """Candidates and features of test events. About 40 kB an event."""
    features, counts, targets, below = [], [], [], []
    for row, (items, described) in enumerate(questions.ask(tests)):
        place = np.flatnonzero(items == tests.targets[row])
        features.append(described)
        counts.append(len(items))
        targets.append(int(place[0]) if len(place) else MISSED)
        below.append(int(tests.catalogue[row]) - len(items))
    width = features[0].shape[1] if features else 0
    return Examples(
        np.concatenate(features) if features else np.empty((0, width), np.float32),
        np.array(counts, np.int64),
        np.array(targets, np.int64),
        np.array(below, np.int64),
    )
