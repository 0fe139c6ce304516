"""The section on slices: for whom, and for which items, is a method good?"""

from __future__ import annotations

from collections.abc import Sequence

from dynprof.evaluation.results import WHOLE
from dynprof.reporting.blocks import Block, Prose, Section
from dynprof.reporting.chart import Axis, Dots, Matrix, Points
from dynprof.reporting.results import Results, Row, best, heading

__all__ = ["slices_section"]

_MOST_METHODS = 12


def slices_section(results: Results, always: Sequence[str] = ()) -> Section:
    """Where the best decayed profile wins against its reference, then every leading method in every slice."""
    cast = results.cast(always)[:_MOST_METHODS]
    if not results.slices or not cast:
        return Section("slices", "Slices", [Prose("No slices were measured.")])
    blocks: list[Block] = []
    compared = _compared(results)
    if compared:
        blocks.append(_differences(compared, results))
    blocks += [_matrix(name, cast, results) for name in results.slices]
    return Section("slices", "Slices", blocks)


def _compared(results: Results) -> str | None:
    """The best decayed profile that is ranked as its reference is, so that the decay alone makes the difference."""
    rows = results.rows(slice_value=WHOLE)
    decays = [r for r in rows if r.is_decay and r.value is not None]
    readings = {r.method: (r.encoder, r.reading) for r in rows}
    alike = [r for r in decays if r.reference and readings.get(r.reference) == (r.encoder, r.reading)]
    return best(alike or decays, results.decided).method if decays else None


def _differences(method: str, results: Results) -> Dots:
    """Paired difference to the reference in every slice."""
    rows = [r for name in results.slices for r in results.rows(part=name) if r.method == method]
    points = Points(
        method, [r.difference for r in rows], [r.difference_low for r in rows], [r.difference_high for r in rows]
    )
    labels = [f"{r.slice}: {r.slice_value} ({r.n_tests} tests)" for r in rows]
    name, reference = heading(results.metric), next((r.reference for r in rows if r.reference), "its reference")
    summary = f"{_said(rows, 'above')} {_said(rows, 'below')} Without a bar: too few users for an interval."
    axis = Axis(f"difference of {name}", form="+.4f")
    return Dots(
        "slices-difference", f"{name}: {method} less {reference}, by slice", summary, axis, labels, [points], zero=True
    )


def _said(rows: Sequence[Row], side: str) -> str:
    """Slices whose interval lies on one side of 0."""
    if side == "above":
        found = [r for r in rows if r.difference_low is not None and r.difference_low > 0]
    else:
        found = [r for r in rows if r.difference_high is not None and r.difference_high < 0]
    named = "; ".join(f"{r.slice}: {r.slice_value}" for r in found) or "no slice"
    return f"Interval {side} zero: {named}."


def _matrix(name: str, cast: Sequence[Row], results: Results) -> Matrix:
    rows = results.rows(part=name)
    values = list(dict.fromkeys(r.slice_value for r in rows))
    counts = {r.slice_value: r.n_tests for r in rows}
    numbers = {(r.method, r.slice_value): r.value for r in rows}
    metric = heading(results.metric)
    leading = [_leader(v, cast, numbers) for v in values]
    summary = "Highest of these: " + ", ".join(f"{m} for {v}" for v, m in zip(values, leading, strict=True) if m) + "."
    return Matrix(
        f"slice-{_anchor(name)}",
        f"{metric} by {name}",
        f"{summary} Intervals stand in results.csv.",
        [r.method for r in cast],
        [f"{v} (n={counts[v]})" for v in values],
        [[numbers.get((r.method, v)) for v in values] for r in cast],
        form=".3f",
    )


def _leader(value: str, cast: Sequence[Row], numbers: dict[tuple[str, str], float | None]) -> str | None:
    known = {r.method: n for r in cast if (n := numbers.get((r.method, value))) is not None}
    return max(known, key=lambda m: known[m]) if known else None


def _anchor(name: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
