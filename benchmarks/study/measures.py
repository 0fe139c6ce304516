"""From places and right answers to rows of the results table: means, intervals over users, differences to static."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from benchmarks.study.profiles import Asked
from dynprof.evaluation.bootstrap import MIN_USERS, bootstrap_means, two_sided_p
from dynprof.evaluation.holm import holm
from dynprof.evaluation.results import RESULTS, WHOLE

__all__ = ["DRAWS", "summarise", "table_of"]

DRAWS = 10_000
STATIC = "static"
Values = npt.NDArray[np.float64]


def summarise(
    values: Values,
    users: npt.NDArray[np.integer],
    methods: Sequence[Asked],
    *,
    metric: str,
    window: str,
    families: Mapping[str, str],
    part: tuple[str, str] = (WHOLE, WHOLE),
    encoder: str | None = None,
) -> list[dict[str, Any]]:
    """Rows of one window, slice and metric.

    Args:
        values: (n, m) of each test under each method; n may be 0: then there are no rows.
        users: (n,) user of each test.
        methods: (m,), the static profile among them.
        metric: Name of the metric.
        window: Name of the window.
        families: Family of the methods that are no profile, by name.
        part: Slice and its value.
        encoder: Of the profiles.
    """
    if not len(values):
        return []
    names = [m.name for m in methods]
    control = names.index(STATIC)
    means = values.mean(axis=0)
    drawn = bootstrap_means(values, users, n_replicates=DRAWS) if len(np.unique(users)) >= MIN_USERS else None
    others = [i for i in range(len(names)) if i != control]
    p = None if drawn is None else two_sided_p(drawn[:, others] - drawn[:, [control]])
    corrected = None if p is None else holm(p)
    rows = []
    for i, method in enumerate(methods):
        row: dict[str, Any] = dict.fromkeys(RESULTS.names)
        row |= {"window": window, "slice": part[0], "slice_value": part[1], "method": method.name, "metric": metric}
        row |= {"n_tests": len(values), "n_users": len(np.unique(users)), "value": float(means[i])}
        row["family"] = families.get(method.name, "profiles")
        if row["family"] == "profiles":
            row |= {"kind": method.kind, "half_life_s": method.half_life_s, "similarity": "cosine", "encoder": encoder}
        if i != control:
            difference = float(means[i] - means[control])
            row |= {"reference": STATIC, "difference": difference}
            row["relative"] = difference / means[control] if means[control] else None
        if drawn is not None:
            row["low"], row["high"] = _interval(drawn[:, i])
            if i != control:
                row["difference_low"], row["difference_high"] = _interval(drawn[:, i] - drawn[:, control])
        if i != control and p is not None and corrected is not None:
            row |= {"p": float(p[others.index(i)]), "p_holm": float(corrected[others.index(i)])}
        rows.append(row)
    return rows


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as the results table."""
    return pa.Table.from_pylist([dict(r) for r in rows], schema=RESULTS)


def _interval(drawn: Values) -> tuple[float, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
