"""The ranker under test: few candidates scored, all other items tied below them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.protocol import TestEvents
from dynprof.ranker.network import Scorer
from dynprof.ranker.questions import Questions

__all__ = ["NAME", "Ranker"]

NAME = "ranker"


class Ranker:
    """A `Contestant`.

    Args:
        questions: Log, traces and vectors that the tests are of.
        scorer: Trained before their window.
        name: In the table.
    """

    def __init__(self, questions: Questions, scorer: Scorer, *, name: str = NAME) -> None:
        self.name = name
        self._questions, self._scorer = questions, scorer

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """For each test event in turn (catalogue,) scores; minus infinity for what is no candidate."""
        for row, (items, features) in enumerate(self._questions.ask(tests)):
            found = np.full(int(tests.catalogue[row]), -np.inf, np.float32)
            found[items] = self._scorer.score(features)
            yield found
