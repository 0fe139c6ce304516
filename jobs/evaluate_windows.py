"""One window: all methods meet its test events, and what their lists are worth is measured."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.evaluation import COUNTS, Method, Outcome, Placed, place, profile_methods
from dynprof.evaluation.contestant import Watches
from dynprof.evaluation.item_counts import ItemCounts
from dynprof.evaluation.languages import Languages, languages_of_items
from dynprof.evaluation.list_metrics import calibration, novelty, past_languages, popularity
from dynprof.evaluation.loading import Material, Plan, Question
from dynprof.evaluation.metrics import MetricName, hit_rate
from dynprof.evaluation.slices import traits_of
from jobs.command import deliberate
from jobs.contestants import Entrant
from jobs.evaluate_ranking import Arena
from jobs.outside_models import OutsideModels

__all__ = ["Contest"]

LOG = logging.getLogger("dynprof.evaluate")


@dataclass
class Contest:
    """All that the windows of one evaluation share.

    Attributes:
        arena: Where methods meet test events.
        question: What is asked.
        material: The log.
        metrics: What is measured.
        entrants: Beside the profiles, by name.
        encoder: Name of the vectors' encoder.
        outside: Models of another environment; None for none.
        remarks: What could not be had, and why; grows with the windows.
    """

    arena: Arena
    question: Question
    material: Material
    metrics: Sequence[MetricName]
    entrants: Mapping[str, Entrant]
    encoder: str
    outside: OutsideModels | None = None
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = {m.kind for m in self.metrics}
        needs_languages = self.question.with_drift or "calibration" in kinds
        self._languages = self._read_languages() if needs_languages else None
        self._counts = ItemCounts(self.material.log) if {"popularity", "novelty"} & kinds else None
        self._list_size = max((m.k or 0 for m in self.metrics if m.needs_lists), default=0)

    def judge(self, plan: Plan) -> Outcome:
        """Every method on the tests of a window, n > 0."""
        profiles, drift = self.arena.place_profiles(plan, self._list_size)
        question = self.question
        mine = profile_methods(question.decays, question.similarities, question.item_half_lives_s, encoder=self.encoder)
        methods, parts = [p.method for p in mine], [profiles.columns([p.column for p in mine])]
        for name, entrant in self._entrants(plan).items():
            placed = self._place(name, entrant, plan)
            if placed is not None:
                methods.append(Method(name, entrant.family))
                parts.append(placed)
        placed = Placed.beside(parts)
        tests = plan.tests
        return Outcome(
            plan.name,
            plan.facts(),
            methods,
            tests.users,
            placed,
            dict(self._popular(plan)),
            dict(self._by_list(plan, placed)),
            int(tests.catalogue.max(initial=0)),
            traits_of(plan.log, tests, drift, self._languages) if self._languages and question.with_drift else None,
        )

    def _entrants(self, plan: Plan) -> dict[str, Entrant]:
        if self.outside is None:
            return dict(self.entrants)
        answered, advice = self.outside.entrants(plan)
        self.remarks += advice
        return {**self.entrants, **answered}

    def _place(self, name: str, entrant: Entrant, plan: Plan) -> Placed | None:
        """None, and a remark, where the method cannot be had."""
        try:
            if name in COUNTS:  # one sweep through time, and nothing is fitted
                return _sweep(name, plan, self._list_size)
            placed = self.arena.place_contestant(entrant.factory, entrant.settings, plan, self._list_size)
        except Exception as error:
            reason = deliberate(error, ConfigError)
            if reason is None:
                raise
            said = str(reason).partition("\n")[0]
            self.remarks.append(f"`{name}` has no numbers in window {plan.name}: {said}")
            LOG.warning("contestant=%s window=%s left out: %s", name, plan.name, said)
            return None
        LOG.info("window=%s contestant=%s", plan.name, name)
        return placed

    def _popular(self, plan: Plan) -> Iterator[tuple[int, npt.NDArray[np.float64]]]:
        ks = {m.k for m in self.metrics if m.kind == "serendipity" and m.k}
        if ks:
            ranks = _sweep("popular", plan, 0).ranks
            yield from ((k, hit_rate(ranks.above[:, 0], ranks.tied[:, 0], k)) for k in ks)

    def _by_list(self, plan: Plan, placed: Placed) -> Iterator[tuple[str, npt.NDArray[np.float64]]]:
        """(n, m) values of each metric that looks at the items of lists."""
        tests, log = plan.tests, plan.log
        past = None
        for metric in self.metrics:
            lists = placed.lists[:, :, : metric.k or 0]
            columns = [lists[:, i] for i in range(lists.shape[1])]
            if metric.kind == "diversity":
                yield metric.name, self.arena.diversity(lists)
            elif metric.kind in ("popularity", "novelty") and self._counts:
                measure = popularity if metric.kind == "popularity" else novelty
                yield metric.name, np.stack([measure(c, tests.event_us, self._counts) for c in columns], axis=1)
            elif metric.kind == "calibration" and self._languages:
                spoken = self._languages
                if past is None:
                    past = past_languages(log, tests, spoken.of_item, len(spoken.names))
                yield metric.name, np.stack([calibration(c, past, spoken.of_item) for c in columns], axis=1)

    def _read_languages(self) -> Languages:
        material = self.material
        return languages_of_items(material.workspace, material.log, material.names, material.view.segments)


def _sweep(name: str, plan: Plan, list_size: int) -> Placed:
    contestant = COUNTS[name](plan.log, {})
    if isinstance(contestant, Watches):
        contestant.watch(plan.log)
    return place(contestant, plan.log, plan.tests, list_size=list_size)
