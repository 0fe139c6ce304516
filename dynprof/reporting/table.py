"""Tables for people and for programs: headings, cells, and numbers with intervals that are three columns in CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from dynprof.reporting.chart import Curves, Dots, Drawn, Matrix, Panels

__all__ = ["Cell", "Interval", "Table", "chart_table", "render_csv", "show_cell"]


@dataclass(frozen=True)
class Interval:
    """A number and its bounds; None where there is none."""

    value: float | None
    low: float | None = None
    high: float | None = None


Cell = str | int | float | Interval | None


@dataclass(frozen=True)
class Table:
    """Rows below headings.

    Attributes:
        caption: What the rows are.
        headings: (m,) texts, distinct.
        rows: (m,) cells each.
        forms: (m,) format of the numbers of each column, as `format` takes it; "": shortest. Empty: all shortest.
    """

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    forms: Sequence[str] = ()

    def form(self, column: int) -> str:
        """Format of a column's numbers."""
        return self.forms[column] if self.forms else ""


def show_cell(cell: Cell, form: str = "") -> str:
    """A cell for people: `0.0510 [0.0380, 0.0640]`, `-` for nothing."""
    if cell is None:
        return "–"
    if isinstance(cell, Interval):
        if cell.value is None:
            return "–"
        if cell.low is None or cell.high is None:
            return format(cell.value, form)
        return f"{cell.value:{form}} [{cell.low:{form}}, {cell.high:{form}}]"
    return cell if isinstance(cell, str) else format(cell, form)


def render_csv(table: Table) -> str:
    """The table at full precision; a column that has an interval becomes three, `x`, `x low`, `x high`."""
    wide = [any(isinstance(row[i], Interval) for row in table.rows) for i in range(len(table.headings))]
    target = io.StringIO()
    # Quoted texts: a lone carriage return would else end a row.
    writer = csv.writer(target, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(
        [h for name, is_wide in zip(table.headings, wide, strict=True) for h in _spread(name, is_wide=is_wide)]
    )
    for row in table.rows:
        writer.writerow([v for cell, is_wide in zip(row, wide, strict=True) for v in _numbers(cell, is_wide=is_wide)])
    return target.getvalue()


def _spread(name: str, *, is_wide: bool) -> list[str]:
    return [name, f"{name} low", f"{name} high"] if is_wide else [name]


def _numbers(cell: Cell, *, is_wide: bool) -> list[str | int | float | None]:
    """A cell's columns. What a spreadsheet would run as a formula is put behind an apostrophe."""
    if isinstance(cell, str):
        found: list[str | int | float | None] = [f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell]
    elif isinstance(cell, Interval):
        return [cell.value, cell.low, cell.high]
    else:
        found = [cell]
    return [*found, None, None] if is_wide else found


def chart_table(chart: Drawn) -> Table:
    """The numbers of a plot: what is read where it cannot be seen, and what its CSV holds."""
    if isinstance(chart, Panels):
        parts = [chart_table(c) for c in chart.charts]
        rows = [[c.title, *row] for c, part in zip(chart.charts, parts, strict=True) for row in part.rows]
        first = parts[0] if parts else Table("", [], [])
        return Table(chart.title, ["panel", *first.headings], rows, ["", *first.forms])
    if isinstance(chart, Curves):
        return _of_curves(chart)
    return _of_dots(chart) if isinstance(chart, Dots) else _of_matrix(chart)


def _of_curves(chart: Curves) -> Table:
    ticks = dict(chart.x.ticks)
    rows: list[list[Cell]] = [[v.name, "any", Interval(v.value, v.low, v.high)] for v in chart.levels]
    for curve in chart.curves:
        if curve.colour is None:
            continue
        for i, (x, y) in enumerate(zip(curve.x, curve.y, strict=True)):
            bounds = (curve.low[i], curve.high[i]) if curve.low else (None, None)
            rows.append([curve.name, ticks.get(x, x), Interval(y, *bounds)])
    return Table(chart.title, ["series", chart.x.title, chart.y.title], rows, ["", "g", chart.y.form])


def _of_dots(chart: Dots) -> Table:
    if chart.groups:
        return _of_groups(chart)
    rows: list[list[Cell]] = []
    for i, label in enumerate(chart.labels):
        cells = [
            Interval(p.values[i], p.low[i] if p.low else None, p.high[i] if p.high else None) for p in chart.points
        ]
        rows.append([label, *cells])
    one = len(chart.points) == 1
    names = [chart.axis.title] if one else [f"{p.name}: {chart.axis.title}" for p in chart.points]
    return Table(chart.title, ["", *names], rows, ["", *[chart.axis.form] * len(names)])


def _of_groups(chart: Dots) -> Table:
    rows: list[list[Cell]] = []
    for i, label in enumerate(chart.labels):
        mine = next((p for p in chart.points if p.values[i] is not None), None)
        bounds = (mine.low[i], mine.high[i]) if mine and mine.low else (None, None)
        rows.append([label, mine.name if mine else None, Interval(mine.values[i] if mine else None, *bounds)])
    return Table(chart.title, ["", "group", chart.axis.title], rows, ["", "", chart.axis.form])


def _of_matrix(chart: Matrix) -> Table:
    rows = [[name, *values] for name, values in zip(chart.rows, chart.values, strict=True)]
    return Table(chart.title, ["", *chart.columns], rows, ["", *[chart.form] * len(chart.columns)])
