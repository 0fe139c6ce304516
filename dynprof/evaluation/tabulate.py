"""Outcomes to rows of the results table: every metric of every method in every window, whole and by slice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.evaluation.bootstrap import N_DRAWS, UserDraws
from dynprof.evaluation.comparison import NO_REFERENCE, Compared, compare
from dynprof.evaluation.list_metrics import coverage, gini
from dynprof.evaluation.methods import PROFILES, REFERENCE, Method
from dynprof.evaluation.metrics import OVERALL_METRICS, MetricName, hit_rate, ndcg, parse_metric
from dynprof.evaluation.outcome import Outcome
from dynprof.evaluation.results import RESULTS, WHOLE
from dynprof.evaluation.slices import cut_slices
from dynprof.evaluation.weighing import RECENT

__all__ = ["RANKER", "tabulate"]

RANKER = "ranker"
"""The family that is compared with the best baseline, not with the static profile."""

_SLICED_K = 10
_PLAIN = {REFERENCE, *(w.kind for w in RECENT)}
"""Kinds of profiles that count as baselines."""


def tabulate(
    outcomes: Sequence[Outcome],
    whole: Outcome | None,
    metrics: Sequence[str],
    *,
    n_draws: int = N_DRAWS,
    seed: int = 0,
) -> pa.Table:
    """The results table.

    Args:
        outcomes: One a window, in order.
        whole: All test windows together, or None; what is sliced.
        metrics: Names. Slices have those at 10, where there are any, and no metric that is of all lists at once.
        n_draws: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        A table of `RESULTS`; no rows of windows without test events.
    """
    parsed = [parse_metric(name) for name in metrics]
    tables: list[pa.Table] = []
    for outcome in [*outcomes, *([whole] if whole and all(whole is not o for o in outcomes) else [])]:
        if not len(outcome):
            continue
        references = _references(outcome)
        draws = UserDraws(outcome.users, n_draws=n_draws, seed=seed)
        tables += _tables(outcome, (WHOLE, WHOLE), parsed, references, draws)
        if outcome is whole and outcome.traits is not None:
            for name, value, rows in cut_slices(outcome.traits):
                part = outcome.take(rows)
                draws = UserDraws(part.users, n_draws=n_draws, seed=seed)
                tables += _tables(part, (name, value), _sliced(parsed), references, draws)
    return pa.concat_tables(tables) if tables else RESULTS.empty_table()


def _sliced(metrics: Sequence[MetricName]) -> list[MetricName]:
    by_event = [m for m in metrics if m.kind not in OVERALL_METRICS]
    return [m for m in by_event if m.k == _SLICED_K] or by_event


def _references(outcome: Outcome) -> npt.NDArray[np.int64]:
    """(m,) column that each method is compared with: static under plain cosine, or under the first similarity."""
    names = [m.name for m in outcome.methods]
    statics = [i for i, m in enumerate(outcome.methods) if m.kind == REFERENCE]
    static = names.index(REFERENCE) if REFERENCE in names else next(iter(statics), NO_REFERENCE)
    found = np.full(len(names), static)
    baselines = [i for i, m in enumerate(outcome.methods) if _is_baseline(m)]
    if baselines:
        ranks = outcome.placed.ranks
        gains = ndcg(ranks.above[:, baselines], ranks.tied[:, baselines], _SLICED_K).mean(axis=0)
        found[[m.family == RANKER for m in outcome.methods]] = baselines[int(np.argmax(gains))]
    found[found == np.arange(len(found))] = NO_REFERENCE
    return found


def _is_baseline(method: Method) -> bool:
    return method.family != RANKER and (method.family != PROFILES or method.name in _PLAIN)


def _tables(
    outcome: Outcome,
    where: tuple[str, str],
    metrics: Sequence[MetricName],
    references: npt.NDArray[np.int64],
    draws: UserDraws,
) -> Iterator[pa.Table]:
    for metric in metrics:
        if metric.kind in OVERALL_METRICS:
            yield _rows(
                outcome, where, metric, np.ones((len(outcome), len(outcome.methods))), _overall(outcome, metric)
            )
            continue
        values = _values(outcome, metric)
        yield _rows(outcome, where, metric, values, compare(values, outcome.users, references, draws=draws), references)


def _values(outcome: Outcome, metric: MetricName) -> npt.NDArray[np.float64]:
    """(n, m) values of test events; NaN where there is none."""
    ranks = outcome.placed.ranks
    if metric.of_ranks:
        return metric.of(ranks.above, ranks.tied)
    if metric.kind == "serendipity" and metric.k is not None:
        return hit_rate(ranks.above, ranks.tied, metric.k) * (1 - outcome.popular[metric.k][:, None])
    return outcome.by_list[metric.name]


def _overall(outcome: Outcome, metric: MetricName) -> Compared:
    """A value a method, and no interval: the lists of other users would be other lists."""
    lists = outcome.placed.lists[:, :, : metric.k]
    measure = coverage if metric.kind == "coverage" else gini
    value = np.array([measure(lists[:, column], outcome.n_catalogue) for column in range(lists.shape[1])])
    return Compared(value, *np.full((9, len(value)), np.nan))


def _rows(
    outcome: Outcome,
    where: tuple[str, str],
    metric: MetricName,
    values: npt.NDArray[np.float64],
    found: Compared,
    references: npt.NDArray[np.int64] | None = None,
) -> pa.Table:
    """One row a method."""
    methods, m = outcome.methods, len(outcome.methods)
    known = ~np.isnan(values)
    n_users = [len(np.unique(outcome.users[known[:, i]])) for i in range(m)]
    compared = references if references is not None else np.full(m, NO_REFERENCE)
    names = [None if i == NO_REFERENCE else methods[i].name for i in compared.tolist()]
    columns = {
        "window": [outcome.name] * m,
        "slice": [where[0]] * m,
        "slice_value": [where[1]] * m,
        **{
            key: [getattr(x, key) for x in methods]
            for key in ("family", "kind", "half_life_s", "similarity", "encoder")
        },
        "method": [x.name for x in methods],
        "metric": [metric.name] * m,
        "n_tests": known.sum(axis=0),
        "n_users": n_users,
        "reference": names,
        **{key: pa.array(values, from_pandas=True) for key, values in vars(found).items()},
    }
    return pa.table([pa.array(columns[f.name], f.type) for f in RESULTS], schema=RESULTS)
