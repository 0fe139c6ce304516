"""Colours and markers of the series, on light and on dark paper.

Chosen among named candidates by the least distance between any two of a theme, under normal vision and three kinds of
colour blindness; each stands out from its paper by at least 3:1. Markers differ too: no plot needs colour to be read.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DARK", "LIGHT", "N_COLOURS", "Marker", "Theme", "css_variables", "marker"]


@dataclass(frozen=True)
class Theme:
    """Colours as `#rrggbb`.

    Attributes:
        paper: Behind everything.
        card: Behind tables and plots.
        text: Of running text.
        muted: Of captions and axes.
        rule: Of lines between rows, of grids.
        context: Of curves that are there to be compared with.
        accent: Of links and the focus.
        warned: Behind what must not be overlooked.
        low: Least value of a matrix; negative ones.
        high: Greatest value of a matrix; positive ones.
        series: Of the series, in order.
    """

    paper: str
    card: str
    text: str
    muted: str
    rule: str
    context: str
    accent: str
    warned: str
    low: str
    high: str
    series: tuple[str, ...]


LIGHT = Theme(
    paper="#f6f7f9",
    card="#ffffff",
    text="#222831",
    muted="#566070",
    rule="#dde2e8",
    context="#c3cad3",
    accent="#1f57b8",
    warned="#fff3cf",
    low="#a88600",
    high="#2f6fde",
    series=("#2f6fde", "#a88600", "#009e73", "#c2559d", "#123c8c", "#7f2a1f", "#222831"),
)
DARK = Theme(
    paper="#0f1216",
    card="#15191f",
    text="#e6e8eb",
    muted="#a4adb8",
    rule="#2b323b",
    context="#474f5a",
    accent="#8cc2ff",
    warned="#3a2f0b",
    low="#d55e00",
    high="#6cb6ff",
    series=("#6cb6ff", "#ffb3a0", "#a8e05f", "#ff6fae", "#8f7bff", "#d55e00", "#e6e8eb"),
)
N_COLOURS = len(LIGHT.series)


@dataclass(frozen=True)
class Marker:
    """The same marker in plotly.js and in matplotlib."""

    plotly: str
    matplotlib: str


_MARKERS = (
    Marker("circle", "o"),
    Marker("square", "s"),
    Marker("diamond", "D"),
    Marker("triangle-up", "^"),
    Marker("x", "X"),
    Marker("triangle-down", "v"),
    Marker("star", "*"),
    Marker("pentagon", "p"),
    Marker("cross", "P"),
)


def marker(number: int) -> Marker:
    """Marker of a series. There are more than colours, so that a colour that comes again has another marker."""
    return _MARKERS[number % len(_MARKERS)]


def css_variables(theme: Theme) -> str:
    """`--paper: #f6f7f9; ... --series-0: #2f6fde; ...`, which the page's style and its plots refer to."""
    named = {name: value for name, value in vars(theme).items() if name != "series"}
    numbered = {f"series-{i}": colour for i, colour in enumerate(theme.series)}
    return " ".join(f"--{name}: {value};" for name, value in {**named, **numbered}.items())
