"""Reading the results table: rows of one window, slice and metric, and the methods that a plot has room for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from dynprof.decay import PROFILE_KINDS
from dynprof.duration import format_duration
from dynprof.evaluation.results import WHOLE

__all__ = ["PROFILES", "TEST", "VALIDATION", "Results", "Row", "best", "heading"]

TEST, VALIDATION = "test", "validation"
PROFILES, LEARNED = "profiles", "learned"
_HEADINGS = {"hit_rate": "hit rate", "ndcg": "NDCG", "mrr": "MRR", "gini": "Gini"}
_PREFERRED = ("ndcg@10", "ndcg@5", "ndcg@50", "mrr", "mrr@10", "hit_rate@10")


@dataclass(frozen=True)
class Row:
    """One number of the table; the columns stand in docs/evaluation.md."""

    window: str
    slice: str
    slice_value: str
    method: str
    family: str
    kind: str | None
    half_life_s: float | None
    similarity: str | None
    encoder: str | None
    metric: str
    n_tests: int
    n_users: int
    value: float | None
    low: float | None
    high: float | None
    reference: str | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    relative: float | None
    p: float | None
    p_holm: float | None
    effect: float | None

    @property
    def is_decay(self) -> bool:
        """A profile whose events weigh by their age."""
        return self.kind in (*PROFILE_KINDS, LEARNED) and self.kind != "static"

    @property
    def reading(self) -> str:
        """How the profile is compared with an item: what the method's name says after kind and half-life."""
        half_life = f" {format_duration(self.half_life_s)}" if self.half_life_s else ""
        said = self.method.removeprefix(f"{self.kind or self.method}{half_life}").removesuffix(self.encoder or "")
        return said.strip() or self.similarity or ""


class Results:
    """The table of one report.

    Args:
        table: Of the schema `RESULTS`; may be empty.
    """

    def __init__(self, table: pa.Table) -> None:
        self._table = table
        self._read: dict[tuple[str, str, str, str | None], list[Row]] = {}

    @cached_property
    def windows(self) -> list[str]:
        """Names of the windows, in the table's order."""
        return self._distinct("window")

    @cached_property
    def metrics(self) -> list[str]:
        """Names of the metrics, in the table's order."""
        return self._distinct("metric")

    @property
    def window(self) -> str:
        """That of the headline: all test windows together, else the last test window, else the last of all."""
        tests = [w for w in self.windows if w.startswith(TEST)]
        if TEST in tests:
            return TEST
        return (tests or self.windows or [TEST])[-1]

    @property
    def metric(self) -> str:
        """That of the headline."""
        return next((m for m in _PREFERRED if m in self.metrics), (self.metrics or [_PREFERRED[0]])[0])

    def rows(
        self,
        *,
        metric: str | None = None,
        window: str | None = None,
        part: str = WHOLE,
        slice_value: str | None = None,
    ) -> list[Row]:
        """Rows in the table's order; metric and window are those of the headline unless said.

        Args:
            metric: Name of the metric.
            window: Name of the window.
            part: Name of the slice.
            slice_value: One of its values; None for all.
        """
        wanted = (metric or self.metric, window or self.window, part, slice_value)
        if wanted not in self._read:
            self._read[wanted] = self._select(*wanted)
        return list(self._read[wanted])

    def _select(self, metric: str, window: str, part: str, slice_value: str | None) -> list[Row]:
        wanted = {"metric": metric, "window": window, "slice": part, "slice_value": slice_value}
        kept = self._table
        for column, value in wanted.items():
            if value is not None:
                kept = kept.filter(pc.equal(kept[column], value))
        columns = [kept[f.name].to_pylist() for f in fields(Row)]
        return [Row(*values) for values in zip(*columns, strict=True)]

    @cached_property
    def slices(self) -> list[str]:
        """Names of the slices, without the whole."""
        return [s for s in self._distinct("slice") if s != WHOLE]

    @cached_property
    def decided(self) -> dict[str, float]:
        """The headline's metric of each method on the validation window: by it methods are picked for plots.

        Picked by the test windows, the best of many would look better than it is.
        """
        rows = self.rows(window=VALIDATION) if VALIDATION in self.windows else []
        return {r.method: r.value for r in rows if r.value is not None}

    @property
    def picked_by(self) -> str:
        """How a report says what `decided` did."""
        if self.decided:
            return "chosen on the validation window"
        return "chosen on the very numbers that are shown, as there is no validation window: they flatter it"

    def cast(self, always: Sequence[str] = ()) -> list[Row]:
        """The methods that plots show, best first: all that are no decay profile, and of each decay the best.

        Args:
            always: Methods that are shown whatever the validation window says.
        """
        rows = self.rows(slice_value=WHOLE)
        groups: dict[str, list[Row]] = {}
        for row in rows:
            alone = row.family != PROFILES or row.method in always
            groups.setdefault(row.method if alone else f"kind {row.kind or row.method}", []).append(row)
        chosen = [best(group, self.decided) for group in groups.values()]
        return sorted(chosen, key=lambda r: -(r.value if r.value is not None else -1.0))

    def _distinct(self, column: str) -> list[str]:
        return [str(v) for v in pc.unique(self._table[column]).to_pylist()]


def best(rows: Iterable[Row], decided: dict[str, float]) -> Row:
    """The row of the best method by `decided`, or by the rows' own numbers where that knows none; first of equals."""
    listed = list(rows)
    known = [r for r in listed if r.method in decided]
    if known:
        return max(known, key=lambda r: decided[r.method])
    return max(listed, key=lambda r: r.value if r.value is not None else float("-inf"))


def heading(metric: str) -> str:
    """`NDCG@10` for `ndcg@10`."""
    base, at, k = metric.partition("@")
    return _HEADINGS.get(base, base.replace("_", " ")) + at + k
