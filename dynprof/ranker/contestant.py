"""The ranker under test: few candidates scored, all other items tied below them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.errors import ConfigError
from dynprof.evaluation.contestant import Factory
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.lineage import present_corpus
from dynprof.ranker.examples import make_examples
from dynprof.ranker.fit import FitOptions, fit
from dynprof.ranker.model import RankerMeaning, load_model, unfit
from dynprof.ranker.plan import TrainingPlan, TrainingSize, plan_training
from dynprof.ranker.questions import Questions
from dynprof.ranker.reading import read_log, read_tags
from dynprof.ranker.scorer import Scorer
from dynprof.ranker.traces import Tags, Traces
from dynprof.snapshot import format_time_us
from dynprof.workspace import Workspace

__all__ = ["NAME", "Ranker", "TrainedRanker", "fit_ranker", "ranker_factory"]

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


@dataclass(frozen=True)
class TrainedRanker:
    """A `Factory` that fits nothing: a model of a workspace, where it has not seen the window.

    Attributes:
        workspace: Of the model and of the log.
        model: Its name.
        fingerprint: Of the encoder of the vectors that it is shown.
        type_weights: Of the log that it is shown.
    """

    workspace: Workspace
    model: str
    fingerprint: str
    type_weights: Mapping[str, float]

    def __call__(self, log: EventLog, settings: Mapping[str, Any]) -> Ranker:
        """The model as a contestant.

        Args:
            log: Ends before the window; of the corpus that the workspace has now.
            settings: None are used; they say which model it is.

        Raises:
            ConfigError: The model was trained on events of the window, or for other vectors or weights.
            WorkspaceError: There is no such model.
        """
        del settings
        model = load_model(self.workspace, self.model)
        if why := unfit(model.manifest, RankerMeaning(self.fingerprint, model.meaning.bank, self.type_weights)):
            raise ConfigError(
                f"ranker {self.model}: expected a model for these vectors and event weights, found one with "
                f"{why}. Train one for them, or evaluate with its --encoder and --weights."
            )
        until_us, known_us = int(model.manifest["until_us"]), int(log.event_us.max(initial=0)) + 1
        if until_us > known_us:
            raise ConfigError(
                f"ranker {self.model}: expected a model of events before {format_time_us(known_us)}, found one of "
                f"events up to {format_time_us(until_us)}: it has seen what it is tested on. "
                "Train one with --holdout-share."
            )
        view = present_corpus(self.workspace)
        _, names = read_log(self.workspace, view, model.meaning.type_weights)
        return Ranker(model.scorer, read_tags(self.workspace, view, names), model.meaning.bank)


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
