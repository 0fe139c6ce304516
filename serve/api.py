"""The HTTP application around an engine: no Ray in here, so FastAPI's test client can ask it."""

from __future__ import annotations

from fastapi import FastAPI

from dynprof import __version__
from serve import events, health, users
from serve.engine import Engine
from serve.errors import add_error_handlers
from serve.live import LiveService
from serve.live_errors import add_live_error_handlers

__all__ = ["make_api"]


def make_api(engine: Engine | None, live: LiveService | None = None) -> FastAPI:
    """All routes.

    Args:
        engine: What answers; None while nothing is loaded.
        live: Takes live events in; None where there is no log.
    """
    app = FastAPI(
        title="dynprof",
        version=__version__,
        summary="User profiles that follow what people care about now: any decay, any half-life.",
        redirect_slashes=False,
    )
    app.state.engine = engine
    app.state.live = live
    add_error_handlers(app)
    add_live_error_handlers(app)
    app.include_router(events.router)
    app.include_router(users.router)
    app.include_router(health.router)
    return app
