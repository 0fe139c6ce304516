"""A report survives its way to disk, gauges are what Prometheus reads, servers pass the newest on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dynprof.drift.alarms import Verdict
from dynprof.drift.gauges import render_gauges
from dynprof.drift.report import MonitorReport, render_markdown, report_document
from dynprof.drift.sections import rows_table
from dynprof.drift.storage import find_parts, newest_gauges, read_document, read_parts, write_document
from dynprof.drift.tables import SUDDEN, SUDDEN_POSTS, stacked
from dynprof.errors import WorkspaceError
from dynprof.workspace import Workspace
from serve.metrics import Metrics
from serve.monitor_gauges import MonitorGauges

FACTS = {"snapshot": "s1", "as_of": "2026-01-01", "as_of_s": 5.0, "against": "s0", "n_events": 9, "n_users": 3,
         "n_sampled_users": 3, "n_sampled_items": 0}  # fmt: skip
SPREAD = {"kind": "user", "decay": "static", "schedule": "day"}


def report(name: str, value: float = 0.7) -> MonitorReport:
    rows = {
        "maturity": [{**SPREAD, "alpha": 0.1, "n_entities": 2, "median": 4.0, "of_real_time": 0.5}],
        "norms": [{**SPREAD, "quantile": 0.5, "norm": 0.3, "over_real_time": 0.9}],
        "staleness": [{**SPREAD, "n_rows": 4, "mean": 0.25}],
        "popularity": [{"metric": "cosine", "group": "all", "arp": 2.0, "gini": float("nan"), "new_share": 0.5}],
        "cost": [],
        "spearman": [],
    }
    tables = {table: rows_table(table, given) for table, given in rows.items()}
    sudden = {
        "kind": "user",
        "id": "a|b",
        "reason": "turn",
        "start": 0,
        "stop": 9,
        "n_events": 3,
        "value": 7.5,
        "z": 9.0,
    }
    tables |= {"sudden": stacked([sudden], SUDDEN), "sudden_posts": SUDDEN_POSTS.empty_table()}
    parameters: dict[str, Any] = {"alphas": [0.1], "span": {"against": "s0"}}
    verdicts = [Verdict("auc", value, 0.5, 0.01, 0.6, value > 0.6)]
    return MonitorReport(name, parameters, FACTS, tables, verdicts, {"mmd": 0.01}, None, ["Nothing else."])


def write(workspace: Workspace, name: str, created_at: str, value: float = 0.7) -> dict[str, Any]:
    made = report(name, value)
    document = {**report_document(made), "created_at": created_at}
    texts = {"report.md": render_markdown(document, made.tables).encode(), "metrics.prom": render_gauges(document, 1.0)}
    write_document(workspace, name, document, made.tables, texts)
    return document


def test_a_report_is_read_as_it_was_written_and_its_parts_go(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write_parquet(pa.table({"a": [1]}), "reports", "monitor-1", "parts", "users-00000.parquet")
    assert read_document(workspace, "monitor-1") is None
    document = write(workspace, "monitor-1", "2026-01-02")
    assert read_document(workspace, "monitor-1") == json.loads(json.dumps(document))
    assert document["popularity"][0]["gini"] is None and document["alarms"] == ["auc"]
    assert not (tmp_path / "reports/monitor-1/parts").exists()
    assert pacsv.read_csv(tmp_path / "reports/monitor-1/sudden.csv")["id"].to_pylist() == ["a|b"]
    said = (tmp_path / "reports/monitor-1/report.md").read_text()
    assert "ALARM: auc" in said and "a\\|b" in said and "p of mmd 0.0100" in said


def test_parts_come_in_their_order_and_a_table_is_not_taken_for_another(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name, value in (("users-00001", 1), ("users-00000", 0), ("sudden_users-00000", 9)):
        workspace.write_parquet(pa.table({"a": [value]}), "reports", "r", "parts", f"{name}.parquet")
    assert read_parts(workspace, "r", "users")["a"].to_pylist() == [0, 1]
    assert find_parts(workspace, "r", "tests") is None
    with pytest.raises(WorkspaceError, match="run the same command again"):
        read_parts(workspace, "r", "tests")


def test_gauges_are_what_prometheus_reads() -> None:
    text = render_gauges(report_document(report("monitor-1")), 12.0).decode()
    found = {
        (s.name, *sorted(s.labels.items())): s.value for f in text_string_to_metric_families(text) for s in f.samples
    }
    assert found["dynprof_monitor_drift", ("measure", "auc")] == 0.7
    assert found["dynprof_monitor_alarm", ("measure", "auc")] == 1
    assert found["dynprof_monitor_alarms",] == 1 and found["dynprof_monitor_finished_timestamp_seconds",] == 12
    assert found["dynprof_monitor_staleness", ("decay", "static"), ("kind", "user"), ("schedule", "day")] == 0.25
    assert not any(name[0] == "dynprof_monitor_list_gini" for name in found)  # it is not a number


def test_servers_tell_the_newest_report_and_forget_no_number_when_storage_fails(tmp_path: Path) -> None:
    workspace, now = Workspace(tmp_path), [0.0]
    gauges = MonitorGauges(workspace, clock=lambda: now[0])
    metrics = Metrics("r1", gauges.text)
    assert b"dynprof_monitor" not in metrics.text()
    write(workspace, "monitor-2", "2026-01-03", 0.4)
    write(workspace, "monitor-1", "2026-01-02")
    assert b"dynprof_monitor" not in metrics.text()  # looked a moment ago
    now[0] = 31.0
    families = {f.name: f for f in text_string_to_metric_families(metrics.text().decode())}
    assert families["dynprof_monitor_drift"].samples[0].value == 0.4
    assert "dynprof_users" in families
    (tmp_path / "reports/monitor-2/report.json").write_text("{")
    now[0] = 62.0
    assert b"dynprof_monitor_drift" in metrics.text()
    assert newest_gauges(Workspace(tmp_path / "nothing")) == b""
