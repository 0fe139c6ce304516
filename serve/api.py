"""The HTTP application around an engine: no Ray in here, so FastAPI's test client can ask it."""

from __future__ import annotations

from fastapi import FastAPI

from dynprof import __version__
from serve import health, users
from serve.engine import Engine
from serve.errors import add_error_handlers

__all__ = ["make_api"]


def make_api(engine: Engine | None) -> FastAPI:
    """All routes.

    Args:
        engine: What answers; None while nothing is loaded.
    """
    app = FastAPI(
        title="dynprof",
        version=__version__,
        summary="User profiles that follow what people care about now: any decay, any half-life.",
        redirect_slashes=False,
    )
    app.state.engine = engine
    add_error_handlers(app)
    app.include_router(users.router)
    app.include_router(health.router)
    return app
