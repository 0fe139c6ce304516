"""Routes about an item."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from serve.access import needs
from serve.direct import DirectRoute, json_answer
from serve.errors import responses
from serve.ids import ItemId
from serve.item_schemas import SimilarAnswer
from serve.loaded import LoadedEngine
from serve.parameters import SimilarQuery
from serve.recommendation_answers import similar_answer

__all__ = ["router"]

router = APIRouter(
    prefix="/v1/items/{item_id:any_id}",
    tags=["items"],
    dependencies=[needs("read")],
    responses=responses(400, 413),
    route_class=DirectRoute,
)


@router.get("/similar", response_model=SimilarAnswer)
async def similar(
    item_id: ItemId, query: Annotated[SimilarQuery, Query()], engine: LoadedEngine, _: Request
) -> Response:
    """Items whose texts are most similar, by cosine; never the same text."""
    return json_answer((await run_in_threadpool(similar_answer, engine, item_id, query)).model_dump_json())
