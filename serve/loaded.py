"""How a route gets at the engine of its replica."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from serve.engine import Engine
from serve.errors import NotReadyError

__all__ = ["LoadedEngine"]


async def _loaded(request: Request) -> Engine:
    engine: Engine | None = request.app.state.engine
    if engine is None:
        raise NotReadyError("No snapshot is loaded yet. Ask again in a moment.")
    return engine


LoadedEngine = Annotated[Engine, Depends(_loaded)]
