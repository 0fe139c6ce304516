"""The choice of a corpus: the grid and the learned decay on the validation window, written to `choice.json`.

`jobs.evaluate --tune` calls `tune_profiles` before it opens the test windows.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embedded import CorpusVectors
from dynprof.errors import ConfigError
from dynprof.evaluation.protocol import AUTO, TestEvents, sample_size
from dynprof.learned_decay import LearnedDecay
from dynprof.segments import read_events
from dynprof.snapshot import DEFAULT_PRIOR_WEIGHT, DEFAULT_TYPE_WEIGHTS, format_time_us
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.choice import Choice, decay_to_json
from dynprof.tuning.fit_data import fit_data, sample_candidates
from dynprof.tuning.grid import Grid
from dynprof.tuning.learned import LearnedCurve, fit_curve
from dynprof.tuning.sealed import SealedLog, fitting_window, sample_tests
from dynprof.tuning.search import TUNING_METRIC, Search, Tried, search
from jobs.command import ray_session
from jobs.tune_counts import TuningCounts

__all__ = ["TuningOptions", "tune_profiles"]

LOG = logging.getLogger("dynprof.tune")

_SHOWN = 25
"""Points of the grid that the choice names; the best ones."""
_LEAST_SHARE = 0.01
"""Of the events, for a type whose weight is tried."""


@dataclass(frozen=True)
class TuningOptions:
    """How the choice is made.

    Attributes:
        grid: What is tried.
        type_weights: Weight of an event by its type, before any is tried.
        prior_weight: kappa, before any is tried.
        max_events: Largest sample of validation events; 0 for all, `AUTO` by the number of texts.
        n_fit: Largest sample of events that the learned decay is fitted on; 0 for none.
        l2: Strengths of its penalty.
        include_seen: Whether texts that the user had before stay candidates.
        seed: Of the samples.
    """

    grid: Grid = field(default_factory=Grid)
    type_weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TYPE_WEIGHTS))
    prior_weight: float = DEFAULT_PRIOR_WEIGHT
    max_events: int | str = AUTO
    n_fit: int = 1_000
    l2: tuple[float, ...] = (1e-4, 1e-2)
    include_seen: bool = False
    seed: int = 0


def tune_profiles(sealed: SealedLog, encoders: Sequence[CorpusVectors], options: TuningOptions) -> Choice | None:
    """Choose encoder, decay, half-life, similarity, item half-life and weights by NDCG@10 on the validation window.

    Args:
        sealed: All that may be known; the workers too read nothing after its end into a log.
        encoders: Vectors of the corpus, one encoder each, the default first: it wins ties.
        options: What is tried.

    Returns:
        None where no event of the validation window can be predicted: there is nothing to choose by.

    Raises:
        ConfigError: No encoder.
    """
    if not encoders:
        raise ConfigError(
            "encoders: expected vectors of at least one encoder, found none. Run `python -m jobs.encode`."
        )
    size = sample_size(options.max_events, sealed.log.n_items)
    tests = sample_tests(
        sealed, sealed.validation, max_events=size, seed=options.seed, include_seen=options.include_seen
    )
    if not len(tests):
        LOG.warning("validation window without an event that can be predicted: nothing is chosen")
        return None
    with ray_session():
        found = [(vectors, *_search(sealed, vectors, tests, options)) for vectors in encoders]
    vectors, searched, curves = max(found, key=lambda f: f[1].best.value)  # the first of equal ones
    others = {str(v.manifest["encoder"]): s.best.value for v, s, _ in found}
    return _choice(sealed, vectors, tests, options, searched, curves, others)


def _search(
    sealed: SealedLog, vectors: CorpusVectors, tests: TestEvents, options: TuningOptions
) -> tuple[Search, list[LearnedCurve]]:
    counts = TuningCounts(vectors, sealed)
    mean = counts.mean_before(sealed.validation)
    bank = options.grid.bank
    parts = _weights_alone(sealed, vectors, options.type_weights) if options.grid.factors else {}
    by_type: dict[str, BankSums] = {}
    for name, alone in parts.items() if len(parts) > 1 else ():
        by_type[name] = counts.sums(tests, mean, alone, bank)
    curves: list[LearnedCurve] = []

    def learn(best: Tried) -> list[LearnedCurve]:
        curves.extend(_learn(sealed, vectors, counts, best, options))
        return curves

    searched = search(
        counts.sums(tests, mean, options.type_weights, bank),
        options.grid,
        counts.counter(tests),
        type_weights=options.type_weights,
        prior_weight=options.prior_weight,
        by_type=by_type or None,
        learn=learn if options.n_fit else None,
    )
    if searched is None:
        raise ConfigError("tests: expected at least one, found none.")
    LOG.info("encoder=%s best=%.4f of=%d", vectors.manifest["encoder"], searched.best.value, len(searched.tried))
    return searched, curves


def _weights_alone(
    sealed: SealedLog, vectors: CorpusVectors, type_weights: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Of each type with a share in the events that may be known, sorted, the weights under which it alone counts.

    Types that are rarer keep their weight whatever is tried: they are in no part, and each part names them.
    """
    seen: dict[str, int] = {}
    for bucket in range(len(sealed.names.bucket_starts) - 1):
        columns = ["user_id", "timestamp", "event_type", "event_id"]
        table = read_events(vectors.workspace, bucket, columns, segments=vectors.segments)
        at_us = table["timestamp"].cast(pa.int64())
        table = table.filter(pc.less(at_us, sealed.stop_us))
        for row in table["event_type"].value_counts().to_pylist():
            seen[row["values"]] = seen.get(row["values"], 0) + row["counts"]
    least = _LEAST_SHARE * sum(seen.values())
    frequent = sorted(name for name, n in seen.items() if n >= least)
    return {name: {**dict.fromkeys(seen, 0.0), name: type_weights.get(name, 1.0)} for name in frequent}


def _learn(
    sealed: SealedLog, vectors: CorpusVectors, counts: TuningCounts, best: Tried, options: TuningOptions
) -> list[LearnedCurve]:
    """Decays fitted on the stretch before the validation window, under the similarity of the best point."""
    window = fitting_window(sealed)
    tests = sample_tests(sealed, window, max_events=options.n_fit, seed=options.seed, include_seen=options.include_seen)
    if not len(tests):
        return []
    bank = options.grid.bank
    sums = counts.sums(tests, counts.mean_before(window), best.type_weights, bank)

    def vectors_of(items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return vectors.load(sealed.names.text_hashes.take(items))

    sampled = sample_candidates(sealed.log, tests, seed=options.seed)
    data = fit_data(sealed.log, tests, sums, sampled, vectors_of, best.similarity.half_life_s)
    start = np.maximum(best.reading.coefficients, 0)
    fitted = [
        fit_curve(data, l2=l2, free=free, prior_weight=best.prior_weight, bank=bank, start=start.tolist())
        for free in (False, True)
        for l2 in options.l2
    ]
    for curve in fitted:
        LOG.info("learned=%s loss=%.4f", curve.name.replace(" ", "_"), curve.loss)
    return fitted


def _choice(
    sealed: SealedLog,
    vectors: CorpusVectors,
    tests: TestEvents,
    options: TuningOptions,
    searched: Search,
    curves: Sequence[LearnedCurve],
    encoders: Mapping[str, float],
) -> Choice:
    best = searched.best
    if best.reading.decay is None:  # `search` chooses among what can be served
        raise AssertionError(best.reading.name)
    learned = [t for t in searched.tried if t.reading.name.startswith("learned") and t.reading.decay is not None]
    decay = learned[0].reading.decay if learned else None
    window = sealed.validation
    evidence = {
        "window": {"start": format_time_us(window.start_us), "stop": format_time_us(window.stop_us)},
        "n_tests": len(tests),
        "n_users": len(np.unique(tests.users)),
        "max_events": options.max_events,
        "include_seen": options.include_seen,
        "seed": options.seed,
        "metric": TUNING_METRIC,
        "value": best.value,
        "static": searched.reference.value,
        "encoders": dict(encoders),
        "n_tried": len(searched.tried),
        "best_tried": [_tried_json(t) for t in searched.tried[:_SHOWN]],
        "learned": [_curve_json(c, searched) for c in curves],
        "grid": {k: list(v) for k, v in asdict(options.grid).items() if k != "bank"},
    }
    return Choice(
        fingerprint=vectors.fingerprint,
        encoder=str(vectors.manifest["encoder"]),
        corpus_id=str(vectors.manifest["corpus_id"]),
        decay=best.reading.decay,
        metric=best.similarity.metric,
        item_half_life=best.similarity.item_half_life,
        prior_weight=best.prior_weight,
        type_weights=best.type_weights,
        learned=decay if isinstance(decay, LearnedDecay) else None,
        evidence=evidence,
    )


def _tried_json(tried: Tried) -> dict[str, Any]:
    decay = tried.reading.decay
    return {
        "name": tried.reading.name,
        "decay": None if decay is None else decay_to_json(decay),
        "similarity": tried.similarity.name,
        "prior_weight": tried.prior_weight,
        "type_weights": dict(sorted(tried.type_weights.items())),
        "value": tried.value,
    }


def _curve_json(curve: LearnedCurve, searched: Search) -> dict[str, Any]:
    value = next(t.value for t in searched.tried if t.reading.name == f"learned, {curve.name}")
    return {**curve.to_json(), "value": value}
