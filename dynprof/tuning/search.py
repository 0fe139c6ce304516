"""The search: every point of the grid on the validation window, then kappa, event weights and a learned decay."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.evaluation.metrics import metric
from dynprof.evaluation.retrieval import Ranks
from dynprof.learned_decay import LearnedDecay
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.grid import Grid, Similarity, coefficients_of, decay_name
from dynprof.tuning.learned import LearnedCurve

__all__ = ["TUNING_METRIC", "Count", "Reading", "Search", "Tried", "search"]

TUNING_METRIC = "ndcg@10"

FloatArray = npt.NDArray[np.float64]
Count = Callable[[BankSums, FloatArray, FloatArray, Sequence[Similarity]], Ranks]
"""From sums, (m, K) readouts with (m,) kappas, and s similarities to (n, m * s) places of the targets, exact where
fewer than ten candidates are above; the similarities of a readout stand together."""


@dataclass(frozen=True)
class Reading:
    """One way to read a bank.

    Attributes:
        name: For people.
        coefficients: (K,) over the bank.
        decay: What it is; None for a curve with negative coefficients, which is shown and not served.
    """

    name: str
    coefficients: FloatArray
    decay: Decay | None


@dataclass(frozen=True)
class Tried:
    """A point and what it was worth: mean NDCG@10 over the validation tests."""

    reading: Reading
    similarity: Similarity
    prior_weight: float
    type_weights: Mapping[str, float]
    value: float


@dataclass(frozen=True)
class Search:
    """What was found.

    Attributes:
        best: The winner among what can be served.
        reference: `static` under the winner's similarity, kappa and weights as given.
        tried: Everything, best first, ties by the order in which it was tried.
        values: (n,) NDCG@10 of the winner for each test,
        reference_values: and of the reference.
    """

    best: Tried
    reference: Tried
    tried: list[Tried]
    values: FloatArray
    reference_values: FloatArray


@dataclass
class _Trials:
    """Asks, and keeps the answers."""

    count: Count
    found: list[Tried] = field(default_factory=list)
    rows: list[FloatArray] = field(default_factory=list)

    def ask(
        self,
        sums: BankSums,
        readings: Sequence[Reading],
        prior_weights: Sequence[float],
        similarities: Sequence[Similarity],
        type_weights: Mapping[str, float],
    ) -> None:
        if not readings or not len(sums):
            return
        coefficients = np.stack([r.coefficients for r in readings])
        ranks = self.count(sums, coefficients, np.asarray(prior_weights, np.float64), similarities)
        values = metric(TUNING_METRIC)(ranks.above, ranks.tied)
        points = [(r, k, s) for r, k in zip(readings, prior_weights, strict=True) for s in similarities]
        for column, (reading, prior_weight, similarity) in enumerate(points):
            mean = float(values[:, column].mean())
            self.found.append(Tried(reading, similarity, prior_weight, dict(type_weights), mean))
            self.rows.append(values[:, column])

    def best(self, where: Callable[[Tried], bool] = lambda _: True) -> int:
        """The first of the best among those that can be served."""
        allowed = [i for i, t in enumerate(self.found) if t.reading.decay is not None and where(t)]
        return max(allowed, key=lambda i: (self.found[i].value, -i))


def search(
    sums: BankSums,
    grid: Grid,
    count: Count,
    *,
    type_weights: Mapping[str, float],
    prior_weight: float,
    by_type: Mapping[str, BankSums] | None = None,
    learn: Callable[[Tried], Sequence[LearnedCurve]] | None = None,
) -> Search | None:
    """Try the grid; the best NDCG@10 wins, ties by the simpler, which is tried first.

    Decays x half-lives x similarities x item half-lives are tried all together. kappa, then the weight of each event
    type, then the learned decay are tried at the best point of what stands before them.

    Args:
        sums: Of the validation tests, at `type_weights`; there must be one, else there is nothing to choose by.
        grid: What is tried.
        count: Ranks the targets.
        type_weights: Weight of an event by its type, as given.
        prior_weight: kappa, as given.
        by_type: The part of `sums` that events of each type make; the weights are tried where there are two or more.
        learn: Fits decays for the similarity of the best point so far.

    Returns:
        None where there is no test.
    """
    if not len(sums):
        return None
    trials = _Trials(count)
    readings = [Reading(decay_name(d), coefficients_of(d, grid.bank), d) for d in grid.decays()]
    trials.ask(sums, readings, [prior_weight] * len(readings), grid.similarities(), type_weights)
    best = trials.found[trials.best()]
    kappas = [k for k in grid.prior_weights if k != prior_weight]
    trials.ask(sums, [best.reading] * len(kappas), kappas, [best.similarity], type_weights)
    best = trials.found[trials.best()]
    if by_type is not None and len(by_type) > 1:
        sums = _try_weights(trials, best, sums, by_type, grid.factors)
        best = trials.found[trials.best()]
    if learn is not None:
        curves = learn(best)
        readings = [_reading_of(curve) for curve in curves]
        trials.ask(sums, readings, [best.prior_weight] * len(curves), [best.similarity], best.type_weights)
    won = trials.best()
    best = trials.found[won]
    given = prior_weight, dict(type_weights), best.similarity
    against = trials.best(
        lambda t: t.reading.name == "static" and (t.prior_weight, t.type_weights, t.similarity) == given
    )
    order = sorted(range(len(trials.found)), key=lambda i: (-trials.found[i].value, i))
    return Search(
        best,
        trials.found[against],
        [trials.found[i] for i in order],
        trials.rows[won],
        trials.rows[against],
    )


def _reading_of(curve: LearnedCurve) -> Reading:
    decay = None
    if not curve.is_free:
        decay = LearnedDecay.of(curve.half_lives_s, curve.coefficients)
    return Reading(f"learned, {curve.name}", np.asarray(curve.coefficients), decay)


def _try_weights(
    trials: _Trials, best: Tried, sums: BankSums, by_type: Mapping[str, BankSums], factors: Sequence[float]
) -> BankSums:
    """Each type's weight times each factor, the others at the best so far; the sums at the best weights."""
    for name, part in by_type.items():
        base, now = best.type_weights, sums
        for factor in factors:
            moved = replace(now, sums=now.sums + np.float32(factor - 1) * part.sums)
            weights = {**base, name: base.get(name, 1.0) * factor}
            trials.ask(moved, [best.reading], [best.prior_weight], [best.similarity], weights)
            if trials.found[-1].value > best.value:
                best, sums = trials.found[-1], moved
    return sums
