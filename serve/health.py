"""Routes for whoever watches over the processes."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from serve.about import datetime_of
from serve.access import needs
from serve.errors import ERROR_RESPONSES, responses
from serve.loaded import LoadedEngine
from serve.metrics import Metrics
from serve.snapshot_schemas import LiveAnswer, ReadyAnswer

__all__ = ["metrics_router", "router"]

router = APIRouter(prefix="/health", tags=["health"])
metrics_router = APIRouter(tags=["health"], dependencies=[needs("read")])


@router.get("/live")
async def live() -> LiveAnswer:
    """200 whenever the process answers at all."""
    return LiveAnswer()


@router.get("/ready", responses={503: ERROR_RESPONSES[503]})
async def ready(engine: LoadedEngine) -> ReadyAnswer:
    """200 only when a snapshot is loaded."""
    return ReadyAnswer(
        snapshot=engine.store.name,
        as_of=datetime_of(engine.store.spec.as_of_us),
        encoder=engine.encoder,
        n_users=engine.store.n_users,
        n_items=len(engine.items),
    )


@metrics_router.get(
    "/metrics",
    response_class=Response,
    responses={
        **responses(400, 404, 413, 422, 429, 503),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def metrics(request: Request) -> Response:
    """Numbers of this replica, and of the newest monitor report, for Prometheus."""
    told: Metrics = request.app.state.metrics
    return Response(await run_in_threadpool(told.text), media_type=CONTENT_TYPE_LATEST)
