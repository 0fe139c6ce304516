"""The numbers of a report as Prometheus gauges, in the text format that node-exporter and servers read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

__all__ = ["render_gauges"]

_ALPHA = 0.1

Labels = dict[str, str]


def render_gauges(document: Mapping[str, Any], finished_s: float) -> bytes:
    """Gauges named `dynprof_monitor_...`.

    Args:
        document: Of `report_document`.
        finished_s: When the report was made, Unix seconds.
    """
    registry = CollectorRegistry()
    made: dict[str, Gauge] = {}
    for name, what, labels, value in _numbers(document, finished_s):
        if value is None:
            continue
        if name not in made:
            made[name] = Gauge(f"dynprof_monitor_{name}", what, list(labels), registry=registry)
        (made[name].labels(**labels) if labels else made[name]).set(value)
    return bytes(generate_latest(registry))


def _numbers(document: Mapping[str, Any], finished_s: float) -> Iterator[tuple[str, str, Labels, float | None]]:
    facts = document["facts"]
    yield "finished_timestamp_seconds", "When the newest report was made", {}, finished_s
    yield "as_of_seconds", "Time of the snapshot that was watched", {"snapshot": facts["snapshot"]}, facts["as_of_s"]
    yield "alarms", "Measures of population drift above their limit", {}, len(document["alarms"])
    for v in document["population"]:
        labels = {"measure": v["measure"]}
        yield "drift", "Population drift against the snapshot before", labels, v["value"]
        yield "drift_limit", "Above it there is an alarm", labels, v["limit"]
        yield "alarm", "1: above its limit", labels, float(v["alarm"])
    for row in document["maturity"]:
        if row["alpha"] == _ALPHA:
            what = "Median interactions until the embedding stays within 0.1 of its last"
            yield "interactions_to_maturity", what, _labels(row), row["median"]
    for row in document["staleness"]:
        yield "staleness", "Mean of 1 - cosine of what is served and what is perfect", _labels(row), row["mean"]
    for row in document["cost"]:
        labels = {"schedule": row["schedule"], "metric": row["metric"]}
        yield "cost", "Next-event retrieval under a schedule", labels, row["value"]
    for row in document["popularity"]:
        labels = {"metric": row["metric"], "group": row["group"]}
        yield "list_popularity", "Mean number of events of listed items", labels, row["arp"]
        yield "list_gini", "How unequally items are listed", labels, row["gini"]
        yield "list_new_share", "Share of list places with items of the last week", labels, row["new_share"]
    yield "sudden_windows", "Windows in which a user or topic turned", {}, document["sudden"]["windows"]


def _labels(row: Mapping[str, Any]) -> Labels:
    return {name: row[name] for name in ("kind", "decay", "schedule")}
