"""A page as one HTML file that asks nobody for anything: plotly.js, style and numbers stand in it.

The policy in its head forbids the browser every request, so that nothing can slip in unseen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape
from importlib.resources import files

from dynprof.reporting.blocks import Block, Facts, Notes, Page, Prose, Section, Warned
from dynprof.reporting.chart import Drawn, Panels
from dynprof.reporting.interactive import figure
from dynprof.reporting.palette import DARK, LIGHT, css_variables
from dynprof.reporting.table import Cell, Interval, Table, chart_table, show_cell

__all__ = ["render_page"]

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; form-action 'none'"
)
_LONG_TABLE = 25


def render_page(page: Page) -> str:
    """The whole document. 5 MB of it are plotly.js; without plots it is left out."""
    return "\n".join(_document(page)) + "\n"


@cache
def _asset(name: str) -> str:
    return files("dynprof.reporting").joinpath("assets", name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """The library's own file; `</script` would end the element that it stands in."""
    source = files("plotly").joinpath("package_data", "plotly.min.js").read_text(encoding="utf-8")
    return source.replace("</script", "<\\/script")


def _document(page: Page) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<link rel="icon" href="data:,">'  # else a browser asks for one
    yield f"<title>{escape(page.title)}</title>\n<style>\n{_themes()}\n{_asset('page.css')}</style>"
    if page.charts:
        yield f"<script>{_plotly()}</script>"
    yield '</head>\n<body>\n<a class="skip" href="#main">Skip to the report</a>'
    button = '<button id="theme" type="button" hidden></button>'
    yield f'<header>\n<div class="top"><h1>{escape(page.title)}</h1>{button}</div>'
    yield f'<p class="lead">{escape(page.lead)}</p>'
    yield "<noscript><p>Plots need JavaScript; the table below each of them does not.</p></noscript>"
    links = "".join(f'<li><a href="#{escape(s.name)}">{escape(s.title)}</a></li>' for s in page.sections)
    yield f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n</header>\n<main id="main">'
    for section in page.sections:
        yield from _section(section)
    yield f"</main>\n<footer><p>{escape(page.footer)}</p></footer>"
    yield f"<script>\n{_asset('page.js')}</script>\n</body>\n</html>"


def _themes() -> str:
    light, dark = css_variables(LIGHT), css_variables(DARK)
    return (
        f":root {{ {light} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ {dark} }} }}\n"
        f":root[data-theme=dark] {{ {dark} color-scheme: dark; }}\n:root[data-theme=light] {{ color-scheme: light; }}"
    )


def _section(section: Section) -> Iterator[str]:
    name = escape(section.name)
    yield f'<section id="{name}" aria-labelledby="{name}-title">\n<h2 id="{name}-title">{escape(section.title)}</h2>'
    for block in section.blocks:
        yield _block(block)
    yield "</section>"


def _block(block: Block) -> str:
    match block:
        case Prose(text):
            return f"<p>{escape(text)}</p>"
        case Warned(text):
            return f'<p class="warned" role="note">{escape(text)}</p>'
        case Notes(items):
            return f'<ul class="notes">{"".join(f"<li>{escape(i)}</li>" for i in items)}</ul>'
        case Facts(pairs):
            cells = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in pairs)
            return f"<dl>{cells}</dl>"
        case Table():
            return _table(block)
    return _figure(block)


def _figure(chart: Drawn) -> str:
    """The plot, what it shows in a sentence, and its numbers: three ways to the same thing."""
    name = escape(chart.name)
    lines = [
        f'<figure id="{name}" role="group" aria-labelledby="{name}-title" aria-describedby="{name}-said">',
        f'<figcaption><h3 id="{name}-title">{escape(chart.title)}</h3><p id="{name}-said">{escape(chart.summary)}</p>',
        "</figcaption>",
    ]
    if isinstance(chart, Panels):
        panels = [_panel(chart, i) for i in range(len(chart.charts))]
        lines += ['<div class="panels">', *panels, "</div>"]
    else:
        lines.append(_plot(name, chart.title, json_figure=figure(chart)))
    lines += [
        f"<details><summary>The numbers of this plot</summary>{_table(chart_table(chart))}</details>",
        "</figure>",
    ]
    return "\n".join(lines)


def _panel(panels: Panels, number: int) -> str:
    chart = panels.charts[number]
    drawn = _plot(escape(f"{panels.name}-{number}"), chart.title, json_figure=figure(chart), is_panel=True)
    return f"<div><h4>{escape(chart.title)}</h4>{drawn}</div>"


def _plot(name: str, title: str, *, json_figure: dict[str, object], is_panel: bool = False) -> str:
    # In a script element only "<" can end it; JSON may write it otherwise.
    rendered = json.dumps(json_figure, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    panel = " data-panel" if is_panel else ""
    return (
        f'<script type="application/json" id="{name}-figure">{rendered}</script>\n'
        f'<div class="plot" data-figure="{name}-figure"{panel} role="img" aria-label="Plot: {escape(title)}. '
        'Its numbers are in the table below."></div>'
    )


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_text_class(table, i)}>{escape(h) or "name"}</th>' for i, h in enumerate(table.headings)
    )
    body = (
        "\n".join(_row(row, table) for row in table.rows)
        or f'<tr><td colspan="{len(table.headings)}">nothing</td></tr>'
    )
    shape = "scroll long" if len(table.rows) > _LONG_TABLE else "scroll"
    kind = ' class="sortable"' if len(table.rows) > 1 else ""
    return (
        f'<div class="{shape}" role="region" tabindex="0" aria-label="{escape(table.caption)}">\n<table{kind}>'
        f"<caption>{escape(table.caption)}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
        "</table></div>"
    )


def _text_class(table: Table, column: int) -> str:
    is_text = any(isinstance(row[column], str) for row in table.rows)
    return ' class="text"' if is_text else ""


def _row(row: Sequence[Cell], table: Table) -> str:
    cells = [_cell(cell, table.form(i), first=i == 0) for i, cell in enumerate(row)]
    return f"<tr>{''.join(cells)}</tr>"


def _cell(cell: Cell, form: str, *, first: bool) -> str:
    shown = escape(show_cell(cell, form))
    if first:
        return f'<th scope="row">{shown}</th>'
    if isinstance(cell, str):
        return f'<td class="text">{shown}</td>'
    value = cell.value if isinstance(cell, Interval) else cell
    return f"<td>{shown}</td>" if value is None else f'<td data-value="{value!r}">{shown}</td>'
