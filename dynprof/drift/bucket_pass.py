"""What a monitor takes from one user bucket: one table a subject, none of which grows with a single user's events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.drift.bucket import BucketTrails
from dynprof.drift.cost import ask_stale
from dynprof.drift.engagement import engaged_pairs
from dynprof.drift.replayed import Replayed
from dynprof.drift.schedules import SCHEDULES
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.tables import SUDDEN, SUDDEN_POSTS, USERS, lists_of, stacked
from dynprof.drift.topics import TopicWindows, count_topics, nearest_topic
from dynprof.drift.trail import Trail
from dynprof.drift.users import came_from, sudden_windows, user_row
from dynprof.evaluation.protocol import TestEvents
from dynprof.profile import MICROSECONDS

__all__ = ["BUCKET_TABLES", "Asked", "bucket_tables"]

Matrix = npt.NDArray[np.float32]

BLOCK_US = 86_400 * MICROSECONDS
"""What a user posts within a day keeps its order in the A/A replay."""

BUCKET_TABLES = (
    "interactions", "entities", "users", "sudden", "posts", "topics", "crowd", "engagement", "tests",
)  # fmt: skip
"""Names of the tables, in the order in which they are written: the last one says that the bucket is done."""


@dataclass(frozen=True)
class Asked:
    """What every bucket is asked.

    Attributes:
        spec: The question.
        users: Ids of the sampled users, sorted.
        items: Text hashes of the sampled items.
        centres: (K, dim) of the topics.
        mean: (dim,) prior of users without a bio.
        earlier_mean: (dim,) the same of the earlier snapshot.
        tests: Of all buckets, numbered in the log of all.
        bucket_of_test: (len(tests),).
        bucket_starts: Position in that log of the first event of each bucket.
    """

    spec: MonitorSpec
    users: pa.StringArray
    items: pa.FixedSizeBinaryArray
    centres: Matrix
    mean: Matrix
    earlier_mean: Matrix
    tests: TestEvents
    bucket_of_test: npt.NDArray[np.int64]
    bucket_starts: npt.NDArray[np.int64]


def bucket_tables(bucket: BucketTrails, asked: Asked, number: int) -> Iterator[tuple[str, pa.Table]]:
    """Name and table of each of `BUCKET_TABLES`.

    Args:
        bucket: Opened.
        asked: The question.
        number: Of the bucket.
    """
    yield from zip(BUCKET_TABLES[:5], _users(bucket, asked), strict=True)
    yield "topics", _topics(bucket, asked)
    yield "crowd", _crowd(bucket, asked)
    yield "engagement", engaged_pairs(bucket, asked.spec)
    yield "tests", _tests(bucket, asked, number)


def _users(bucket: BucketTrails, asked: Asked) -> tuple[pa.Table, ...]:
    spec, rows, windows, posts = asked.spec, [], [], []
    replayed = Replayed("user", spec.decays, spec.alphas)
    sampled = np.flatnonzero(np.asarray(pc.is_in(bucket.user_ids, value_set=asked.users)))
    for user in sampled[np.isin(sampled, bucket.log.users)].tolist():
        name, trail, prior = bucket.user_ids[user].as_py(), bucket.trail(user), bucket.priors[user]
        earlier = prior if bucket.has_bio[user] else asked.earlier_mean
        rows.append(user_row(name, trail, spec, np.stack([earlier, prior]), BLOCK_US))
        for decay in range(len(spec.decays)):
            replayed.add(name, trail, decay, prior=prior, prior_weight=spec.prior_weight)
        found = _sudden(bucket, trail, user, spec)
        windows += found[0]
        posts += found[1]
    return *replayed.tables(), stacked(rows, USERS), stacked(windows, SUDDEN), stacked(posts, SUDDEN_POSTS)


def _sudden(
    bucket: BucketTrails, trail: Trail, user: int, spec: MonitorSpec
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Rows of `SUDDEN` and of `SUDDEN_POSTS`."""
    windows, posts = [], []
    name, first = bucket.user_ids[user].as_py(), bucket.positions(user).start
    for found in sudden_windows(trail, spec):
        common = {"kind": "user", "id": name, "start": found.start_us}
        stop = found.start_us + spec.window_us
        numbers = {"n_events": found.n_events, "value": found.surprise, "z": found.z}
        windows.append({**common, "reason": "turn", "stop": stop, **numbers})
        for place, part in zip(found.posts.tolist(), found.parts.tolist(), strict=True):
            event = {"event_id": bucket.event_ids[first + place].as_py(), "timestamp": int(trail.at_us[place])}
            posts.append({**common, "user_id": name, **event, "contribution": part})
    return windows, posts


def _topics(bucket: BucketTrails, asked: Asked) -> pa.Table:
    """Start, topic, count and sum of each topic in each window with a post of it."""
    k, log = len(asked.centres), bucket.log
    dim = asked.mean.shape[0]
    found = TopicWindows(np.empty(0, np.int64), np.empty((0, k), np.int64), np.empty((0, k, dim)))
    if k and len(log):
        topic = nearest_topic(bucket.vectors, log.n_items, asked.centres)
        found = count_topics(log.event_us, log.items, bucket.vectors, topic, k, asked.spec.window_us)
    window, number = np.nonzero(found.counts)
    return pa.table(
        {
            "start_us": found.start_us[window],
            "topic": number,
            "n": found.counts[window, number],
            "sum": lists_of(found.sums[window, number].astype(np.float32)),
        }
    )


def _crowd(bucket: BucketTrails, asked: Asked) -> pa.Table:
    """Interactions with the sampled items: which, under which decay, when, and who came."""
    spec, log = asked.spec, bucket.log
    place = np.asarray(pc.fill_null(pc.index_in(bucket.text_hashes, value_set=asked.items), -1), np.int64)
    wanted = np.flatnonzero(place[log.items] >= 0) if len(place) else np.empty(0, np.int64)
    parts: list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], int]] = []
    for user in np.unique(log.users[wanted]).tolist():
        mine, trail = bucket.positions(user), bucket.trail(user)
        inside = wanted[(wanted >= mine.start) & (wanted < mine.stop)]
        for decay in range(len(spec.decays)):
            vectors = came_from(trail, inside - mine.start, spec, decay, bucket.priors[user])
            parts.append((inside, vectors, decay))
    which = np.array([p[2] for p in parts], np.int8)
    where = np.concatenate([np.empty(0, np.int64), *(p[0] for p in parts)])
    vectors = np.vstack([np.empty((0, len(asked.mean))), *(p[1] for p in parts)])
    return pa.table(
        {
            "item": place[log.items[where]],
            "decay": np.repeat(which, [len(p[0]) for p in parts]) if parts else which,
            "at_us": log.event_us[where],
            "weight": log.weights[where],
            "vector": lists_of(vectors.astype(np.float16)),
        }
    )


def _tests(bucket: BucketTrails, asked: Asked, number: int) -> pa.Table:
    """The questions of the bucket's tests, as rows."""
    rows = np.flatnonzero(asked.bucket_of_test == number)
    tests = asked.tests.take(rows).within(bucket.log, int(asked.bucket_starts[number]))
    queries = ask_stale(bucket, tests, asked.spec)
    return pa.table(
        {
            "row": rows,
            "profiles": lists_of(queries.profiles.reshape(len(rows), len(SCHEDULES) * len(asked.mean))),
            "cosines": lists_of(queries.cosines),
        }
    )
