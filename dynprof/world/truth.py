"""The tables that do not unfold in time: users with their bios, and the truth about users, interests, sudden events."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.schema import RAW_USERS, TIMESTAMP
from dynprof.world.chunks import World
from dynprof.world.compose import compose_bios
from dynprof.world.interests import CHANGES, MAX_TOPICS
from dynprof.world.lexicon import TOPICS
from dynprof.world.people import user_ids
from dynprof.world.spec import Stream

__all__ = [
    "TRUTH_INTERESTS",
    "TRUTH_SUDDEN",
    "TRUTH_USERS",
    "iterate_truth_interests",
    "iterate_truth_users",
    "iterate_users",
    "truth_sudden",
]

TRUTH_USERS = pa.schema(
    {
        "user_id": pa.string(),
        "kind": pa.string(),
        "languages": pa.list_(pa.string()),
        "utc_offset_h": pa.int8(),
        "events_a_day": pa.float64(),
        "change": pa.string(),
        "changes_from": TIMESTAMP,
        "changes_until": TIMESTAMP,
    }
)
TRUTH_INTERESTS = pa.schema(
    {"user_id": pa.string(), "from_time": TIMESTAMP, "until": TIMESTAMP, "topic": pa.string(), "share": pa.float32()}
)
TRUTH_SUDDEN = pa.schema({"topic": pa.string(), "from_time": TIMESTAMP, "until": TIMESTAMP, "share": pa.float64()})

_ROWS_A_BLOCK = 65_536


def iterate_users(world: World) -> Iterator[pa.Table]:
    """`RAW_USERS`: bios on the topics of the user's first phase; null for who has none."""
    people, interests, rng = world.people, world.interests, world.spec.rng(Stream.BIOS)
    for users in _blocks(world.spec.n_users):
        phase = interests.first[users]
        second = np.where(interests.shares[phase, 1] > 0, interests.topics[phase, 1], interests.topics[phase, 0])
        u = rng.random(len(users))
        bios = compose_bios(world.lexicon, interests.topics[phase, 0], second, people.language[users], u)
        bios = pc.if_else(pa.array(people.has_bio[users]), bios, pa.scalar(None, pa.string()))
        yield pa.table([user_ids(users), bios], schema=RAW_USERS)


def iterate_truth_users(world: World) -> Iterator[pa.Table]:
    """`TRUTH_USERS`, in the order of `iterate_users`; no times of change for who is stable."""
    people, interests, spec = world.people, world.interests, world.spec
    last = np.append(interests.first[1:], len(interests.user)) - 1
    for users in _blocks(spec.n_users):
        stable = pa.array(interests.change[users] == CHANGES.index("stable"))
        begins = interests.start_us[np.minimum(interests.first[users] + 1, last[users])]
        columns = [
            user_ids(users),
            pa.array(["human", "bot"]).take(pa.array(people.is_bot[users].astype(np.int8))),
            _languages(world, users),
            pa.array(people.zone[users]),
            pa.array(people.rate[users] * (spec.n_events / spec.days)),
            pa.array(CHANGES).take(pa.array(interests.change[users])),
            pc.if_else(stable, None, _times(world, begins)),
            pc.if_else(stable, None, _times(world, interests.start_us[last[users]])),
        ]
        yield pa.table(columns, schema=TRUTH_USERS)


def iterate_truth_interests(world: World) -> Iterator[pa.Table]:
    """`TRUTH_INTERESTS`: one row a user, phase and topic."""
    interests = world.interests
    for phases in _blocks(len(interests.user)):
        used = interests.shares[phases] > 0
        phase = np.repeat(phases, MAX_TOPICS)[used.ravel()]
        columns = [
            user_ids(interests.user[phase]),
            _times(world, interests.start_us[phase]),
            _times(world, interests.until_us[phase]),
            pa.array(TOPICS).take(pa.array(interests.topics[phases][used])),
            pa.array(interests.shares[phases][used]),
        ]
        yield pa.table(columns, schema=TRUTH_INTERESTS)


def truth_sudden(world: World) -> pa.Table:
    """`TRUTH_SUDDEN`: one row an event."""
    sudden = world.sudden
    columns = [
        pa.array(TOPICS).take(pa.array(sudden.topic)),
        _times(world, sudden.start_us),
        _times(world, sudden.until_us),
        pa.array(sudden.share),
    ]
    return pa.table(columns, schema=TRUTH_SUDDEN)


def _blocks(n: int) -> Iterator[npt.NDArray[np.int64]]:
    for low in range(0, n, _ROWS_A_BLOCK):
        yield np.arange(low, min(low + _ROWS_A_BLOCK, n))


def _times(world: World, after_us: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array(world.spec.start_us + after_us).cast(TIMESTAMP)


def _languages(world: World, users: npt.NDArray[np.int64]) -> pa.ListArray:
    """The one or two languages of each user, the main one first."""
    both = np.stack([world.people.language[users], world.people.second_language[users]], axis=1)
    used = np.stack([np.ones(len(users), np.bool_), both[:, 0] != both[:, 1]], axis=1)
    offsets = np.append(0, np.cumsum(used.sum(axis=1))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(world.spec.languages).take(pa.array(both[used])))
