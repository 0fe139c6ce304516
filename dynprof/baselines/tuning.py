"""Settings of a baseline, chosen on a validation window. The log that is handed in ends where that window ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dynprof.baselines.registry import BASELINES, GRIDS
from dynprof.errors import ConfigError
from dynprof.evaluation.contestant import place
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.metrics import metric
from dynprof.evaluation.protocol import TestEvents

__all__ = ["TUNING_METRIC", "Trial", "tune", "tune_trials"]

TUNING_METRIC = "ndcg@10"


@dataclass(frozen=True)
class Trial:
    """One setting and what it was worth on the validation window, in [0, 1]."""

    settings: dict[str, float | None]
    value: float


def tune(
    name: str,
    log: EventLog,
    tests: TestEvents,
    *,
    vectors: ItemVectors | None = None,
    start_us: int | None = None,
) -> dict[str, float | None]:
    """The settings with the greatest NDCG@10 on the validation window; of equal ones the first that was tried.

    Args:
        name: One of `BASELINES`.
        log: `EventLog.before(the window's end)`: it holds nothing that could be looked at too early.
        tests: Of that log, in the validation window. Without any, the defaults are the answer.
        vectors: Of the log's items, for baselines that need them.
        start_us: Start of the validation window: the fit sees what is before. None: the time of the first test.

    Returns:
        The settings for the factory; empty where there is nothing to choose.

    Raises:
        ConfigError: No such baseline, or tests that are not of this log.
    """
    trials = list(tune_trials(name, log, tests, vectors=vectors, start_us=start_us))
    return max(trials, key=lambda trial: trial.value).settings if trials else _defaults(name)


def tune_trials(
    name: str,
    log: EventLog,
    tests: TestEvents,
    *,
    vectors: ItemVectors | None = None,
    start_us: int | None = None,
) -> Iterator[Trial]:
    """Every setting that `tune` tries, in its order: each parameter in turn, the others at the best so far."""
    _check(name, log, tests)
    if not len(tests) or name not in GRIDS:
        return
    fit = log.before(int(tests.event_us.min()) if start_us is None else start_us)

    def tried(settings: dict[str, float | None]) -> Trial:
        ranks = place(BASELINES[name](fit, settings).watch(log, vectors), log, tests).ranks
        return Trial(settings, float(metric(TUNING_METRIC)(ranks.above, ranks.tied).mean()))

    best = tried(_defaults(name))
    yield best
    for key, values in GRIDS[name].items():
        for value in values[1:]:
            trial = tried({**best.settings, key: value})
            yield trial
            best = trial if trial.value > best.value else best


def _defaults(name: str) -> dict[str, float | None]:
    return {key: values[0] for key, values in GRIDS.get(name, {}).items()}


def _check(name: str, log: EventLog, tests: TestEvents) -> None:
    if name not in BASELINES:
        raise ConfigError(f"baseline: expected one of {', '.join(BASELINES)}, found {name!r}.")
    inside = tests.positions < len(log)
    if not inside.all() or (log.event_us[tests.positions] != tests.event_us).any():
        raise ConfigError(
            f"tuning of {name!r}: expected test events of a log that ends with the validation window, found "
            f"{int(np.count_nonzero(~inside))} of {len(tests)} beyond it or of another log. "
            "Choose them from `log.before(the window's end)`."
        )
