"""Routes about the snapshot that is served."""

from __future__ import annotations

from fastapi import APIRouter, Response

from serve.about import about_snapshot, datetime_of, decay_answer, defaults_answer
from serve.access import needs
from serve.bodies import ReloadBody
from serve.engine import Engine
from serve.errors import ERROR_RESPONSES, ReloadError, responses
from serve.follower import Follower
from serve.loaded import LoadedEngine, TheFollower
from serve.parameters import RecommendationsQuery, values_of
from serve.snapshot_schemas import ReloadAnswer, SnapshotAnswer

__all__ = ["router", "snapshot_of"]

router = APIRouter(prefix="/v1/snapshot", tags=["snapshot"])


@router.get("", dependencies=[needs("read")], responses=responses(400, 404, 413, 422))
async def snapshot(engine: LoadedEngine, follower: TheFollower) -> SnapshotAnswer:
    """What the replica that answers serves, and what its profiles mean."""
    return snapshot_of(engine, follower)


def snapshot_of(engine: Engine, follower: Follower) -> SnapshotAnswer:
    """What an engine serves, and what is wanted."""
    store = engine.store
    return SnapshotAnswer(
        **about_snapshot(engine),
        as_of=datetime_of(store.spec.as_of_us),
        created_at=store.manifest["created_at"],
        loaded_at=datetime_of(engine.loaded_us),
        corpus_id=store.manifest["corpus_id"],
        layers=store.layers,
        dim=store.spec.dim,
        n_users=store.n_users,
        n_events=store.manifest["n_events"],
        n_items=len(engine.items),
        decays=[decay_answer(decay) for decay in store.spec.decays],
        default_half_life=store.default_half_life,
        defaults=defaults_answer(engine.defaults),
        bank_half_lives_s=list(store.spec.bank.half_lives_s),
        prior_weight=store.spec.prior_weight,
        type_weights=dict(store.spec.type_weights),
        kinds=values_of(RecommendationsQuery.model_fields["kind"].annotation),
        metrics=values_of(RecommendationsQuery.model_fields["metric"].annotation),
        wanted=follower.wanted,
        reload_error=follower.failure,
    )


@router.post(
    "/reload",
    dependencies=[needs("admin")],
    responses={
        **responses(),
        202: {"model": ReloadAnswer, "description": "It is loading; the old one answers until it is there."},
        409: {**ERROR_RESPONSES[500], "description": "It cannot be loaded; the old one goes on answering."},
    },
)
def reload(body: ReloadBody, engine: LoadedEngine, follower: TheFollower, response: Response) -> ReloadAnswer:
    """Serve another snapshot, on every replica, without failing a request.

    200 when the replica that was asked serves it; the others follow within seconds of having loaded it.
    """
    wanted = follower.want(body.snapshot)
    if follower.wait(wanted, body.wait_s):
        return ReloadAnswer(status="serving", snapshot=wanted, wanted=wanted)
    if follower.wanted == wanted and follower.failure is not None:
        raise ReloadError(f"snapshot: {wanted} cannot be loaded. {follower.failure}")
    response.status_code = 202
    return ReloadAnswer(status="loading", snapshot=engine.store.name, wanted=wanted)
