"""How users and items evolved, as plots: curves over the number of interactions, maturity, norms, staleness, cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynprof.reporting.blocks import Block, Prose, Section
from dynprof.reporting.chart import Axis, Chart, Curve, Curves, Dots, Level, Panels, Points

__all__ = ["Rows", "batch_section", "evolution_section", "maturity_section"]

Rows = Sequence[Mapping[str, Any]]
"""Of one table of the report; the columns stand in docs/monitoring.md."""

_REAL_TIME = "interaction"
_ALPHA = 0.1
_CURVES = (
    ("step", "What each interaction taught", "1 - cosine to the embedding before"),
    ("away", "How far from the last embedding", "1 - cosine to the last"),
    ("norm", "Length of the embedding", "norm"),
)


def evolution_section(curve: Rows) -> Section:
    """Step, distance and norm over the number of interactions, in real time."""
    blocks: list[Block] = [_over_interactions(curve, *shown) for shown in _CURVES if curve]
    return Section("evolution", "Evolution with every interaction", blocks or [Prose("No interaction was replayed.")])


def maturity_section(maturity: Rows) -> Section:
    """Interactions until the embedding stays near its last, over how near."""
    if not maturity:
        return Section("maturity", "Interactions to maturity", [Prose("Nobody has enough interactions.")])
    charts: list[Chart] = []
    for kind, decay in _kinds(maturity):
        mine = [r for r in maturity if (r["kind"], r["decay"]) == (kind, decay)]
        curves = [
            _curve(schedule, rows, "alpha", "median", number, bounds=("p25", "p75"))
            for number, (schedule, rows) in enumerate(_by_schedule(mine))
        ]
        x, y = Axis("alpha, 1 - cosine that counts as mature", log=True, form="g"), Axis("interactions", form=".0f")
        charts.append(Curves(f"maturity-{len(charts)}", f"{kind}s, {decay}", "", x, y, curves))
    said = " ".join(_told(maturity, kind, decay) for kind, decay in _kinds(maturity))
    title = "Interactions to maturity, by how often profiles are updated"
    return Section("maturity", "Interactions to maturity", [Panels("maturity-plot", title, said, charts)])


def batch_section(norms: Rows, staleness: Rows, cost: Rows) -> Section:
    """What is served when updates come in batches."""
    blocks: list[Block] = []
    if norms:
        blocks.append(_ratios(norms))
    if staleness:
        blocks.append(_staleness(staleness))
    if cost:
        blocks.append(_cost(cost))
    return Section("batch", "Batch against real time", blocks or [Prose("Nothing was served.")])


def _over_interactions(curve: Rows, name: str, title: str, axis: str) -> Panels:
    charts: list[Chart] = []
    for kind in dict.fromkeys(r["kind"] for r in curve):
        decays = dict.fromkeys(r["decay"] for r in curve if r["kind"] == kind)
        curves = []
        for number, decay in enumerate(decays):
            mine = [r for r in curve if (r["kind"], r["decay"]) == (kind, decay)]
            known = [r for r in mine if r[f"{name}_p50"] is not None]
            columns = (f"{name}_p25", f"{name}_p75")
            curves.append(_curve(decay, known, "n_from", f"{name}_p50", number, bounds=columns))
        x = Axis("number of interactions", log=True, form="g")
        charts.append(Curves(f"{name}-{len(charts)}", f"{kind}s", "", x, Axis(axis), curves))
    said = "Median over entities, and the middle half of them, in groups of half an octave of interactions; real time."
    return Panels(f"{name}-plot", title, said, charts)


def _ratios(norms: Rows) -> Panels:
    charts: list[Chart] = []
    for kind, decay in _kinds(norms):
        mine = [r for r in norms if (r["kind"], r["decay"]) == (kind, decay) and r["schedule"] != _REAL_TIME]
        curves = [
            _curve(schedule, [r for r in rows if r["over_real_time"] is not None], "quantile", "over_real_time", number)
            for number, (schedule, rows) in enumerate(_by_schedule(mine))
        ]
        x, y = Axis("quantile", form="g"), Axis("batch norm over real-time norm", form=".3f")
        charts.append(Curves(f"norms-{len(charts)}", f"{kind}s, {decay}", "", x, y, curves, [Level("alike", 1.0)]))
    ratios = [r["over_real_time"] for r in norms if r["over_real_time"] is not None]
    said = f"Quantiles of the served norm over those of real time: {min(ratios):.2f} to {max(ratios):.2f}."
    return Panels("norms-plot", "Norms of batch updates over those of real time", said, charts)


def _staleness(rows: Rows) -> Dots:
    schedules = list(dict.fromkeys(r["schedule"] for r in rows))
    points = []
    for number, (kind, decay) in enumerate(_kinds(rows)):
        mean = {r["schedule"]: r["mean"] for r in rows if (r["kind"], r["decay"]) == (kind, decay)}
        points.append(Points(f"{kind}s, {decay}", [mean.get(s) for s in schedules], colour=number))
    said = (
        "Mean of 1 - cosine between what was served just before an interaction and what a perfect system would serve."
    )
    return Dots(
        "staleness-plot", "Staleness", said, Axis("1 - cosine, served and perfect"), schedules, points, zero=True
    )


def _cost(rows: Rows) -> Dots:
    schedules = [s for s in dict.fromkeys(r["schedule"] for r in rows) if s != _REAL_TIME]
    points = []
    for number, metric in enumerate(dict.fromkeys(r["metric"] for r in rows)):
        mine = {r["schedule"]: r for r in rows if r["metric"] == metric}
        columns = ("minus_real_time", "minus_low", "minus_high")
        value, low, high = ([mine[s][column] for s in schedules] for column in columns)
        bounds = (low, high) if None not in [*low, *high] else ((), ())
        points.append(Points(metric.replace("_", " "), value, bounds[0], bounds[1], number))
    tests = next(iter(rows))["n_tests"]
    said = f"Paired difference to real time on the same {tests} test events; bars are 95 % intervals over users."
    return Dots(
        "cost-plot", "What batch updates cost", said, Axis("less real time", form="+.4f"), schedules, points, zero=True
    )


def _told(maturity: Rows, kind: str, decay: str) -> str:
    """`users, static: 5 (interaction), 6 (hour) at alpha 0.1.`"""
    mine = [r for r in maturity if (r["kind"], r["decay"]) == (kind, decay)]
    alpha = min((r["alpha"] for r in mine), key=lambda a: abs(a - _ALPHA))
    found = [f"{r['median']:g} ({r['schedule']})" for r in mine if r["alpha"] == alpha]
    return f"{kind}s, {decay}: median {', '.join(found)} at alpha {alpha:g}."


def _kinds(rows: Rows) -> list[tuple[str, str]]:
    """Kind and decay, in the order of the table."""
    return list(dict.fromkeys((r["kind"], r["decay"]) for r in rows))


def _by_schedule(rows: Rows) -> Iterator[tuple[str, Rows]]:
    for schedule in dict.fromkeys(r["schedule"] for r in rows):
        yield schedule, [r for r in rows if r["schedule"] == schedule]


def _curve(name: str, rows: Rows, x: str, y: str, number: int, *, bounds: tuple[str, str] | None = None) -> Curve:
    column = {c: [r[c] for r in rows] for c in (x, y, *(bounds or ()))}
    low, high = (column[b] for b in bounds) if bounds else ((), ())
    return Curve(name, column[x], column[y], low, high, number)
