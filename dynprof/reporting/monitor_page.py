"""A report of the monitor as a page: from its tables and `report.json` to sections."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dynprof import __version__
from dynprof.errors import WorkspaceError
from dynprof.filesystems import open_input
from dynprof.reporting.asked import flat_pairs
from dynprof.reporting.blocks import Block, Facts, Notes, Page, Prose, Section, Warned
from dynprof.reporting.chart import Axis, Dots, Points
from dynprof.reporting.files import REPORTS, save_page
from dynprof.reporting.monitor_evolution import Rows, batch_section, evolution_section, maturity_section
from dynprof.reporting.table import Cell, Table
from dynprof.workspace import Workspace

__all__ = ["is_monitor", "monitor_page", "read_monitor", "write_monitor"]

_PREFIX, _DOCUMENT = "monitor-", "report.json"
_SHOWN = ("curve", "maturity", "norms", "staleness", "cost", "popularity", "population", "spearman", "sudden")
_MOST_SUDDEN = 50


def is_monitor(name: str) -> bool:
    """Whether a report of that name is a monitor's."""
    return name.startswith(_PREFIX)


def monitor_page(name: str, document: Mapping[str, Any], tables: Mapping[str, pa.Table]) -> Page:
    """The page of one report.

    Args:
        name: Of the report.
        document: `report.json`.
        tables: At least those of `_SHOWN`.
    """
    rows: dict[str, Rows] = {table: tables[table].to_pylist() for table in _SHOWN}
    sections = [
        _population(document, rows["population"]),
        maturity_section(rows["maturity"]),
        evolution_section(rows["curve"]),
        batch_section(rows["norms"], rows["staleness"], rows["cost"]),
        _popularity(document, rows["popularity"], rows["spearman"]),
        _sudden(rows["sudden"]),
        Section("asked", "What was asked", [Notes(document["notes"]), Facts(flat_pairs(document["parameters"]))]),
    ]
    footer = f"dynprof {__version__}. Numbers: {REPORTS}/{name}/. Made {document['created_at']}."
    return Page(f"Monitor of {document['facts']['snapshot']}", _lead(document), sections, footer)


def read_monitor(workspace: Workspace, name: str) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    """The document and the tables of a report.

    Raises:
        WorkspaceError: There is no such report, or it is not whole.
    """
    if not workspace.exists(REPORTS, name, _DOCUMENT):
        known = [f for f in workspace.folders(REPORTS) if is_monitor(f) and workspace.exists(REPORTS, f, _DOCUMENT)]
        raise WorkspaceError(
            f"{workspace.path(REPORTS, name)}: expected a finished report, found no {_DOCUMENT}; finished are "
            f"{', '.join(known) or 'none'}. Run `python -m jobs.monitor` first."
        )
    with open_input(workspace.filesystem, workspace.path(REPORTS, name, _DOCUMENT)) as source:
        document = json.loads(bytes(source.read()))
    return document, {table: workspace.read_parquet(REPORTS, name, f"{table}.parquet") for table in _SHOWN}


def write_monitor(workspace: Workspace, name: str) -> list[str]:
    """Read a report and write its page, with the plots as PNG and CSV.

    Returns:
        Paths below the workspace of what was written, the page's first.

    Raises:
        WorkspaceError: There is no such report, or a file cannot be written.
    """
    return save_page(workspace, name, monitor_page(name, *read_monitor(workspace, name)))


def _lead(document: Mapping[str, Any]) -> str:
    facts, alarms = document["facts"], document["alarms"]
    said = f"Alarm: {', '.join(alarms)}." if alarms else "No alarm."
    if not document["population"]:
        said = "Population drift was not measured."
    return (
        f"{said} {facts['n_events']:,} events of {facts['n_users']:,} users before {facts['as_of']}; "
        f"{facts['n_sampled_users']:,} users and {facts['n_sampled_items']:,} items replayed."
    )


def _population(document: Mapping[str, Any], rows: Rows) -> Section:
    title = "Population drift"
    if not rows:
        return Section("population", title, [Prose("There was nothing to compare with: see what was asked.")])
    blocks: list[Block] = []
    if document["alarms"]:
        blocks.append(Warned(f"Above its limit: {', '.join(document['alarms'])}."))
    unit = [max(r["replay_sd"], 1e-12) for r in rows]
    value, limit = (
        [(r[side] - r["replay_mean"]) / u for r, u in zip(rows, unit, strict=True)] for side in ("value", "limit")
    )
    said = (
        f"Against {document['facts']['against']}, {document['facts']['n_compared_users']} users. Zero is the mean of "
        "the A/A replays; a value to the right of its limit is an alarm."
    )
    points = [Points("value", value), Points("limit", limit, colour=1)]
    labels, axis = [r["measure"] for r in rows], Axis("standard deviations of the replays", form=".2f")
    blocks.append(Dots("population-plot", "Each measure, and its limit", said, axis, labels, points, zero=True))
    columns = ("measure", "value", "replay_mean", "replay_sd", "limit", "alarm")
    blocks.append(_table("Measures of population drift", rows, columns))
    if document["p"]:
        blocks.append(Facts([(f"p of {name}", f"{value:.4f}") for name, value in document["p"].items()]))
    return Section("population", title, blocks)


def _popularity(document: Mapping[str, Any], popularity: Rows, spearman: Rows) -> Section:
    blocks: list[Block] = []
    if popularity:
        groups = list(dict.fromkeys(r["group"] for r in popularity))
        points = []
        for number, metric in enumerate(dict.fromkeys(r["metric"] for r in popularity)):
            found = {r["group"]: r["arp"] for r in popularity if r["metric"] == metric}
            points.append(Points(metric, [found.get(g) for g in groups], colour=number))
        said = (
            f"Mean number of events of the items in lists of ten; the catalogue's is "
            f"{popularity[0]['catalogue_arp']:.2f}. Groups by number of events."
        )
        axis = Axis("mean events of a listed item", form=".2f")
        blocks.append(Dots("popularity-plot", "How popular the listed items are", said, axis, groups, points))
        columns = ("metric", "group", "n_users", "arp", "gini", "coverage", "new_share", "catalogue_new_share")
        blocks.append(_table("Lists of ten, by activity of the user", popularity, columns))
    if spearman:
        beside = ("kind", "decay", "schedule", "n_entities", "spearman", "p")
        blocks.append(_table("Rank correlation of norm and number of interactions", spearman, beside))
    if document["engagement"]:
        blocks.append(Facts([(k.replace("_", " "), _shown(v)) for k, v in document["engagement"].items()]))
    else:
        blocks.append(Prose("Engagement: the log does not say what was shown, so nothing is claimed."))
    return Section("popularity", "Popularity and engagement", blocks)


def _sudden(rows: Rows) -> Section:
    if not rows:
        return Section("sudden", "Sudden events", [Prose("No user and no topic turned suddenly.")])
    first = sorted(rows, key=lambda r: -r["z"])[:_MOST_SUDDEN]
    told = [{**r, "start": f"{r['start']:%Y-%m-%d %H:%M}"} for r in first]
    columns = ("kind", "id", "reason", "start", "n_events", "value", "z")
    said = f"{len(rows)} windows; the {len(first)} with the greatest z. The posts behind each are in sudden_posts.csv."
    return Section("sudden", "Sudden events", [Prose(said), _table("Sudden windows", told, columns)])


def _table(caption: str, rows: Rows, columns: Sequence[str]) -> Table:
    cells: list[list[Cell]] = [[_cell(row[c]) for c in columns] for row in rows]
    forms = [".4g" if any(isinstance(row[c], float) for row in rows) else "" for c in columns]
    return Table(caption, [c.replace("_", " ") for c in columns], cells, forms)


def _cell(value: Any) -> Cell:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return None if isinstance(value, float) and value != value else value


def _shown(value: Any) -> str:
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else f"{value:,}"
