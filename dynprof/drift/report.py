"""A monitor's answer as JSON types and as Markdown; every page and plot reads these and the tables beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from dynprof.drift.alarms import FALSE_ALARMS, Verdict
from dynprof.drift.engagement import Lift

__all__ = ["MonitorReport", "render_markdown", "report_document"]

_SHOWN_ALPHAS = (0.05, 0.1, 0.2)
_ROWS_SHOWN = 20


@dataclass(frozen=True)
class MonitorReport:
    """All that was found.

    Attributes:
        name: Of the report.
        parameters: Of the question.
        facts: What it rests on: counts and times.
        tables: By name; an absent subject has a table without rows.
        population: Verdicts; empty where there was nothing to compare with.
        p: Of the tests behind two of them.
        engagement: None where the log does not say what was shown.
        notes: What is absent and why, and what would be misread.
    """

    name: str
    parameters: Mapping[str, Any]
    facts: Mapping[str, Any]
    tables: Mapping[str, pa.Table]
    population: Sequence[Verdict] = ()
    p: Mapping[str, float] = field(default_factory=dict)
    engagement: Lift | None = None
    notes: Sequence[str] = ()

    @property
    def alarms(self) -> list[str]:
        """Measures above their limit."""
        return [v.measure for v in self.population if v.alarm]


def report_document(report: MonitorReport) -> dict[str, Any]:
    """The report as JSON types; tables with many rows are named only."""
    document = {
        "name": report.name,
        "parameters": dict(report.parameters),
        "facts": dict(report.facts),
        "alarms": report.alarms,
        "population": [asdict(v) for v in report.population],
        "p": dict(report.p),
        "engagement": None if report.engagement is None else asdict(report.engagement),
        "maturity": report.tables["maturity"].to_pylist(),
        "norms": report.tables["norms"].to_pylist(),
        "staleness": report.tables["staleness"].to_pylist(),
        "cost": report.tables["cost"].to_pylist(),
        "spearman": report.tables["spearman"].to_pylist(),
        "popularity": report.tables["popularity"].to_pylist(),
        "sudden": {"windows": len(report.tables["sudden"]), "posts": len(report.tables["sudden_posts"])},
        "tables": {name: len(table) for name, table in report.tables.items()},
        "notes": list(report.notes),
    }
    return {name: _finite(value) for name, value in document.items()}


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity: they become null."""
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def render_markdown(document: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> str:
    """The report for people."""
    facts = document["facts"]
    lines = [
        f"# Monitor of {facts['snapshot']}",
        "",
        f"{facts['n_events']} events of {facts['n_users']} users before {facts['as_of']}; "
        f"{facts['n_sampled_users']} users and {facts['n_sampled_items']} items replayed.",
        "",
        *_population(document),
        *_section("Interactions to maturity", _maturity(document["maturity"], document["parameters"]["alphas"])),
        *_section("Norms, and over those of real time", _norms(document["norms"])),
        *_section("Staleness (1 - cosine, served and perfect)", _rounded(document["staleness"])),
        *_section("What it costs", _rounded(document["cost"])),
        *_section("Norm and number of interactions", _rounded(document["spearman"])),
        *_section("Popularity", _rounded(document["popularity"])),
        *_section("Engagement", [] if document["engagement"] is None else _rounded([document["engagement"]])),
        *_section("Sudden windows, the most surprising first", _sudden(tables["sudden"])),
    ]
    return "\n".join([*lines, "## Notes", "", *(f"- {n}" for n in document["notes"])]) + "\n"


def _population(document: Mapping[str, Any]) -> list[str]:
    if not document["population"]:
        return []
    said = f"ALARM: {', '.join(document['alarms'])}." if document["alarms"] else "No alarm."
    against = document["parameters"]["span"]["against"]
    text = (
        f"{said} Against {against}; limits from A/A replay, at most {FALSE_ALARMS:.0%} false alarms for all together. "
        + ", ".join(f"p of {name} {value:.4f}" for name, value in document["p"].items())
    )
    return _section("Population drift", _rounded(document["population"]), text)


def _section(title: str, rows: Sequence[Mapping[str, Any]], text: str = "") -> list[str]:
    body = _table(rows) if rows else ["Nothing: see the notes."]
    return [f"## {title}", "", *([text, ""] if text else []), *body, ""]


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(rows[0])
    cells = [names, ["---"] * len(names), *([_cell(row.get(n)) for n in names] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in cells]


def _cell(value: object) -> str:
    return "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")


def _rounded(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows]


def _maturity(rows: Sequence[Mapping[str, Any]], alphas: Sequence[float]) -> list[dict[str, Any]]:
    shown = [a for a in _SHOWN_ALPHAS if a in alphas] or list(alphas)
    return _rounded([row for row in rows if row["alpha"] in shown])


def _norms(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One line a kind, decay and schedule."""
    lines: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in rows:
        key = (row["kind"], row["decay"], row["schedule"])
        ratio = "" if row["over_real_time"] is None else f" ({row['over_real_time']:.2f})"
        line = lines.setdefault(key, dict(zip(("kind", "decay", "schedule"), key, strict=True)))
        line[f"p{row['quantile'] * 100:.0f}"] = f"{row['norm']:.3f}{ratio}"
    return list(lines.values())


def _sudden(table: pa.Table) -> list[dict[str, Any]]:
    first = table.sort_by([("z", "descending")]).slice(0, _ROWS_SHOWN).to_pylist()
    times = [{side: f"{row[side]:%Y-%m-%d %H:%M}" for side in ("start", "stop")} for row in first]
    return _rounded([{**row, **time} for row, time in zip(first, times, strict=True)])
