"""Routes about a user."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.convertors import Convertor, register_url_convertor

from serve.errors import ERROR_RESPONSES
from serve.loaded import LoadedEngine
from serve.parameters import NeighborsQuery, ProfileQuery, RecommendationsQuery
from serve.schemas import NeighborsAnswer, ProfileAnswer, RecommendationsAnswer

__all__ = ["router"]


class _UserIdConvertor(Convertor[str]):
    """Any text, slashes and line breaks too. What is asked for is always the last segment of a path, so that the id
    `a/profile` at `/v1/users/a/profile/profile` is not the id `a`.
    """

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("user_id", _UserIdConvertor())

router = APIRouter(prefix="/v1/users/{user_id:user_id}", tags=["users"], responses=ERROR_RESPONSES)

UserId = Annotated[str, Path(description="Percent-encoded as one path segment; `/` may also stand as it is.")]

# Plain functions, not coroutines: reading and multiplying block, so FastAPI runs them in threads.


@router.get("/profile")
def profile(user_id: UserId, query: Annotated[ProfileQuery, Query()], engine: LoadedEngine) -> ProfileAnswer:
    """The user's profile at any decay and half-life: how much is known, how well, and on request the vector."""
    return engine.profile(user_id, query)


@router.get("/neighbors")
def neighbors(user_id: UserId, query: Annotated[NeighborsQuery, Query()], engine: LoadedEngine) -> NeighborsAnswer:
    """Users with the most similar profiles, by cosine, as of the snapshot's time; never the user itself."""
    return engine.neighbors(user_id, query)


@router.get("/recommendations")
def recommendations(
    user_id: UserId, query: Annotated[RecommendationsQuery, Query()], engine: LoadedEngine
) -> RecommendationsAnswer:
    """Items that suit the user's profile, among all that appeared strictly before `as_of`."""
    return engine.recommendations(user_id, query)
