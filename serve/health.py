"""Routes for whoever watches over the processes."""

from __future__ import annotations

from fastapi import APIRouter

from serve.errors import ERROR_RESPONSES
from serve.loaded import LoadedEngine
from serve.schemas import LiveAnswer, ReadyAnswer

__all__ = ["router"]

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live")
async def live() -> LiveAnswer:
    """200 whenever the process answers at all."""
    return LiveAnswer()


@router.get("/ready", responses={503: ERROR_RESPONSES[503]})
async def ready(engine: LoadedEngine) -> ReadyAnswer:
    """200 only when a snapshot is loaded."""
    return engine.ready()
