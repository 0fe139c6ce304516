"""What a plot shows, apart from how it is drawn: the same value becomes an interactive plot, a PNG and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Axis", "Chart", "Curve", "Curves", "Dots", "Drawn", "Level", "Matrix", "Panels", "Points"]

Number = float | None
"""None: there is no such number; nothing is drawn there."""


@dataclass(frozen=True)
class Axis:
    """An axis of numbers.

    Attributes:
        title: With the unit.
        log: Logarithmic; numbers <= 0 are not drawn.
        ticks: (where, text) of each tick; empty for numbers of the renderer's choice.
        form: Format of numbers in tables and labels, as `format` takes it.
        limits: First and last number shown; None for those that fit. Given to all panels that are compared.
    """

    title: str
    log: bool = False
    ticks: Sequence[tuple[float, str]] = ()
    form: str = ".4f"
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Curve:
    """n points, joined by a line or not.

    Attributes:
        name: In legend and table.
        x: (n,) rising where they are joined.
        y: (n,).
        low: (n,) lower bounds, or empty; drawn as a band where points are joined, else as bars.
        high: (n,) upper bounds, or empty.
        colour: Number of the series' colour and marker; None: grey, context for the others and not in the table.
        joined: Points are joined.
        marked: Points have markers.
    """

    name: str
    x: Sequence[float]
    y: Sequence[Number]
    low: Sequence[Number] = ()
    high: Sequence[Number] = ()
    colour: int | None = 0
    joined: bool = True
    marked: bool = True


@dataclass(frozen=True)
class Level:
    """A number that does not depend on x: a dashed line, with its interval as a band where there is one."""

    name: str
    value: float
    low: Number = None
    high: Number = None


@dataclass(frozen=True)
class Curves:
    """Numbers over a number.

    Attributes:
        name: Of the files: small letters, digits and hyphens, unique on a page.
        title: What is plotted.
        summary: What a reader who cannot see it would want to be told.
    """

    name: str
    title: str
    summary: str
    x: Axis
    y: Axis
    curves: Sequence[Curve]
    levels: Sequence[Level] = ()


@dataclass(frozen=True)
class Points:
    """One column of points of a `Dots`: a number and its interval for each of its labels."""

    name: str
    values: Sequence[Number]
    low: Sequence[Number] = ()
    high: Sequence[Number] = ()
    colour: int = 0


@dataclass(frozen=True)
class Dots:
    """Numbers with intervals by name, one row a name, the first on top.

    Attributes:
        zero: Draw a line at 0 to compare with.
        groups: A row has a number of one of the points only, in its middle: they tell groups of rows apart.
    """

    name: str
    title: str
    summary: str
    axis: Axis
    labels: Sequence[str]
    points: Sequence[Points]
    zero: bool = False
    groups: bool = False

    def shift(self, number: int) -> float:
        """How far below the middle of its row a series stands, so that intervals beside each other can be told."""
        if self.groups:
            return 0.0
        n = len(self.points)
        return (number - (n - 1) / 2) * min(0.2, 0.7 / n)

    @property
    def n_lines(self) -> float:
        """Height in lines of text."""
        return len(self.labels) * (1.0 if self.groups else max(1.0, 0.55 * len(self.points)))


@dataclass(frozen=True)
class Matrix:
    """Numbers by two names as colours, each with its text.

    Attributes:
        values: A row a name of `rows`, a number a name of `columns`.
        diverging: 0 has the colour of the paper, and both signs one of their own.
        form: Of the texts, as `format` takes it.
    """

    name: str
    title: str
    summary: str
    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[Number]]
    diverging: bool = False
    form: str = ".4f"


Chart = Curves | Dots | Matrix


@dataclass(frozen=True)
class Panels:
    """Plots of one kind beside each other, one file and one table together."""

    name: str
    title: str
    summary: str
    charts: Sequence[Chart]


Drawn = Chart | Panels
