"""A claim, its numbers and a verdict by a rule that was fixed before the numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from dynprof.evaluation.results import WHOLE
from dynprof.reporting.results import Results, Row, best

__all__ = ["CANNOT_TELL", "FAILS", "HOLDS", "RULE", "Verdict", "judge", "picked", "results_of", "windows_of"]

HOLDS, FAILS, CANNOT_TELL = "holds", "does not hold", "cannot tell"
RULE = (
    "A claim that one profile beats another *holds* where the 95 % interval of the paired difference lies above zero "
    "over all test windows and in at least two of three. It *does not hold* where the upper end of that interval is "
    "below 1 % of the reference. Else the data *cannot tell*. Where two numbers of different references are compared, "
    "their intervals must be apart, which asks for more than a paired difference would."
)


@dataclass(frozen=True)
class Verdict:
    """One line of the study's first table."""

    claim: str
    data: str
    found: str
    verdict: str


def windows_of(results: Results) -> list[str]:
    """The single test windows."""
    return [w for w in results.windows if w.startswith("test ")]


def picked(results: Results, kind: str | None = None, reading: str | None = None) -> Row | None:
    """The decayed profile that the validation window picks, with its numbers over all test windows."""
    rows = [r for r in results.rows(slice_value=WHOLE) if r.is_decay and r.value is not None]
    rows = [r for r in rows if kind in (None, r.kind) and reading in (None, r.reading)]
    return best(rows, results.decided) if rows else None


def judge(results: Results, method: str) -> tuple[str, str]:
    """Verdict on "this method beats its reference", and the numbers that gave it."""
    whole = next((r for r in results.rows(slice_value=WHOLE) if r.method == method), None)
    if whole is None or whole.difference is None or whole.difference_low is None or whole.difference_high is None:
        return CANNOT_TELL, "no interval"
    above = [r for w in windows_of(results) if (r := _row(results, method, w)) and (r.difference_low or 0) > 0]
    n_windows = len(windows_of(results))
    said = (
        f"{method} {whole.value:.4f}, {whole.reference} {(whole.value or 0) - whole.difference:.4f}: "
        f"{whole.difference:+.4f} [{whole.difference_low:+.4f}, {whole.difference_high:+.4f}]"
    )
    if n_windows:
        said += f", above zero in {len(above)} of {n_windows} windows"
    if whole.difference_low > 0 and (not n_windows or len(above) >= min(2, n_windows)):
        return HOLDS, said
    reference = (whole.value or 0.0) - whole.difference
    if whole.difference_high < 0.01 * reference:
        return FAILS, said
    return CANNOT_TELL, said


def _row(results: Results, method: str, window: str) -> Row | None:
    return next((r for r in results.rows(window=window, slice_value=WHOLE) if r.method == method), None)


def results_of(table: pa.Table | None) -> Results | None:
    """Results where there is a table with rows."""
    return Results(table) if table is not None and len(table) else None
