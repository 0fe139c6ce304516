"""A monitor's report as a page: every section with its numbers, nothing interpreted, also where there is nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from dynprof.decay import Decay
from dynprof.drift.replayed import Replayed
from dynprof.drift.sections import evolution_tables, rows_table
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.storage import write_document
from dynprof.drift.tables import SUDDEN, stacked
from dynprof.drift.trail import Trail
from dynprof.errors import WorkspaceError
from dynprof.reporting import Dots, chart_table, render_page
from dynprof.reporting.monitor_page import monitor_page, write_monitor
from dynprof.workspace import Workspace

DAY_US = 86_400_000_000
DECAYS = (Decay("exponential", "30d"), Decay("static"))
SPEC = MonitorSpec("s1", "c", "f", 90 * DAY_US, {}, 0.1, DECAYS, min_interactions=5)
COST = {
    "metric": "ndcg@10",
    "n_tests": 40,
    "value": 0.2,
    "minus_real_time": -0.01,
    "minus_low": -0.03,
    "minus_high": 0.0,
}
LISTS = {"metric": "cosine", "n_users": 3, "arp": 4.0, "catalogue_arp": 2.0, "gini": 0.5, "coverage": 0.1,
         "new_share": 0.2, "catalogue_new_share": 0.1}  # fmt: skip
MEASURES = [
    {"measure": "auc", "value": 0.7, "replay_mean": 0.5, "replay_sd": 0.05, "limit": 0.65, "alarm": True},
    {"measure": "ks", "value": 0.1, "replay_mean": 0.2, "replay_sd": 0.0, "limit": 0.2, "alarm": False},
]
WINDOW = {"kind": "user", "id": "<b>me</b>", "reason": "turn", "start": 0, "stop": DAY_US, "n_events": 4, "value": 6.5}


def trail(seed: int, n: int = 30) -> Trail:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, 8))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return Trail(np.sort(rng.integers(0, 90 * DAY_US, n)), np.ones(n), unit)


def made(*, empty: bool = False) -> tuple[dict[str, Any], dict[str, pa.Table]]:
    replayed = {kind: Replayed(kind, DECAYS, SPEC.alphas) for kind in ("user", "item")}
    for kind, of in () if empty else replayed.items():
        for seed in range(3):
            for decay in range(2):
                of.add(f"{kind}{seed}", trail(seed), decay, prior=np.zeros(8, np.float32), prior_weight=0.0)
    users, items = (of.tables() for of in replayed.values())
    names = ("interactions", "entities", "item_interactions", "item_entities")
    tables = evolution_tables(dict(zip(names, (*users, *items), strict=True)).get, SPEC)
    none: list[dict[str, object]] = []
    tables["cost"] = rows_table("cost", none if empty else [{**COST, "schedule": s} for s in ("interaction", "day")])
    groups = ("all", "1-9")
    tables["popularity"] = rows_table("popularity", none if empty else [{**LISTS, "group": g} for g in groups])
    tables["population"] = rows_table("population", none if empty else MEASURES)
    tables["sudden"] = stacked(none if empty else [{**WINDOW, "z": 9.5}], SUDDEN)
    facts = {"snapshot": "s1", "against": "s0", "as_of": "2026-01-01", "n_events": 1_234, "n_users": 3,
             "n_sampled_users": 3, "n_sampled_items": 3, "n_compared_users": 3}  # fmt: skip
    document = {"facts": facts, "alarms": [] if empty else ["auc"], "population": [] if empty else MEASURES,
                "p": {} if empty else {"mmd": 0.01}, "engagement": None, "notes": ["Mind this."],
                "parameters": SPEC.to_json(), "created_at": "2026-01-02"}  # fmt: skip
    return document, tables


def test_the_page_says_the_alarm_first_and_shows_every_subject() -> None:
    document, tables = made()
    page = monitor_page("monitor-1", document, tables)
    assert page.lead.startswith("Alarm: auc. 1,234 events")
    assert {c.name for c in page.charts} == {
        "population-plot", "maturity-plot", "step-plot", "away-plot", "norm-plot", "norms-plot", "staleness-plot",
        "cost-plot", "popularity-plot",
    }  # fmt: skip
    assert not {c.name for c in page.charts} & set(tables)  # their CSV files lie beside those of the tables
    html = render_page(page)
    assert "&lt;b&gt;me&lt;/b&gt;" in html and "<b>me</b>" not in html
    assert "Above its limit: auc." in html and "Mind this." in html


def test_a_plot_has_the_numbers_of_its_table() -> None:
    document, tables = made()
    charts = {c.name: c for c in monitor_page("monitor-1", document, tables).charts}
    drift = charts["population-plot"]
    assert isinstance(drift, Dots)
    assert drift.points[0].values[0] == pytest.approx(4) and drift.points[1].values[0] == pytest.approx(3)
    rows = [r for r in tables["maturity"].to_pylist() if (r["kind"], r["decay"]) == ("user", "static")]
    shown = [r for r in chart_table(charts["maturity-plot"]).rows if r[0] == "users, static"]
    assert [r[3].value for r in shown] == [r["median"] for r in rows]  # type: ignore[union-attr]


def test_a_report_of_nothing_is_a_page_that_says_so() -> None:
    page = monitor_page("monitor-1", *made(empty=True))
    assert page.charts == []
    assert "Population drift was not measured." in render_page(page)


def test_the_page_of_a_finished_report_is_written_and_one_that_is_not_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with pytest.raises(WorkspaceError, match=r"no report\.json; finished are none"):
        write_monitor(workspace, "monitor-1")
    document, tables = made()
    write_document(workspace, "monitor-1", document, tables, {})
    written = write_monitor(workspace, "monitor-1")
    assert written[0] == "reports/monitor-1.html"
    assert all((tmp_path / file).stat().st_size for file in written)
    assert sum(file.endswith(".png") for file in written) == 9
