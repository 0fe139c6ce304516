"""How a route gets at the engine of its replica: once a request, so that no answer mixes two."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from serve.engine import Engine
from serve.errors import NotReadyError
from serve.follower import Follower

__all__ = ["LoadedEngine", "TheFollower"]


async def _follower(request: Request) -> Follower:
    follower: Follower = request.app.state.follower
    return follower


async def _loaded(request: Request) -> Engine:
    engine = (await _follower(request)).engine
    if engine is None:
        raise NotReadyError("No snapshot is loaded yet. Ask again in a moment.")
    return engine


LoadedEngine = Annotated[Engine, Depends(_loaded)]
TheFollower = Annotated[Follower, Depends(_follower)]
