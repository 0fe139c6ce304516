"""The results as tables for people: all tests, window by window, the lists, and the slices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dynprof.evaluation.results import WHOLE
from dynprof.evaluation.windows import WHOLE_TEST

__all__ = ["aligned", "results_tables"]

_HEADINGS = {"hit_rate": "hit rate", "ndcg": "NDCG", "mrr": "MRR"}
_MAIN = ("hit_rate@10", "ndcg@10", "mrr@10", "mrr")
_LISTS = ("popularity", "novelty", "diversity", "serendipity", "calibration", "coverage", "gini")
_MOST_METRICS = 3
_MOST_SLICED = 6

Row = dict[str, Any]


def results_tables(results: pa.Table, metrics: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Title and lines of each table that has a number."""
    whole = _rows(results, WHOLE)
    tests = [r for r in whole if r["window"] == WHOLE_TEST]
    if not tests:
        return
    main = [m for m in _MAIN if m in metrics][:_MOST_METRICS] or [m for m in metrics if _kind(m) not in _LISTS][
        :_MOST_METRICS
    ]
    first = next(m for m in ("ndcg@10", *main, *metrics) if m in metrics)
    yield "All test windows", _main_table(tests, main or [first])
    windows = list(dict.fromkeys(r["window"] for r in whole))
    if len(windows) > 1:
        yield f"{_heading(first)} by window", _grid([r for r in whole if r["metric"] == first], "window", windows)
    listed = [m for m in metrics if _kind(m) in _LISTS]
    if listed:
        yield "Lists, all test windows", _grid([r for r in tests if r["metric"] in listed], "metric", listed)
    best = _best(tests, first)
    for name in dict.fromkeys(results["slice"].to_pylist()):
        mine = [r for r in _rows(results, name) if r["metric"] == first and r["method"] in best]
        if name != WHOLE and mine:
            values = list(dict.fromkeys(r["slice_value"] for r in mine))
            yield f"{_heading(first)} by {name}", _grid(mine, "slice_value", values, with_tests=True)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table of cells, the first row its head, that reads on a terminal too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ruled = [rows[0], ["-" * w for w in widths], *rows[1:]]
    return ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in ruled]


def _rows(results: pa.Table, name: str) -> list[Row]:
    return list(results.filter(pc.equal(results["slice"], name)).to_pylist())


def _main_table(rows: list[Row], metrics: Sequence[str]) -> list[str]:
    """Values with intervals, then differences with theirs and a p."""
    found = {(r["method"], r["metric"]): r for r in rows}
    head = ["method", *map(_heading, metrics), *(f"{_heading(m)} - reference" for m in metrics), "p (Holm)"]
    lines = [head]
    for method in dict.fromkeys(r["method"] for r in rows):
        mine = [found[method, m] for m in metrics]
        own = [_interval(r, "value", "low", "high") for r in mine]
        less = [_interval(r, "difference", "difference_low", "difference_high", signed=True) for r in mine]
        p = next((r["p_holm"] for r in mine if r["metric"] == "ndcg@10"), mine[0]["p_holm"])
        lines.append([method, *own, *less, "" if p is None else f"{p:.4f}"])
    return aligned(lines)


def _grid(rows: list[Row], by: str, values: Sequence[str], *, with_tests: bool = False) -> list[str]:
    """A row a method, a column a value of `by`."""
    found = {(r["method"], r[by]): r for r in rows}
    heads = [_heading(v) if by == "metric" else v for v in values]
    if with_tests:
        n_tests = {r[by]: r["n_tests"] for r in rows}
        heads = [f"{h} ({n_tests[v]})" for h, v in zip(heads, values, strict=True)]
    lines = [["method", *heads]]
    for method in dict.fromkeys(r["method"] for r in rows):
        cells = [found.get((method, v)) for v in values]
        lines.append([method, *("" if c is None else _interval(c, "value", "low", "high") for c in cells)])
    return aligned(lines)


def _best(rows: list[Row], metric: str) -> set[str]:
    """The first methods by a metric, and what they are compared with."""
    mine = sorted((r for r in rows if r["metric"] == metric), key=lambda r: -(r["value"] or 0.0))[:_MOST_SLICED]
    return {r["method"] for r in mine} | {r["reference"] for r in mine if r["reference"]}


def _kind(metric: str) -> str:
    return metric.partition("@")[0]


def _heading(name: str) -> str:
    kind, _, k = name.partition("@")
    return _HEADINGS.get(kind, kind) + (f"@{k}" if k else "")


def _interval(row: Row, value: str, low: str, high: str, *, signed: bool = False) -> str:
    if row[value] is None:
        return ""
    form = "+.4f" if signed else ".4f"
    if row[low] is None or row[high] is None:
        return format(row[value], form)
    return f"{row[value]:{form}} [{row[low]:{form}}, {row[high]:{form}}]"
