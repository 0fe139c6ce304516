"""The ranker under test: few candidates scored, all other items tied below them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.errors import ConfigError
from dynprof.evaluation.contestant import Factory
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.ranker.examples import make_examples
from dynprof.ranker.fit import FitOptions, fit
from dynprof.ranker.plan import TrainingPlan, TrainingSize, plan_training
from dynprof.ranker.questions import Questions
from dynprof.ranker.scorer import Scorer
from dynprof.ranker.traces import Tags, Traces

__all__ = ["NAME", "Ranker", "ranker_factory"]

NAME = "ranker"


class Ranker:
    """A `Contestant` that `Watches`.

    Args:
        scorer: Trained before the window of the tests.
        tags: Of the items of the log that it will be shown.
        bank: That it was trained with.
        name: In the table.
    """

    needs_vectors = True

    def __init__(
        self, scorer: Scorer, tags: Tags | None = None, bank: Bank = DEFAULT_BANK, *, name: str = NAME
    ) -> None:
        self.name = name
        self._scorer, self._tags, self._bank = scorer, tags, bank
        self._questions: Questions | None = None

    def watch(self, log: EventLog, vectors: ItemVectors | None = None) -> Ranker:
        """Take the log, and the vectors of its items.

        Raises:
            ConfigError: There are no vectors.
        """
        if vectors is None:
            raise ConfigError("ranker: expected the vectors of the items, found none. It compares items with profiles.")
        shown = Ranker(self._scorer, self._tags, self._bank, name=self.name)
        shown._questions = Questions(log, Traces.of(log, self._tags), vectors, self._bank)
        return shown

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """For each test event in turn (catalogue,) scores; minus infinity for what is no candidate.

        Raises:
            ConfigError: It was shown no log.
        """
        if self._questions is None:
            raise ConfigError("ranker: expected a log to score in, found none. Call `watch` first.")
        for row, (items, features) in enumerate(self._questions.ask(tests)):
            found = np.full(int(tests.catalogue[row]), -np.inf, np.float32)
            found[items] = self._scorer.score(features)
            yield found


def ranker_factory(vectors: ItemVectors, tags: Tags | None = None, bank: Bank = DEFAULT_BANK) -> Factory:
    """What fits a ranker to the log before a window; settings are the fields of `FitOptions` and `TrainingSize`.

    Args:
        vectors: Of the items of the whole log.
        tags: Likewise.
        bank: Half-lives of the profiles.
    """
    sizes = set(TrainingSize.__dataclass_fields__)

    def make(log: EventLog, settings: Mapping[str, Any]) -> Ranker:
        size = TrainingSize(**{k: v for k, v in settings.items() if k in sizes})
        options = FitOptions(**{k: v for k, v in settings.items() if k not in sizes})
        fitted = fit_ranker(Questions(log, Traces.of(log, tags), vectors, bank), plan_training(log, size), options)
        return Ranker(fitted, tags, bank)

    return make


def fit_ranker(
    questions: Questions,
    plan: TrainingPlan,
    options: FitOptions | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> Scorer:
    """Make the examples in this process and fit; the network of the best epoch."""
    on_stage("examples")
    train, validation = make_examples(questions, plan.train), make_examples(questions, plan.validation)
    on_stage("fit")
    return fit(train, validation, options).best_network()
