"""From a checked question to an answer: profiles and similar users."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from pydantic_core import to_json

from dynprof.age_bands import age_bands
from dynprof.user_profile import KnownUser
from serve import subject
from serve.about import about_snapshot, about_user, datetime_of
from serve.bodies import PostedProfile
from serve.engine import Engine
from serve.errors import detail_of
from serve.parameters import NeighborsQuery, ProfileQuery
from serve.schemas import (
    NeighborAnswer,
    NeighborsAnswer,
    PostedProfilesAnswer,
    ProfileAnswer,
    ProfileResult,
)
from serve.subject import Subject
from serve.visitor import visitor

__all__ = [
    "neighbors_answer",
    "posted_profiles",
    "posted_profiles_answer",
    "profile_answer",
    "profile_json",
    "profile_of",
    "vectors_in_arrow",
]


def profile_of(engine: Engine, user_id: str, found: KnownUser, query: ProfileQuery) -> Subject:
    """The profile that is asked for, of a user who was found.

    Raises:
        AsOfError: The user is kept as sums, and the time is not after the last event.
    """
    return subject.known(engine.users, user_id, found, engine.decay_of(query), engine.time_of(query))


def profile_answer(engine: Engine, who: Subject, query: ProfileQuery) -> ProfileAnswer:
    """What is said about it."""
    return ProfileAnswer(**_fields(engine, who, query))


def profile_json(engine: Engine, who: Subject, query: ProfileQuery) -> bytes:
    """The same as it stands on the wire, without the model in between: it is made here, so nothing is checked."""
    return to_json(_fields(engine, who, query), inf_nan_mode="null")


def _fields(engine: Engine, who: Subject, query: ProfileQuery) -> dict[str, Any]:
    read = who.read
    return dict(
        about_user(engine, who),
        prior=read.prior,
        mass=read.mass,
        n_effective=read.n_effective,
        n_events=read.n_events,
        error_bound=read.error_bound,
        first_event_at=None if read.first_us is None else datetime_of(read.first_us),
        last_event_at=None if read.last_us is None else datetime_of(read.last_us),
        age_bands=_bands(who) if query.age_bands else None,
        dim=engine.store.spec.dim,
        vector=base64.b64encode(read.vector.astype("<f4").tobytes()).decode() if query.vector else None,
    )


def vectors_in_arrow(engine: Engine, subjects: list[Subject]) -> bytes:
    """An Arrow stream: a row a profile; snapshot and encoder in the metadata of its schema."""
    dim = engine.store.spec.dim
    values = pa.array([x for who in subjects for x in who.read.vector.tolist()], pa.float32())
    columns = {
        "user_id": pa.array([who.user_id for who in subjects], pa.string()),
        "as_of": pa.array([who.as_of_us for who in subjects], pa.int64()).cast(pa.timestamp("us", tz="UTC")),
        "vector": pa.FixedSizeListArray.from_arrays(values, dim),
        "mass": pa.array([who.read.mass for who in subjects], pa.float64()),
        "n_effective": pa.array([who.read.n_effective for who in subjects], pa.float64()),
        "error_bound": pa.array([who.read.error_bound for who in subjects], pa.float64()),
        "basis": pa.array([who.read.basis for who in subjects], pa.string()),
    }
    named = {"snapshot": engine.store.name, "encoder": engine.encoder.name, "fingerprint": engine.encoder.fingerprint}
    table = pa.table(columns).replace_schema_metadata(named)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def posted_profiles(engine: Engine, body: PostedProfile) -> list[Subject | Exception]:
    """Who was asked for, in order; an error in the place of whom there is none."""
    decay = engine.decay_of(body)
    if body.history is not None:
        as_of_us = None if body.as_of is None else engine.time_of(body)
        return [visitor(engine, body.history, body.bio, decay, as_of_us)]
    return subject.several(engine.users, body.user_ids or [], decay, engine.time_of(body))


def posted_profiles_answer(
    engine: Engine, found: list[Subject | Exception], body: PostedProfile
) -> PostedProfilesAnswer:
    """An answer for each."""
    results = []
    user_ids: Sequence[str | None] = body.user_ids or [None]
    for user_id, who in zip(user_ids, found, strict=True):
        answer = profile_answer(engine, who, body) if isinstance(who, Subject) else None
        error = detail_of(who) if isinstance(who, Exception) else None
        results.append(ProfileResult(user_id=user_id, answer=answer, error=error))
    return PostedProfilesAnswer(**about_snapshot(engine), results=results)


def neighbors_answer(engine: Engine, user_id: str, query: NeighborsQuery) -> NeighborsAnswer:
    """Users as of the snapshot's time, and the one who asks as of now.

    Raises:
        UnknownUserError: There is no such user.
    """
    decay, store = engine.decay_of(query), engine.store
    who = subject.user(engine.users, user_id, decay, engine.users.as_of_us)
    profile = None if engine.live is None else who.read.vector
    ranking = engine.neighbor_index.nearest(user_id, decay, query.k, profile=profile, is_hidden=engine.users.is_erased)
    found = zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True)
    return NeighborsAnswer(
        **about_user(engine, who),
        neighbors=[NeighborAnswer(user_id=store.user_id(number), score=score) for number, score in found],
    )


def _bands(who: Subject) -> list[dict[str, Any]]:
    """The fields of `AgeBandAnswer`, a band each."""
    times = who.times()
    bands = age_bands(times.at_us, times.weights, who.decay, who.as_of_us)
    return [{"up_to": b.up_to, "n_events": b.n_events, "mass": b.mass, "share": b.share} for b in bands]
