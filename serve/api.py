"""The HTTP application around an engine: no Ray in here, so FastAPI's test client can ask it."""

from __future__ import annotations

from functools import partial

from fastapi import FastAPI

from dynprof import __version__
from serve import (
    events,
    health,
    items,
    map_routes,
    overview_routes,
    page_routes,
    posted,
    report_routes,
    snapshot_routes,
    users,
    view_routes,
)
from serve.access import OPEN, Access
from serve.engine import Engine
from serve.errors import add_error_handlers
from serve.follower import Follower
from serve.gate import Gate, Limits
from serve.live import LiveService
from serve.live_errors import add_live_error_handlers
from serve.metrics import Metrics
from serve.recommendation_answers import recommendations_json
from serve.together import Collector

__all__ = ["follower_of", "make_api"]


def make_api(
    engine: Engine | Follower | None,
    live: LiveService | None = None,
    *,
    access: Access = OPEN,
    limits: Limits | None = None,
    metrics: Metrics | None = None,
) -> FastAPI:
    """All routes.

    Args:
        engine: What answers, or what knows which engine does; None while nothing is loaded.
        live: Takes live events in; None where there is no log.
        access: Who may ask.
        limits: What one replica takes.
        metrics: Those of the follower, where there is one.
    """
    metrics = metrics or Metrics()
    app = FastAPI(
        title="dynprof",
        version=__version__,
        summary="User profiles that follow what people care about now: any decay, any half-life.",
        redirect_slashes=False,
    )
    app.state.metrics = metrics
    app.state.follower = engine if isinstance(engine, Follower) else follower_of(engine, metrics)
    app.state.live = live
    app.state.recommendations = Collector(recommendations_json)
    add_error_handlers(app)
    add_live_error_handlers(app)
    app.add_middleware(Gate, access=access, limits=limits or Limits(), metrics=metrics)
    of_page = (view_routes, map_routes, report_routes, overview_routes, page_routes)
    for module in (users, events, items, posted, snapshot_routes, health, *of_page):
        app.include_router(module.router)
    app.include_router(health.metrics_router)
    return app


def follower_of(engine: Engine | None, metrics: Metrics) -> Follower:
    """Serves an engine until another snapshot of its workspace is asked for here."""
    if engine is None:
        return Follower(None, _no_load, None, metrics)
    workspace = engine.store.workspace
    load = partial(Engine.open, workspace, neighbor_cache_bytes=engine.neighbor_index.cache_bytes)
    return Follower(engine, load, workspace, metrics)


def _no_load(snapshot: str) -> Engine:
    raise NotImplementedError(f"nothing to load snapshot {snapshot} from")
