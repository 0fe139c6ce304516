"""Plots as PNG, on light paper: what is put into a document. No browser, no display."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from textwrap import wrap
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from dynprof.reporting.chart import Axis, Chart, Curve, Curves, Dots, Drawn, Matrix, Panels, Points
from dynprof.reporting.palette import LIGHT, N_COLOURS, marker
from dynprof.reporting.table import show_cell

__all__ = ["draw"]

_DOTS_PER_INCH = 160
_WIDTH, _PANEL_WIDTH, _PANEL_HEIGHT = 8.0, 3.6, 2.8
"""Inches."""
_NAME_WIDTH, _TITLE_WIDTH = 32, 90
"""Characters a line."""

_STYLE: dict[str, Any] = {
    "text.parse_math": False,  # a dollar in a name is a dollar
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LIGHT.muted,
    "axes.labelcolor": LIGHT.muted,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": LIGHT.rule,
    "text.color": LIGHT.text,
    "xtick.color": LIGHT.muted,
    "ytick.color": LIGHT.muted,
    "legend.frameon": False,
}


def draw(chart: Drawn) -> bytes:
    """The plot as a PNG, the same bytes for the same plot."""
    target = io.BytesIO()
    with mpl.rc_context(cast(Any, _STYLE)), warnings.catch_warnings():
        # A character that the font lacks is drawn as a box; the table has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font", category=UserWarning)
        # Names so long that nothing is left for the plot: it is drawn crowded.
        warnings.filterwarnings("ignore", message="constrained_layout not applied", category=UserWarning)
        made = _drawn(chart)
        FigureCanvasAgg(made)
        made.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def _drawn(chart: Drawn) -> Figure:
    if not isinstance(chart, Panels):
        made = Figure(figsize=(_WIDTH, _height(chart)), dpi=_DOTS_PER_INCH, layout="constrained")
        axes = made.subplots()
        _one(axes, chart)
        axes.set_title(_broken(chart.title, _TITLE_WIDTH), fontsize=11)
        return made
    columns = min(3, max(1, len(chart.charts)))
    n_rows = max(1, -(-len(chart.charts) // columns))
    tallest = max((_height(c) * 0.72 for c in chart.charts if not isinstance(c, Curves)), default=_PANEL_HEIGHT)
    size = (_PANEL_WIDTH * columns, max(tallest, _PANEL_HEIGHT) * n_rows + 0.4)
    made = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
    made.suptitle(_broken(chart.title, _TITLE_WIDTH), fontsize=12, x=0.01, ha="left")
    grid = made.subplots(n_rows, columns, squeeze=False)
    for place, axes in enumerate(grid.flat):
        if place >= len(chart.charts):
            axes.remove()
            continue
        _one(axes, chart.charts[place])
        axes.set_title(_broken(chart.charts[place].title), fontsize=10)
    return made


def _height(chart: Chart) -> float:
    if isinstance(chart, Curves):
        return 4.4
    n_rows = chart.n_lines if isinstance(chart, Dots) else len(chart.rows)
    return 1.5 + 0.28 * n_rows


def _one(axes: Axes, chart: Chart) -> None:
    if isinstance(chart, Matrix) and not (chart.rows and chart.columns):
        axes.set_axis_off()
        axes.text(0, 0.5, "nothing to show")
    elif isinstance(chart, Curves):
        _curves(axes, chart)
    elif isinstance(chart, Dots):
        _dots(axes, chart)
    else:
        _matrix(axes, chart)


def _broken(text: str, width: int = _NAME_WIDTH) -> str:
    """A long text on up to three lines, then cut; the table has all of it."""
    lines = wrap(text, width) or [""]
    return "\n".join([*lines[:2], lines[2] + " …"] if len(lines) > 3 else lines)


def _colour(number: int | None) -> str:
    return LIGHT.context if number is None else LIGHT.series[number % N_COLOURS]


def _numbers(values: Sequence[float | None]) -> Any:
    return np.array([np.nan if v is None else v for v in values], float)


def _set_axis(axes: Axes, which: str, axis: Axis) -> None:
    side = getattr(axes, f"{which}axis")
    getattr(axes, f"set_{which}label")(_broken(axis.title))
    if axis.log:
        getattr(axes, f"set_{which}scale")("log")
    if axis.ticks:
        side.set_ticks([w for w, _ in axis.ticks], [_broken(t) for _, t in axis.ticks])
        side.set_minor_locator(NullLocator())
        side.set_minor_formatter(NullFormatter())
    if axis.limits:
        getattr(axes, f"set_{which}lim")(*axis.limits)


def _curves(axes: Axes, chart: Curves) -> None:
    _set_axis(axes, "x", chart.x)
    axes.grid(axis="y")
    for level, dash in zip(chart.levels, ("--", ":", "-.") * len(chart.levels), strict=False):
        axes.axhline(level.value, color=LIGHT.text, lw=1.1, ls=dash, label=_broken(level.name))
        if level.low is not None and level.high is not None:
            axes.axhspan(level.low, level.high, color=LIGHT.muted, alpha=0.15, lw=0)
    for curve in sorted(chart.curves, key=lambda c: c.colour is not None):
        _curve(axes, curve)
    _set_axis(axes, "y", chart.y)
    if len(axes.get_legend_handles_labels()[1]) > 1:
        axes.legend(fontsize=8)


def _curve(axes: Axes, curve: Curve) -> None:
    colour, y = _colour(curve.colour), _numbers(curve.y)
    if curve.colour is None:
        axes.plot(curve.x, y, color=colour, lw=1)
        return
    if curve.low and curve.joined:
        axes.fill_between(
            np.asarray(curve.x), _numbers(curve.low), _numbers(curve.high), color=colour, alpha=0.18, lw=0
        )
    elif curve.low:
        lengths = [y - _numbers(curve.low), _numbers(curve.high) - y]
        axes.errorbar(curve.x, y, yerr=np.maximum(lengths, 0), fmt="none", ecolor=colour)
    sign = marker(curve.colour).matplotlib if curve.marked else ""
    axes.plot(
        curve.x, y, color=colour, lw=2, ls="-" if curve.joined else "", marker=sign, ms=5, label=_broken(curve.name)
    )


def _dots(axes: Axes, chart: Dots) -> None:
    _set_axis(axes, "x", chart.axis)
    axes.grid(axis="x")
    if chart.zero:
        axes.axvline(0, color=LIGHT.text, lw=1, ls=":")
    for number, points in enumerate(chart.points):
        _points(axes, points, chart.shift(number))
    axes.set_yticks(range(len(chart.labels)), [_broken(label) for label in chart.labels])
    axes.set_ylim(len(chart.labels) - 0.4, -0.6)
    if len(chart.points) > 1:
        axes.legend(
            fontsize=8, ncols=min(4, len(chart.points)), loc="lower left", bbox_to_anchor=(0, -0.02), borderaxespad=-4.2
        )


def _points(axes: Axes, points: Points, shift: float) -> None:
    x, y = _numbers(points.values), np.arange(len(points.values)) + shift
    colour = _colour(points.colour)
    if points.low:
        lengths = [x - _numbers(points.low), _numbers(points.high) - x]
        axes.errorbar(x, y, xerr=np.maximum(lengths, 0), fmt="none", ecolor=colour, elinewidth=1.6)
    axes.plot(x, y, ls="", marker=marker(points.colour).matplotlib, color=colour, ms=6, label=_broken(points.name))


def _matrix(axes: Axes, chart: Matrix) -> None:
    values = np.array([_numbers(row) for row in chart.values]).reshape(len(chart.rows), len(chart.columns))
    known = np.abs(values[np.isfinite(values)])
    limit = float(known.max(initial=0)) or 1.0
    colours = [LIGHT.low, LIGHT.card, LIGHT.high] if chart.diverging else [LIGHT.card, LIGHT.high]
    axes.imshow(
        np.ma.masked_invalid(values),
        cmap=LinearSegmentedColormap.from_list("paper", colours),
        vmin=-limit if chart.diverging else 0,
        vmax=limit,
        aspect="auto",
        alpha=0.55,
    )
    axes.set_xticks(range(len(chart.columns)), [_broken(c) for c in chart.columns])
    axes.set_yticks(range(len(chart.rows)), [_broken(r) for r in chart.rows])
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    for i, row in enumerate(chart.values):
        for j, value in enumerate(row):
            axes.text(j, i, show_cell(value, chart.form), ha="center", va="center", fontsize=8)
