"""The sections of an evaluation that compare methods: all of them, window by window, and beyond accuracy."""

from __future__ import annotations

from collections.abc import Sequence

from dynprof.evaluation.results import WHOLE
from dynprof.reporting.blocks import Block, Prose, Section
from dynprof.reporting.chart import Axis, Chart, Dots, Panels, Points
from dynprof.reporting.results import VALIDATION, Results, Row, heading
from dynprof.reporting.table import Interval, Table

__all__ = ["beyond_section", "headline", "methods_section", "windows_section"]

_RANKS = ("hit_rate", "recall", "ndcg", "mrr")
_LEADING = 12
NOTHING = Prose("Nothing was measured here: the table of this report has no such rows.")


def headline(results: Results) -> str:
    """The answer in a few sentences: the best method, the best profile, and how far it is from the static one."""
    cast = [r for r in results.cast() if r.value is not None]
    if not cast:
        return "No event could be tested: there are no numbers."
    name = heading(results.metric)
    said = [f"{cast[0].method} has the highest {name}: {_said(cast[0])}."]
    decays = [r for r in cast if r.is_decay]
    if decays:
        from_static = decays[0]
        said.append(f"The best decayed profile, {from_static.method}, has {_said(from_static)}{_against(from_static)}.")
    return " ".join(said)


def _said(row: Row) -> str:
    if row.low is None or row.high is None:
        return f"{row.value:.4f}, without an interval"
    return f"{row.value:.4f} (95 % interval {row.low:.4f} to {row.high:.4f})"


def _against(row: Row) -> str:
    if row.difference is None or row.reference is None:
        return ""
    said = f", {row.difference:+.4f} against {row.reference}"
    if row.difference_low is None or row.difference_high is None:
        return said
    verdict = _verdict(row.difference_low, row.difference_high)
    return f"{said} ({row.difference_low:+.4f} to {row.difference_high:+.4f}: {verdict})"


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return "above it"
    return "below it" if high < 0 else "not to be told from it"


def methods_section(results: Results, always: Sequence[str] = ()) -> Section:
    """The leading methods as a plot, all of them as a table."""
    cast = results.cast(always)
    if not cast:
        return Section("methods", "Methods", [NOTHING])
    title = (
        f"{heading(results.metric)} of {'each method' if len(cast) > 1 else 'the one method'}, window {results.window}"
    )
    kept = (
        f"Of each decay the half-life and similarity {results.picked_by}; the table has all." if _many(results) else ""
    )
    summary = (
        f"{headline(results)} {kept} Bars are 95 % intervals over users; where there is no bar there is no interval."
    )
    return Section("methods", "Methods", [_by_family("methods-plot", title, summary, cast, results), _all(results)])


def _many(results: Results) -> bool:
    return len(results.rows(slice_value=WHOLE)) > len(results.cast())


def _by_family(name: str, title: str, summary: str, rows: Sequence[Row], results: Results) -> Dots:
    families = list(dict.fromkeys(r.family for r in rows))
    points = [_points(family, rows, families.index(family), family) for family in families]
    axis = Axis(heading(results.metric))
    return Dots(name, title, summary, axis, [r.method for r in rows], points, zero=False, groups=True)


def _points(name: str, rows: Sequence[Row], colour: int, family: str | None = None) -> Points:
    """The rows of a family, or of all; nothing in the places of the others."""
    mine = [family in (None, r.family) for r in rows]
    return Points(
        name,
        [r.value if m else None for r, m in zip(rows, mine, strict=True)],
        [r.low if m else None for r, m in zip(rows, mine, strict=True)],
        [r.high if m else None for r, m in zip(rows, mine, strict=True)],
        colour,
    )


def _all(results: Results) -> Table:
    """Every method with the headline's metric and those that the table has beside it."""
    rows = sorted(results.rows(slice_value=WHOLE), key=lambda r: -(r.value if r.value is not None else -1.0))
    others = [m for m in ("hit_rate@10", "mrr", "coverage@10") if m in results.metrics and m != results.metric]
    beside = {m: {r.method: r for r in results.rows(metric=m, slice_value=WHOLE)} for m in others}
    references = sorted({r.reference for r in rows if r.reference})
    against = "less its reference" if len(references) != 1 else f"less {references[0]}"
    cells = [
        [
            r.method,
            r.family,
            Interval(r.value, r.low, r.high),
            *(_interval(beside[m].get(r.method)) for m in others),
            Interval(r.difference, r.difference_low, r.difference_high),
            r.relative,
            r.p_holm,
            r.effect,
        ]
        for r in rows
    ]
    name = heading(results.metric)
    headings = ["method", "family", name, *map(heading, others), f"{name} {against}", "relative", "p (Holm)", "effect"]
    forms = ["", "", ".4f", *[".4f"] * len(others), "+.4f", "+.1%", ".3f", "+.2f"]
    caption = f"All methods, window {results.window}, best first; in brackets 95 % intervals over users"
    return Table(caption, headings, cells, forms)


def _interval(row: Row | None) -> Interval | None:
    return None if row is None else Interval(row.value, row.low, row.high)


def windows_section(results: Results, always: Sequence[str] = ()) -> Section:
    """The same methods in every window: does what holds once hold again?"""
    windows = [w for w in results.windows if w != results.window]
    cast = results.cast(always)[:_LEADING]
    if not windows or not cast:
        return Section("windows", "Windows", [Prose("There is one window only.") if cast else NOTHING])
    points = []
    for number, window in enumerate(windows):
        found = {r.method: r for r in results.rows(window=window, slice_value=WHOLE)}
        rows = [found.get(r.method) for r in cast]
        points.append(
            Points(
                window,
                [r.value if r else None for r in rows],
                [r.low if r else None for r in rows],
                [r.high if r else None for r in rows],
                number,
            )
        )
    tests = [w for w in windows if w != VALIDATION]
    said = f"Order of the methods by the window {results.window}. " + _order(results, tests)
    title = f"{heading(results.metric)} window by window"
    labels = [r.method for r in cast]
    return Section(
        "windows", "Windows", [Dots("windows-plot", title, said, Axis(heading(results.metric)), labels, points)]
    )


def _order(results: Results, windows: Sequence[str]) -> str:
    first = []
    for window in windows:
        rows = [r for r in results.rows(window=window, slice_value=WHOLE) if r.value is not None]
        if rows:
            first.append((window, max(rows, key=lambda r: r.value or 0.0).method))
    if not first:
        return ""
    if len({m for _, m in first}) == 1:
        return f"{first[0][1]} leads in every test window."
    return "Leading: " + ", ".join(f"{m} in {w}" for w, m in first) + "."


def beyond_section(results: Results, always: Sequence[str] = ()) -> Section:
    """Coverage, Gini, popularity, novelty, diversity, serendipity, calibration: what accuracy does not say."""
    metrics = [m for m in results.metrics if m.partition("@")[0] not in _RANKS]
    at = [m for m in metrics if m.partition("@")[2] in ("", "10")] or metrics
    cast = results.cast(always)[:_LEADING]
    charts: list[Chart] = []
    for metric in at:
        found = {r.method: r for r in results.rows(metric=metric, slice_value=WHOLE)}
        rows = [found[r.method] for r in cast if r.method in found and found[r.method].value is not None]
        if rows:
            points = _points(heading(metric), rows, 0)
            axis = Axis(heading(metric), form=".4g")
            charts.append(Dots(f"beyond-{len(charts)}", heading(metric), "", axis, [r.method for r in rows], [points]))
    if not charts:
        return Section("beyond", "Beyond accuracy", [NOTHING])
    said = (
        f"The {len(cast)} leading methods in the order of {heading(results.metric)}. Coverage: share of the catalogue "
        "that any list has; Gini: 0 where all items are listed equally often; novelty and popularity: how common the "
        "listed items were; diversity: how unlike they are; calibration: distance of their languages from the user's, "
        "0 is best."
    )
    blocks: list[Block] = [Panels("beyond-plot", "What the lists are like", said, charts)]
    return Section("beyond", "Beyond accuracy", blocks)
