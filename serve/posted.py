"""Routes to which the question is posted: for a visitor without a user id, and for many users at once."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from serve.access import may, needs
from serve.bodies import PostedProfile, PostedRecommendations
from serve.errors import responses
from serve.item_schemas import PostedRecommendationsAnswer
from serve.loaded import LoadedEngine
from serve.profile_answers import posted_profiles, posted_profiles_answer, vectors_in_arrow
from serve.recommendation_answers import posted_recommendations
from serve.schemas import PostedProfilesAnswer
from serve.subject import Subject
from serve.users import ARROW, ARROW_ANSWER, wants_arrow

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["posted"], dependencies=[needs("read")], responses=responses(404))


@router.post("/profile", response_model=PostedProfilesAnswer, responses=ARROW_ANSWER)
def profile(body: PostedProfile, engine: LoadedEngine, request: Request) -> Response | PostedProfilesAnswer:
    """Profiles of a posted history, or of many users at once.

    With `Accept: application/vnd.apache.arrow.stream` an Arrow stream, without those who could not be read.
    """
    arrow = wants_arrow(request)
    if arrow or body.vector:
        may(request, "vectors")
    found = posted_profiles(engine, body)
    if arrow:
        return Response(vectors_in_arrow(engine, [w for w in found if isinstance(w, Subject)]), media_type=ARROW)
    return posted_profiles_answer(engine, found, body)


@router.post("/recommendations")
def recommendations(body: PostedRecommendations, engine: LoadedEngine) -> PostedRecommendationsAnswer:
    """Recommendations for a posted history, or for many users at once."""
    return posted_recommendations(engine, body)
