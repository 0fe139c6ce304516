"""Plots as plotly.js wants them: plain JSON, colours as `var(--name)` that the page turns into those of its theme."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

from dynprof.reporting.chart import Axis, Chart, Curve, Curves, Dots, Level, Matrix, Points
from dynprof.reporting.palette import N_COLOURS, marker
from dynprof.reporting.table import Interval, show_cell

__all__ = ["figure", "plain"]

_ROW_HEIGHT, _FRAME_HEIGHT, _CURVES_HEIGHT = 30, 120, 420
"""Pixels."""

_MATRIX_OPACITY = 0.55
"""So that the number in a cell can be read on either paper."""


def plain(text: str) -> str:
    """A text that plotly.js shows as it is: it reads a small part of HTML in every label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def figure(chart: Chart) -> dict[str, Any]:
    """`data`, `layout` and `height` (pixels) of a plot."""
    if isinstance(chart, Curves):
        return _curves(chart)
    return _dots(chart) if isinstance(chart, Dots) else _matrix(chart)


def _colour(number: int | None) -> str:
    return "var(--context)" if number is None else f"var(--series-{number % N_COLOURS})"


def _axis(axis: Axis) -> dict[str, Any]:
    made: dict[str, Any] = {"title": {"text": plain(axis.title)}, "type": "log" if axis.log else "linear"}
    if axis.ticks:
        made |= {"tickvals": [w for w, _ in axis.ticks], "ticktext": [plain(t) for _, t in axis.ticks]}
    if axis.limits:
        made["range"] = [log10(v) for v in axis.limits] if axis.log else list(axis.limits)
    return made


def _hover(name: str, x: str, y: Interval, form: str) -> str:
    return f"{plain(name)}<br>{plain(x)}: {plain(show_cell(y, form))}"


def _curves(chart: Curves) -> dict[str, Any]:
    data: list[dict[str, Any]] = []
    xs = [x for c in chart.curves for x in c.x]
    for number, level in enumerate(chart.levels):
        data += _level(level, [min(xs), max(xs)] if xs else [0, 1], chart.y.form, number)
    for curve in sorted(chart.curves, key=lambda c: c.colour is not None):  # context lies below
        data += _curve(curve, chart)
    layout = {"xaxis": _axis(chart.x), "yaxis": _axis(chart.y), "hovermode": "closest"}
    return {"data": data, "layout": layout, "height": _CURVES_HEIGHT}


def _curve(curve: Curve, chart: Curves) -> list[dict[str, Any]]:
    colour, is_context = _colour(curve.colour), curve.colour is None
    mode = "+".join(
        m for m, wanted in (("lines", curve.joined), ("markers", curve.marked and not is_context)) if wanted
    )
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": mode or "lines",
        "name": plain(curve.name),
        "x": list(curve.x),
        "y": list(curve.y),
        "line": {"color": colour, "width": 1.5 if is_context else 2.5},
        "marker": {"color": colour, "size": 8, "symbol": marker(curve.colour or 0).plotly},
        "showlegend": not is_context,
        "hoverinfo": "skip" if is_context else "text",
    }
    if is_context:
        return [trace]
    ticks = dict(chart.x.ticks)
    bounds = list(zip(curve.low, curve.high, strict=True)) if curve.low else [(None, None)] * len(curve.x)
    trace["hovertext"] = [
        _hover(curve.name, ticks.get(x, f"{x:g}"), Interval(y, *b), chart.y.form)
        for x, y, b in zip(curve.x, curve.y, bounds, strict=True)
    ]
    if not curve.low:
        return [trace]
    if curve.joined:
        return [_band(curve.x, curve.low, curve.high, colour), trace]
    return [{**trace, "error_y": _bars(curve.y, curve.low, curve.high, colour)}]


def _band(x: Sequence[float], low: Sequence[float | None], high: Sequence[float | None], colour: str) -> dict[str, Any]:
    known = [(a, b, c) for a, b, c in zip(x, low, high, strict=True) if b is not None and c is not None]
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [a for a, _, _ in known] + [a for a, _, _ in reversed(known)],
        "y": [b for _, b, _ in known] + [c for _, _, c in reversed(known)],
        "fill": "toself",
        "fillcolor": colour,
        "opacity": 0.18,
        "line": {"width": 0},
        "hoverinfo": "skip",
        "showlegend": False,
    }


def _level(level: Level, ends: list[float], form: str, number: int) -> list[dict[str, Any]]:
    said = plain(f"{level.name}: {show_cell(Interval(level.value, level.low, level.high), form)}")
    line = {
        "type": "scatter",
        "mode": "lines",
        "name": plain(level.name),
        "x": ends,
        "y": [level.value] * 2,
        "line": {"color": "var(--text)", "width": 1.5, "dash": ("dash", "dot", "dashdot")[number % 3]},
        "hoverinfo": "text",
        "hovertext": said,
    }
    if level.low is None or level.high is None:
        return [line]
    return [_band(ends, [level.low] * 2, [level.high] * 2, "var(--muted)"), line]


def _bars(
    values: Sequence[float | None], low: Sequence[float | None], high: Sequence[float | None], colour: str
) -> dict[str, Any]:
    """plotly.js wants lengths, not bounds."""
    up = [None if v is None or h is None else max(0.0, h - v) for v, h in zip(values, high, strict=True)]
    down = [None if v is None or b is None else max(0.0, v - b) for v, b in zip(values, low, strict=True)]
    return {
        "type": "data",
        "symmetric": False,
        "array": up,
        "arrayminus": down,
        "color": colour,
        "thickness": 1.8,
        "width": 0,
    }


def _dots(chart: Dots) -> dict[str, Any]:
    n_series = len(chart.points)
    data = [_points(p, i, chart) for i, p in enumerate(chart.points)]
    labels = [plain(label) for label in chart.labels]
    layout: dict[str, Any] = {
        "xaxis": _axis(chart.axis),
        "yaxis": {
            "tickvals": list(range(len(labels))),
            "ticktext": labels,
            "range": [len(labels) - 0.4, -0.6],
            "showgrid": False,
            "fixedrange": True,
        },
        "showlegend": n_series > 1,
        "hovermode": "closest",
    }
    if chart.zero:
        layout["shapes"] = [
            {
                "type": "line",
                "x0": 0,
                "x1": 0,
                "yref": "paper",
                "y0": 0,
                "y1": 1,
                "line": {"color": "var(--text)", "dash": "dot", "width": 1.2},
            }
        ]
    return {
        "data": data,
        "layout": layout,
        "height": int(_FRAME_HEIGHT + (26 if n_series > 1 else 0) + _ROW_HEIGHT * chart.n_lines),
    }


def _points(points: Points, number: int, chart: Dots) -> dict[str, Any]:
    colour = _colour(points.colour)
    shift = chart.shift(number)
    bounds = list(zip(points.low, points.high, strict=True)) if points.low else [(None, None)] * len(points.values)
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": plain(points.name),
        "x": list(points.values),
        "y": [i + shift for i in range(len(chart.labels))],
        "marker": {"color": colour, "size": 9, "symbol": marker(points.colour).plotly},
        "hoverinfo": "text",
        "hovertext": [
            _hover(label, points.name, Interval(v, *b), chart.axis.form)
            for label, v, b in zip(chart.labels, points.values, bounds, strict=True)
        ],
    }
    if points.low:
        trace["error_x"] = _bars(points.values, points.low, points.high, colour)
    return trace


def _matrix(chart: Matrix) -> dict[str, Any]:
    known = [abs(v) for row in chart.values for v in row if v is not None]
    scale = [[0, "var(--card)"], [1, "var(--high)"]]
    limits = {"zmin": 0.0, "zmax": max(known, default=1.0) or 1.0}
    if chart.diverging:
        scale = [[0, "var(--low)"], [0.5, "var(--card)"], [1, "var(--high)"]]
        limits["zmin"] = -limits["zmax"]
    texts = [[show_cell(v, chart.form) for v in row] for row in chart.values]
    trace = {
        "type": "heatmap",
        "z": [list(row) for row in chart.values],
        "x": [plain(c) for c in chart.columns],
        "y": [plain(r) for r in chart.rows],
        **limits,
        "colorscale": scale,
        "text": texts,
        "texttemplate": "%{text}",
        "textfont": {"color": "var(--text)"},
        "xgap": 2,
        "ygap": 2,
        "showscale": False,
        "opacity": _MATRIX_OPACITY,
        "hoverinfo": "text",
        "hovertext": [
            [f"{plain(r)}<br>{plain(c)}: {t}" for c, t in zip(chart.columns, row, strict=True)]
            for r, row in zip(chart.rows, texts, strict=True)
        ],
    }
    layout = {
        "xaxis": {"type": "category", "side": "top", "showgrid": False, "fixedrange": True},
        "yaxis": {"type": "category", "autorange": "reversed", "showgrid": False, "fixedrange": True},
    }
    return {"data": [trace], "layout": layout, "height": int(_FRAME_HEIGHT + _ROW_HEIGHT * len(chart.rows))}
