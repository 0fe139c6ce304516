"""Routes about a user."""

from __future__ import annotations

from asyncio import wrap_future
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from dynprof.user_profile import KnownUser
from serve.access import may, needs
from serve.direct import DirectRoute, json_answer
from serve.engine import Engine
from serve.errors import responses
from serve.ids import UserId
from serve.item_schemas import RecommendationsAnswer, TimelineAnswer
from serve.loaded import LoadedEngine
from serve.parameters import NeighborsQuery, ProfileQuery, RecommendationsQuery, TimelineQuery
from serve.profile_answers import neighbors_answer, profile_json, profile_of, vectors_in_arrow
from serve.recommendation_answers import AskedItems, recommendations_json
from serve.schemas import NeighborsAnswer, ProfileAnswer
from serve.timeline_answers import timeline_answer
from serve.together import Collector

__all__ = ["ARROW", "ARROW_ANSWER", "router", "wants_arrow"]

ARROW = "application/vnd.apache.arrow.stream"
ARROW_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"content": {ARROW: {"schema": {"type": "string", "format": "binary"}}}}
}

router = APIRouter(
    prefix="/v1/users/{user_id:any_id}",
    tags=["users"],
    dependencies=[needs("read")],
    responses=responses(400, 413),
    route_class=DirectRoute,
)

# Whatever reads files or multiplies much is done in a thread; a profile of few events takes less than the way there.


def wants_arrow(request: Request) -> bool:
    """Whether vectors are to come as an Arrow stream."""
    return ARROW in request.headers.get("accept", "")


@router.get("/profile", response_model=ProfileAnswer, responses=ARROW_ANSWER)
async def profile(
    user_id: UserId, query: Annotated[ProfileQuery, Query()], engine: LoadedEngine, request: Request
) -> Response:
    """The user's profile at any decay and half-life: how much is known, how well, and on request the vector.

    With `Accept: application/vnd.apache.arrow.stream` the vector comes as an Arrow stream of one row.
    """
    arrow = wants_arrow(request)
    if arrow or query.vector:
        may(request, "vectors")
    found = engine.users.user(user_id)
    read = partial(_profile, engine, user_id, found, query, arrow)
    return await run_in_threadpool(read) if found.is_heavy else read()  # of many events sums are solved, and files read


def _profile(engine: Engine, user_id: str, found: KnownUser, query: ProfileQuery, arrow: bool) -> Response:
    who = profile_of(engine, user_id, found, query)
    if arrow:
        return Response(vectors_in_arrow(engine, [who]), media_type=ARROW)
    return json_answer(profile_json(engine, who, query))


@router.get("/neighbors", response_model=NeighborsAnswer)
async def neighbors(
    user_id: UserId, query: Annotated[NeighborsQuery, Query()], engine: LoadedEngine, _: Request
) -> Response:
    """Users with the most similar profiles, by cosine, as of the snapshot's time; never the user itself."""
    return json_answer((await run_in_threadpool(neighbors_answer, engine, user_id, query)).model_dump_json())


@router.get("/recommendations", response_model=RecommendationsAnswer)
async def recommendations(
    user_id: UserId, query: Annotated[RecommendationsQuery, Query()], engine: LoadedEngine, request: Request
) -> Response:
    """Items that suit the user's profile, among all that appeared strictly before `as_of`.

    Somebody whom the snapshot does not know gets what is popular or new; `known` and `cold_start` say so.
    """
    asked = AskedItems(engine, user_id, query)
    if query.explain or not engine.store.workspace.is_local:  # it reads files: nobody else is to wait for them
        (answer,) = await run_in_threadpool(recommendations_json, [asked])
        if isinstance(answer, Exception):
            raise answer
        return json_answer(answer)
    collector: Collector[AskedItems, bytes] = request.app.state.recommendations
    found: bytes = await wrap_future(collector.ask(asked))
    return json_answer(found)


@router.get("/timeline", response_model=TimelineAnswer)
async def timeline(
    user_id: UserId, query: Annotated[TimelineQuery, Query()], engine: LoadedEngine, _: Request
) -> Response:
    """How the user's profile moved: exact at every point, from the user's events."""
    return json_answer((await run_in_threadpool(timeline_answer, engine, user_id, query)).model_dump_json())
