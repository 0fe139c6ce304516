"""A page is one file that asks nobody for anything, shows texts as they are, and tells all in words and numbers too."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.errors import ConfigError
from dynprof.reporting import (
    Axis,
    Curve,
    Curves,
    Dots,
    Drawn,
    Facts,
    Interval,
    Level,
    Matrix,
    Notes,
    Page,
    Panels,
    Points,
    Prose,
    Section,
    Table,
    Warned,
    chart_table,
    draw,
    render_csv,
    render_page,
    save_page,
)
from dynprof.reporting.interactive import figure
from dynprof.reporting.palette import DARK, LIGHT, Theme
from dynprof.workspace import Workspace

NASTY = "</script><img src=x onerror=alert(1)> & \"quotes\" 'too' $x^2$ %{y} <b>bold</b> \u202eevil 🦉"

# Machado et al. 2009, severity 1.
VISIONS = {
    "normal": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritan": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


class Elements(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and the texts of scripts left out."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [a for t, a in self.found if t == tag]


def curves(name: str = "c", text: str = "decay") -> Curves:
    x, y = Axis("age", log=True, ticks=[(1, text), (10, "b")]), Axis(text, limits=(0, 1))
    known = Curve(text, [1, 10, 100], [0.5, None, 0.25], [0.4, None, 0.2], [0.6, None, 0.3])
    grey = Curve("other", [1, 10], [0.1, 0.2], colour=None)
    return Curves(name, text, text, x, y, [grey, known], [Level("static", 0.3, 0.25, 0.35)])


def dots(name: str = "d", text: str = "newest") -> Dots:
    points = [Points("a", [0.5, None], [0.4, None], [0.6, None]), Points(text, [0.1, 0.2], colour=1)]
    return Dots(name, text, text, Axis("NDCG@10"), [text, "static"], points, zero=True)


def matrix(name: str = "m", text: str = "slice") -> Matrix:
    return Matrix(name, text, text, [text, "b"], ["x", text], [[0.5, -0.25], [None, 0.0]], diverging=True, form="+.2f")


EMPTY: list[Drawn] = [
    Curves("e1", "t", "s", Axis("x"), Axis("y"), []),
    Dots("e2", "t", "s", Axis("x"), [], []),
    Matrix("e3", "t", "s", [], [], []),
    Panels("e4", "t", "s", []),
]


def page(text: str = "A report") -> Page:
    table = Table(
        text, [text, "value"], [[text, Interval(0.5, 0.4, 0.6)], ["b", Interval(None)], ["c", None]], ["", ".3f"]
    )
    blocks = [
        Prose(text),
        Warned(text),
        Notes([text]),
        Facts([(text, text)]),
        table,
        curves(text=text),
        dots(text=text),
    ]
    blocks += [matrix(text=text), Panels("p", text, text, [curves("q", text), dots("r", text)])]
    return Page(
        text, text, [Section("one", text, blocks), Section("two", "Empty", [Table("none", ["a"], []), *EMPTY])], text
    )


def without_plotly(document: str) -> str:
    """The page less the library: what we wrote."""
    begin = document.index("<script>")
    return document[:begin] + document[document.index("</script>", begin) :]


def test_a_page_names_no_other_host_and_forbids_every_request() -> None:
    document = render_page(page())
    ours = without_plotly(document)
    assert "plotly.js v" in document
    assert not re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]", ours)
    assert "default-src 'none'" in ours.partition("<style>")[0]
    elements = Elements(document)
    assert not [a for _, a in elements.found if a.get("src")]
    assert [a["href"] for a in elements.of("link")] == ["data:,"]
    assert all(str(a["href"]).startswith("#") for a in elements.of("a"))


def test_texts_are_shown_and_never_interpreted() -> None:
    elements, plain = Elements(render_page(page(NASTY))), Elements(render_page(page("plain")))
    assert [t for t, _ in elements.found] == [t for t, _ in plain.found]
    assert not [a for _, a in elements.found if any(k.startswith("on") for k in a)]


def test_a_plot_says_in_words_and_in_a_table_what_it_shows() -> None:
    elements = Elements(render_page(page()))
    named = {a["id"] for _, a in elements.found if a.get("id")}
    for figure_of in elements.of("figure"):
        assert figure_of["aria-labelledby"] in named
        assert figure_of["aria-describedby"] in named
    plots = [a for a in elements.of("div") if a.get("class") == "plot"]
    assert plots
    assert all(a["role"] == "img" and a["aria-label"] and a["data-figure"] in named for a in plots)
    assert len(elements.of("details")) == len(elements.of("figure"))


def test_a_page_without_plots_carries_no_plotly() -> None:
    assert len(render_page(Page("t", "l", [Section("s", "S", [Prose("p")])]))) < 40_000


@pytest.mark.parametrize(
    "chart", [curves(text=NASTY), dots(text=NASTY), matrix(text=NASTY)], ids=["curves", "dots", "matrix"]
)
def test_what_plotly_is_given_is_json_of_its_schema_without_markup(chart: Curves | Dots | Matrix) -> None:
    import plotly.graph_objects as go

    made = json.loads(json.dumps(figure(chart), allow_nan=False))
    assert "<b>" not in json.dumps(made)
    in_colours = json.loads(re.sub(r"var\(--[a-z0-9-]+\)", "#123456", json.dumps(made)))
    go.Figure({"data": in_colours["data"], "layout": in_colours["layout"]})  # raises for what it does not know
    assert made["height"] > 0


@pytest.mark.parametrize("chart", [dots(text=NASTY), Panels("p", "t", "s", [curves(), matrix(text=NASTY)]), *EMPTY])
def test_every_plot_is_a_png_too(chart: Drawn) -> None:
    assert draw(chart).startswith(b"\x89PNG")


def test_the_same_plot_is_the_same_bytes() -> None:
    assert draw(curves()) == draw(curves())


def test_a_csv_has_every_number_and_nothing_of_the_context() -> None:
    rows = list(csv.reader(io.StringIO(render_csv(chart_table(curves())))))
    assert rows[0] == ["series", "age", "decay", "decay low", "decay high"]
    assert rows[1:] == [
        ["static", "any", "0.3", "0.25", "0.35"],
        ["decay", "decay", "0.5", "0.4", "0.6"],
        ["decay", "b", "", "", ""],
        ["decay", "100", "0.25", "0.2", "0.3"],
    ]


@given(st.text(min_size=1, max_size=20))
@settings(max_examples=40)
def test_a_csv_gives_a_name_back_and_runs_no_formula(name: str) -> None:
    cells = list(csv.reader(io.StringIO(render_csv(Table("t", ["name"], [[name]])), newline="")))
    assert cells[1][0].removeprefix("'") == name.removeprefix("'") or cells[1][0] == name
    assert cells[1][0][0] not in "=+-@"


def test_two_plots_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"found twice: \['c'\]"):
        Page("t", "l", [Section("s", "S", [curves(), curves()])])


def test_a_page_is_saved_with_its_plots_and_comes_last(tmp_path: Path) -> None:
    written = save_page(Workspace(tmp_path), "study", Page("t", "l", [Section("s", "S", [curves(), dots()])]))
    assert written == ["reports/study.html", *(f"reports/study/{c}.{s}" for c in "cd" for s in ("png", "csv"))]
    assert all((tmp_path / file).stat().st_size for file in written)


def test_a_plot_that_a_later_page_lacks_goes_and_what_is_no_plot_stays(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    save_page(workspace, "study", Page("t", "l", [Section("s", "S", [curves(), dots()])]))
    (tmp_path / "reports/study/results.csv").write_text("kept")
    save_page(workspace, "study", Page("t", "l", [Section("s", "S", [dots()])]))
    assert workspace.files("reports", "study") == ["d.csv", "d.png", "results.csv"]


def linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    dark, light = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = to_xyz @ np.clip(rgb, 0, 1) / np.array([0.9505, 1, 1.089])
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_can_be_told_apart_and_read(theme: Theme) -> None:
    assert min(contrast(c, theme.card) for c in theme.series) >= 3
    for text in (theme.text, theme.muted, theme.accent):
        assert min(contrast(text, theme.card), contrast(text, theme.paper)) >= 4.5
    assert contrast(theme.text, theme.warned) >= 4.5
    for vision in VISIONS.values():
        seen = [lab(vision @ linear(c)) for c in theme.series]
        nearest = min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])
        assert nearest >= 15
