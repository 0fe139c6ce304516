"""How a route gets at the engine of its replica: once a request, so that no answer mixes two."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from serve.engine import Engine
from serve.errors import NotReadyError
from serve.follower import Follower

__all__ = ["LoadedEngine", "TheFollower", "engine_of"]


def engine_of(request: Request) -> Engine:
    """What answers this request.

    Raises:
        NotReadyError: Nothing is loaded.
    """
    follower: Follower = request.app.state.follower
    engine = follower.engine
    if engine is None:
        raise NotReadyError("No snapshot is loaded yet. Ask again in a moment.")
    return engine


async def _follower(request: Request) -> Follower:
    follower: Follower = request.app.state.follower
    return follower


async def _loaded(request: Request) -> Engine:
    return engine_of(request)


LoadedEngine = Annotated[Engine, Depends(_loaded)]
TheFollower = Annotated[Follower, Depends(_follower)]
