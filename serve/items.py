"""Routes about an item."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from serve.access import needs
from serve.errors import responses
from serve.ids import ItemId
from serve.item_schemas import SimilarAnswer
from serve.loaded import LoadedEngine
from serve.parameters import SimilarQuery
from serve.recommendation_answers import similar_answer

__all__ = ["router"]

router = APIRouter(
    prefix="/v1/items/{item_id:any_id}", tags=["items"], dependencies=[needs("read")], responses=responses(400, 413)
)


@router.get("/similar")
def similar(item_id: ItemId, query: Annotated[SimilarQuery, Query()], engine: LoadedEngine) -> SimilarAnswer:
    """Items whose texts are most similar, by cosine; never the same text."""
    return similar_answer(engine, item_id, query)
