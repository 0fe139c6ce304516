"""The section on decays: each over its half-life, against the static profile, by similarity and by encoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dynprof.decay import PROFILE_KINDS
from dynprof.duration import format_duration
from dynprof.evaluation.results import WHOLE
from dynprof.reporting.blocks import Block, Prose, Section
from dynprof.reporting.chart import Axis, Chart, Curve, Curves, Dots, Level, Panels, Points
from dynprof.reporting.results import LEARNED, Results, Row, best, heading

__all__ = ["decays_section", "half_life_panels"]

_KINDS = tuple(k for k in PROFILE_KINDS if k != "static")
_COMPARED = (*_KINDS, LEARNED)


def decays_section(results: Results) -> Section:
    """Everything that varies in a profile, one thing at a time."""
    rows = [r for r in results.rows(slice_value=WHOLE) if r.is_decay and r.value is not None]
    if not rows:
        return Section("decays", "Dynamic against static", [Prose("No decayed profile was tested.")])
    lead = best(rows, results.decided)
    alike = [r for r in rows if (r.encoder, r.reading) == (lead.encoder, lead.reading)]
    compared_alike = _as_compared(rows, alike, results)
    blocks: list[Block] = [_against_static(compared_alike, results)]
    if len({r.half_life_s for r in compared_alike if r.kind in _KINDS}) > 1:
        blocks.append(_difference_panels([r for r in compared_alike if r.kind in _KINDS], heading(results.metric)))
    six = [r for r in alike if r.kind in _KINDS]
    if len({r.half_life_s for r in six}) > 1:
        blocks.append(half_life_panels(six, _static_of(lead, results), heading(results.metric), _of(lead)))
    for what, title in (("reading", "similarity"), ("encoder", "encoder")):
        if compared := _varied(what, title, lead, rows, results):
            blocks.append(compared)
    return Section("decays", "Dynamic against static", blocks)


def _as_compared(rows: Sequence[Row], alike: Sequence[Row], results: Results) -> Sequence[Row]:
    """Those that differ from the reference in the decay alone, where there are such: else its similarity counts too."""
    reference = next((r for r in results.rows(slice_value=WHOLE) if r.method == rows[0].reference), None)
    if reference is None:
        return alike
    return [r for r in rows if (r.encoder, r.reading) == (reference.encoder, reference.reading)] or alike


def _of(row: Row) -> str:
    """Which profiles are meant."""
    parts = [p for p in (row.encoder and f"encoder {row.encoder}", row.reading and f"similarity {row.reading}") if p]
    return ", ".join(parts) or "all profiles"


def _static_of(lead: Row, results: Results) -> Row | None:
    """The static profile of the same encoder under the same similarity, else the reference."""
    rows = [r for r in results.rows(slice_value=WHOLE) if r.kind == "static" and r.value is not None]
    same = [r for r in rows if (r.encoder, r.reading) == (lead.encoder, lead.reading)]
    return next(iter(same or [r for r in rows if r.method == lead.reference] or rows), None)


def _against_static(alike: Sequence[Row], results: Results) -> Dots:
    """For each kind its half-life that the validation window chose, less the reference on the same events."""
    chosen = [
        best([r for r in alike if r.kind == k], results.decided) for k in _COMPARED if any(r.kind == k for r in alike)
    ]
    chosen.sort(key=lambda r: -(r.difference if r.difference is not None else float("-inf")))
    points = Points(
        "less the static profile",
        [r.difference for r in chosen],
        [r.difference_low for r in chosen],
        [r.difference_high for r in chosen],
    )
    above = [r for r in chosen if r.difference_low is not None and r.difference_low > 0]
    known = [r for r in chosen if r.difference_low is not None]
    said = f"{len(above)} of {len(known)} decays have an interval above zero." if known else "There are no intervals."
    at = f"each decay at the half-life {results.picked_by}"
    summary = f"Paired difference on the same test events; {_of(chosen[0])}; {at}. {said}"
    name = heading(results.metric)
    title = f"{name}: dynamic less {chosen[0].reference or 'static'}"
    axis = Axis(f"difference of {name}", form="+.4f")
    return Dots("dynamic-static", title, summary, axis, [r.method for r in chosen], [points], zero=True)


def half_life_panels(rows: Sequence[Row], static: Row | None, metric: str, of: str) -> Panels:
    """Sensitivity: a panel a kind, the other kinds in grey, the static profile dashed; one scale for all.

    Args:
        rows: Decayed profiles that differ in kind and half-life only.
        static: To compare with.
        metric: For axes.
        of: Which profiles they are.
    """
    by_kind: dict[str, list[Row]] = {
        k: sorted((r for r in rows if r.kind == k), key=lambda r: r.half_life_s or 0.0) for k in _KINDS
    }
    by_kind = {k: found for k, found in by_kind.items() if found}
    lengths = sorted({r.half_life_s for r in rows if r.half_life_s})
    x = Axis("half-life", log=True, ticks=[(h, format_duration(h)) for h in lengths])
    top = max(r.high if r.high is not None else r.value or 0.0 for r in [*rows, *([static] if static else [])])
    y = Axis(metric, limits=(0.0, top * 1.05 or 1.0))
    levels = (
        [] if static is None or static.value is None else [Level(static.method, static.value, static.low, static.high)]
    )
    charts: list[Chart] = []
    for number, (kind, mine) in enumerate(by_kind.items()):
        others = [_curve(k, found, None) for k, found in by_kind.items() if k != kind]
        curves = [*others, _curve(kind, mine, number)]
        charts.append(Curves(f"half-life-{number}", kind.replace("_", " "), "", x, y, curves, levels))
    return Panels("half-life", f"{metric} over the half-life", _sensitivity(by_kind, of, static), charts)


def _difference_panels(rows: Sequence[Row], metric: str) -> Panels:
    """Sensitivity of what the decay is worth: paired, so the bands are free of how users differ among themselves."""
    by_kind: dict[str, list[Row]] = {
        k: sorted((r for r in rows if r.kind == k), key=lambda r: r.half_life_s or 0.0) for k in _KINDS
    }
    lengths = sorted({r.half_life_s for r in rows if r.half_life_s})
    x = Axis("half-life", log=True, ticks=[(h, format_duration(h)) for h in lengths])
    ends = [v for r in rows for v in (r.difference, r.difference_low, r.difference_high, 0.0) if v is not None]
    room = 0.05 * (max(ends) - min(ends)) or 0.01
    y = Axis(f"difference of {metric}", form="+.4f", limits=(min(ends) - room, max(ends) + room))
    charts: list[Chart] = []
    for number, (kind, mine) in enumerate((k, found) for k, found in by_kind.items() if found):
        bounded = any(r.difference_low is not None for r in mine)
        curve = Curve(
            kind.replace("_", " "),
            [r.half_life_s or 0.0 for r in mine],
            [r.difference for r in mine],
            [r.difference_low for r in mine] if bounded else [],
            [r.difference_high for r in mine] if bounded else [],
            number,
        )
        charts.append(
            Curves(f"worth-{number}", kind.replace("_", " "), "", x, y, [curve], [Level("no difference", 0.0)])
        )
    above = [r for r in rows if r.difference_low is not None and r.difference_low > 0]
    below = [r for r in rows if r.difference_high is not None and r.difference_high < 0]
    said = f"Of {len(rows)} decays {len(above)} have a paired interval above zero, {len(below)} below; dashed: zero."
    title = f"{metric} less {rows[0].reference or 'static'}, over the half-life"
    return Panels("half-life-difference", title, f"{said} Bands are not corrected for how many there are.", charts)


def _curve(kind: str, rows: Sequence[Row], colour: int | None) -> Curve:
    bounded = any(r.low is not None for r in rows)
    return Curve(
        kind.replace("_", " "),
        [r.half_life_s or 0.0 for r in rows],
        [r.value for r in rows],
        [r.low for r in rows] if bounded else [],
        [r.high for r in rows] if bounded else [],
        colour,
    )


def _sensitivity(by_kind: Mapping[str, Sequence[Row]], of: str, static: Row | None) -> str:
    parts = []
    for kind, rows in by_kind.items():
        top, bottom = (f(rows, key=lambda r: r.value or 0.0) for f in (max, min))
        where = format_duration(top.half_life_s) if top.half_life_s else "?"
        parts.append(f"{kind.replace('_', ' ')} best at {where} ({bottom.value:.4f} to {top.value:.4f})")
    dashed = f" The dashed line is {static.method}." if static else ""
    return f"For {of}: {'; '.join(parts)}. Bands are 95 % intervals, grey the other decays.{dashed}"


def _varied(what: str, title: str, lead: Row, rows: Sequence[Row], results: Results) -> Dots | None:
    """Readings (similarities) or encoders beside each other, the rest as in the leading profile; static too."""
    kept = "encoder" if what == "reading" else "reading"
    static = [r for r in results.rows(slice_value=WHOLE) if r.kind == "static" and r.value is not None]
    pool = [r for r in [*rows, *static] if getattr(r, kept) == getattr(lead, kept) and getattr(r, what)]
    options = list(dict.fromkeys(getattr(r, what) for r in pool))
    if len(options) < 2:
        return None
    half_lives = {
        k: best([r for r in rows if r.kind == k], results.decided).half_life_s for k in {r.kind for r in rows}
    }
    labels = [k for k in (*PROFILE_KINDS, LEARNED) if any(r.kind == k for r in pool)]

    def found(option: str) -> list[Row | None]:
        chosen = [r for r in pool if getattr(r, what) == option and r.half_life_s == half_lives.get(r.kind)]
        by_kind = {r.kind: r for r in chosen}
        return [by_kind.get(k) for k in labels]

    points = [_points(option, found(option), number) for number, option in enumerate(options)]
    name = heading(results.metric)
    said = _leading(options, found)
    fixed = _of(lead) if what == "encoder" else "one encoder"
    summary = f"Each decay at one half-life, {results.picked_by}; {fixed}. {said}"
    shown = [_label(k, half_lives.get(k)) for k in labels]
    return Dots(f"by-{title}", f"{name} by {title}", summary, Axis(name), shown, points)


def _label(kind: str, half_life_s: float | None) -> str:
    return kind.replace("_", " ") + (f" {format_duration(half_life_s)}" if half_life_s else "")


def _points(name: str, rows: Sequence[Row | None], colour: int) -> Points:
    return Points(
        name,
        [r.value if r else None for r in rows],
        [r.low if r else None for r in rows],
        [r.high if r else None for r in rows],
        colour,
    )


def _leading(options: Sequence[str], found: Callable[[str], list[Row | None]]) -> str:
    """How often each option has the highest number."""
    columns = {option: found(option) for option in options}
    wins = dict.fromkeys(options, 0)
    for i in range(len(columns[options[0]])):
        values: dict[str, float] = {}
        for option, rows in columns.items():
            row = rows[i]
            if row is not None and row.value is not None:
                values[option] = row.value
        if len(values) > 1:
            wins[max(values, key=lambda o: values[o])] += 1
    return "Highest: " + ", ".join(f"{o} {n} times" for o, n in wins.items()) + "."
