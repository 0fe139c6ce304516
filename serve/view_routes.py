"""Routes that the page needs and others may use: users by a part of their id, a user at a decay in one answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from serve.access import needs
from serve.errors import responses
from serve.ids import UserId
from serve.loaded import LoadedEngine
from serve.parameters import TimelineQuery
from serve.view_answers import events_answer, path_answer, search_answer, view_answer
from serve.view_parameters import EventsQuery, SearchQuery, ViewQuery
from serve.view_schemas import EventsOfUserAnswer, FoundUsersAnswer, PathAnswer, ViewAnswer

__all__ = ["router"]

router = APIRouter(prefix="/v1/users", tags=["page"], dependencies=[needs("read")])


@router.get("", responses=responses(400, 404, 413))
def search(query: Annotated[SearchQuery, Query()], engine: LoadedEngine) -> FoundUsersAnswer:
    """Users whose id begins with a text or has it inside, the most active first."""
    return search_answer(engine, query)


@router.get("/{user_id:any_id}/view", responses=responses(400, 413))
def view(user_id: UserId, query: Annotated[ViewQuery, Query()], engine: LoadedEngine) -> ViewAnswer:
    """Profile, interests, neighbours and recommendations at one decay, in one answer."""
    return view_answer(engine, user_id, query)


@router.get("/{user_id:any_id}/events", responses=responses(400, 413))
def events(user_id: UserId, query: Annotated[EventsQuery, Query()], engine: LoadedEngine) -> EventsOfUserAnswer:
    """The user's events that have a vector, newest first."""
    return events_answer(engine, user_id, query)


@router.get("/{user_id:any_id}/path", responses=responses(400, 413))
def path(user_id: UserId, query: Annotated[TimelineQuery, Query()], engine: LoadedEngine) -> PathAnswer:
    """Where the user's profile was over time, on the map of users."""
    return path_answer(engine, user_id, query)
