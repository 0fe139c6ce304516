"""A results table whose right reading is known: by construction `newest` wins, and a day is the best half-life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from dynprof.decay import PROFILE_KINDS
from dynprof.duration import format_duration
from dynprof.evaluation.results import RESULTS, WHOLE

HALF_LIVES_S = (3_600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0)
WINDOWS = ("validation", "test 1", "test 2", "test 3", "test")
SLICES = {
    "activity": ("0", "1-9", "10-99", "100+"),
    "drift": ("low", "middle", "high"),
    "item age": ("under an hour", "older"),
}
LEARNED = {"half_lives_s": [3_600.0, 86_400.0, 2_592_000.0], "coefficients": [0.5, 0.3, 0.1, 0.1]}
DOCUMENT: dict[str, Any] = {
    "parameters": {"corpus_id": "c0ffee", "fingerprint": "beef", "leave_one_out": False, "windows": 3},
    "windows": {
        name: {
            "window_start": "2017-01-01T00:00:00Z",
            "window_stop": "2017-02-01T00:00:00Z",
            "n_window": 9_000,
            "n_tested": 500,
        }
        for name in WINDOWS
    },
    "notes": ["In brackets: 95 % bootstrap intervals over users.", "A note with <b>markup</b> & 'quotes'."],
    "choice": {
        "encoder": "minilm",
        "decay": {"kind": "exponential", "half_life": "1d"},
        "metric": "cosine_time",
        "learned": LEARNED,
        "evidence": {},
    },
}


def row(**given: Any) -> dict[str, Any]:
    """One number; what is not given is null, or what nearly every row has."""
    made: dict[str, Any] = dict.fromkeys(RESULTS.names)
    made |= {"window": "test", "slice": WHOLE, "slice_value": WHOLE, "metric": "ndcg@10", "n_tests": 500, "n_users": 80}
    made |= {"family": "profiles", **given}
    return made


def bounded(value: float, static: float, **given: Any) -> dict[str, Any]:
    """A number with an interval, compared with the static profile's."""
    return row(
        value=value,
        low=value * 0.9,
        high=value * 1.1,
        reference="static",
        difference=value - static,
        difference_low=value - static - 0.01,
        difference_high=value - static + 0.01,
        relative=value / static - 1,
        p=0.01,
        p_holm=0.04,
        effect=0.5,
        **given,
    )


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=RESULTS)


def methods(encoders: Sequence[str] = ("minilm", "static")) -> list[tuple[dict[str, Any], float]]:
    """What each method is, and its number."""
    found: list[tuple[dict[str, Any], float]] = []
    for number, encoder in enumerate(encoders):
        for gain, similarity in ((1.0, "cosine"), (1.6, "cosine_time")):
            suffix = (f" {similarity} 2d" if similarity != "cosine" else "") + (f" {encoder}" if number else "")
            same = {"similarity": similarity, "encoder": encoder}
            found.append(({"method": f"static{suffix}", "kind": "static", **same}, 0.02 * gain * (1 - 0.2 * number)))
            for order, kind in enumerate(k for k in PROFILE_KINDS if k != "static"):
                for half_life_s in HALF_LIVES_S:
                    value = 0.08 * gain * (1 - 0.05 * order) * float(np.exp(-((np.log(half_life_s / 86_400)) ** 2) / 8))
                    name = f"{kind} {format_duration(half_life_s)}{suffix}"
                    told = {"method": name, "kind": kind, "half_life_s": half_life_s, **same}
                    found.append((told, value * (1 - 0.2 * number)))
    baselines = (("newest", "counts", 0.3), ("popular", "counts", 0.05), ("item kNN", "behaviour", 0.1))
    found += [({"method": name, "family": family}, value) for name, family, value in baselines]
    return found


def whole_table() -> pa.Table:
    """Everything that an evaluation can have."""
    rows = []
    for told, value in methods():
        rows += [bounded(value * (1 - 0.02 * n), 0.02, window=window, **told) for n, window in enumerate(WINDOWS)]
        for name, values in SLICES.items():
            rows += [
                bounded(value * (0.5 + 0.25 * number), 0.02, slice=name, slice_value=slice_value, **told)
                for number, slice_value in enumerate(values)
            ]
        others = ("coverage@10", "gini@10", "novelty@10", "diversity@10", "hit_rate@10")
        rows += [row(metric=metric, value=value * 2, **told) for metric in others]
    return table_of(rows)
