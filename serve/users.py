"""Routes about a user."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from serve.access import may, needs
from serve.errors import responses
from serve.ids import UserId
from serve.item_schemas import RecommendationsAnswer, TimelineAnswer
from serve.loaded import LoadedEngine
from serve.parameters import NeighborsQuery, ProfileQuery, RecommendationsQuery, TimelineQuery
from serve.profile_answers import neighbors_answer, profile_answer, profile_of, vectors_in_arrow
from serve.recommendation_answers import recommendations_for
from serve.schemas import NeighborsAnswer, ProfileAnswer
from serve.timeline_answers import timeline_answer

__all__ = ["ARROW", "ARROW_ANSWER", "router", "wants_arrow"]

ARROW = "application/vnd.apache.arrow.stream"
ARROW_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {ARROW: {"schema": {"type": "string", "format": "binary"}}}}
}

router = APIRouter(
    prefix="/v1/users/{user_id:any_id}", tags=["users"], dependencies=[needs("read")], responses=responses(400, 413)
)

# Plain functions, not coroutines: reading and multiplying block, so FastAPI runs them in threads.


def wants_arrow(request: Request) -> bool:
    """Whether vectors are to come as an Arrow stream."""
    return ARROW in request.headers.get("accept", "")


@router.get("/profile", response_model=ProfileAnswer, responses=ARROW_ANSWER)
def profile(
    user_id: UserId, query: Annotated[ProfileQuery, Query()], engine: LoadedEngine, request: Request
) -> Response | ProfileAnswer:
    """The user's profile at any decay and half-life: how much is known, how well, and on request the vector.

    With `Accept: application/vnd.apache.arrow.stream` the vector comes as an Arrow stream of one row.
    """
    arrow = wants_arrow(request)
    if arrow or query.vector:
        may(request, "vectors")
    who = profile_of(engine, user_id, query)
    if arrow:
        return Response(vectors_in_arrow(engine, [who]), media_type=ARROW)
    return profile_answer(engine, who, query)


@router.get("/neighbors")
def neighbors(user_id: UserId, query: Annotated[NeighborsQuery, Query()], engine: LoadedEngine) -> NeighborsAnswer:
    """Users with the most similar profiles, by cosine, as of the snapshot's time; never the user itself."""
    return neighbors_answer(engine, user_id, query)


@router.get("/recommendations")
def recommendations(
    user_id: UserId, query: Annotated[RecommendationsQuery, Query()], engine: LoadedEngine
) -> RecommendationsAnswer:
    """Items that suit the user's profile, among all that appeared strictly before `as_of`.

    Somebody whom the snapshot does not know gets what is popular or new; `known` and `cold_start` say so.
    """
    return recommendations_for(engine, user_id, query)


@router.get("/timeline")
def timeline(user_id: UserId, query: Annotated[TimelineQuery, Query()], engine: LoadedEngine) -> TimelineAnswer:
    """How the user's profile moved: exact at every point, from the user's events."""
    return timeline_answer(engine, user_id, query)
