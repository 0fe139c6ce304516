"""The route of the page's first view: what is served, how it is doing, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request

from dynprof import __version__
from serve.about import datetime_of
from serve.access import needs
from serve.engine import Engine
from serve.errors import responses
from serve.follower import Follower
from serve.latency import route_latencies
from serve.loaded import LoadedEngine, TheFollower
from serve.metrics import Metrics
from serve.overview_schemas import AlarmAnswer, LiveStateAnswer, OverviewAnswer
from serve.reports import list_reports, read_report
from serve.snapshot_routes import snapshot_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/overview", tags=["page"], dependencies=[needs("read")])

_LATE = 10_000
_SAID = ("message", "says", "text", "reason", "name", "measure", "what")


@router.get("", responses=responses(400, 404, 413, 422))
def overview(request: Request, engine: LoadedEngine, follower: TheFollower) -> OverviewAnswer:
    """Snapshot, live events, latencies and alarms of the replica that answers."""
    metrics: Metrics = request.app.state.metrics
    live = _live_state(engine)
    return OverviewAnswer(
        now=datetime.now(UTC),
        version=__version__,
        snapshot=snapshot_of(engine, follower),
        live=live,
        latencies=route_latencies(metrics.request_samples()),
        alarms=[*_own_alarms(follower, live), *_reported_alarms(engine)],
        token_needed=request.scope["caller"].name is not None,
    )


def _live_state(engine: Engine) -> LiveStateAnswer | None:
    if engine.live is None:
        return None
    overlay = engine.live.users.overlay
    last_us = overlay.last_us
    return LiveStateAnswer(
        last_number=overlay.log.last_number(),
        followed_number=overlay.number,
        n_events=overlay.n_events,
        n_erased_users=overlay.n_erased_users,
        last_event_at=None if last_us is None else datetime_of(last_us),
    )


def _own_alarms(follower: Follower, live: LiveStateAnswer | None) -> Iterator[AlarmAnswer]:
    if follower.failure is not None:
        yield AlarmAnswer(source="snapshot", message=f"{follower.wanted} cannot be loaded. {follower.failure}")
    late = 0 if live is None else live.last_number - live.followed_number
    if late > _LATE:
        yield AlarmAnswer(source="live", message=f"Answers are {late:,} changes behind the log.")


def _reported_alarms(engine: Engine) -> Iterator[AlarmAnswer]:
    """Those of the newest monitoring report."""
    workspace = engine.store.workspace
    newest = next((report for report in list_reports(workspace) if report["kind"] == "monitoring"), None)
    found = None if newest is None else read_report(workspace, newest["name"])
    for document in (found or {"documents": {}})["documents"].values():
        told = document if isinstance(document, dict) else {}
        verdicts = {v["measure"]: v for v in _objects(told.get("population")) if "measure" in v}
        for alarm in told["alarms"] if isinstance(told.get("alarms"), list) else []:
            yield AlarmAnswer(source="monitoring", message=_message(verdicts.get(str(alarm), alarm)))


def _objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _message(alarm: Any) -> str:
    """What a report says of an alarm: a sentence, or the parts of an object in one line."""
    if not isinstance(alarm, dict):
        return str(alarm)
    said = next((str(alarm[key]) for key in _SAID if alarm.get(key)), "alarm")
    shown = {key: value for key, value in alarm.items() if isinstance(value, int | float) and value is not True}
    numbers = [f"{key.replace('_', ' ')} {value:.3g}" for key, value in shown.items()]
    return said if not numbers or " " in said else f"{said}: {', '.join(numbers)}"
