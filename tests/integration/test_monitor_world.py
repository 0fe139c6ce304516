"""The generated world's truth: few false alarms, planted changes and sudden events found, with precision and recall."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.monitor_alarms import alarms_of, stable_users
from benchmarks.monitor_world import WorldPosts, read_posts
from dynprof.decay import Decay
from dynprof.drift.sections import topic_rows
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.topics import count_topics, find_topics, nearest_topic
from dynprof.drift.users import sudden_windows
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.vector_chunk import VectorChunk
from dynprof.world import WorldSpec
from dynprof.world.interests import CHANGES

DAY_US = 86_400_000_000
DECAY = Decay("exponential", "30d")
SPEC = MonitorSpec("s", "c", "f", 2**62, {}, 0.1, (DECAY,))


@pytest.fixture(scope="module")
def posts() -> WorldPosts:
    """About 24,000 posts of 400 users in 180 days, four sudden events among them."""
    return read_posts(WorldSpec(n_users=400, n_events=40_000, seed=2, days=180, languages=("en",)))


def test_at_most_one_in_twenty_quiet_comparisons_alarms_and_nine_in_ten_changes_of_a_tenth_do(
    posts: WorldPosts,
) -> None:
    users = stable_users(posts)
    quiet = [alarms_of(users, share=0.0, n_replays=12, seed=s) for s in range(20)]
    turned = [alarms_of(users, share=0.1, n_replays=12, seed=s) for s in range(10)]
    assert sum(map(bool, quiet)) <= 1, quiet
    assert sum(map(bool, turned)) >= 9, turned


def test_planted_sudden_events_are_found_as_topics_with_an_unusual_share(posts: WorldPosts) -> None:
    vectors = posts.vectors.astype(np.float16)
    of = ItemVectors(VectorChunk(pa.nulls(len(vectors), pa.binary(16)), [vectors]), np.arange(len(vectors)))
    centres = find_topics(vectors[::3], SPEC.topics, 0)
    topic, items = nearest_topic(of, len(vectors), centres), np.arange(len(vectors))
    windows = count_topics(posts.at_us, items, of, topic, len(centres), SPEC.window_us)
    found = [r for r in topic_rows(windows, SPEC).to_pylist() if r["reason"] == "share"]
    truth, start_us = posts.world.sudden, posts.world.spec.start_us
    hits, seen = 0, set()
    for row in found:
        begin = int(row["start"].timestamp()) * 1_000_000
        mine = (topic == int(row["id"])) & (posts.at_us >= begin) & (posts.at_us < begin + DAY_US)
        events = np.flatnonzero(
            (truth.start_us + start_us < begin + DAY_US) & (truth.until_us + start_us > begin)
            & (truth.topic == np.bincount(posts.topic[mine]).argmax())
        )  # fmt: skip
        hits += len(events) > 0
        seen |= set(events.tolist())
    assert len(truth.topic) == 4
    assert len(seen) / len(truth.topic) >= 0.75  # recall
    assert hits / len(found) >= 0.8  # precision


def test_users_who_turn_are_found_and_those_found_had_turned(posts: WorldPosts) -> None:
    """Who turned: an abrupt change of interests, or posts of a sudden event."""
    interests, start_us = posts.world.interests, posts.world.spec.start_us
    found = right = 0
    turned, noticed = [], []
    for user in np.flatnonzero(np.bincount(posts.user) >= 200).tolist():
        trail = posts.trail(user)
        on = posts.sudden[posts.user == user]
        change_us = np.inf
        if interests.change[user] == CHANGES.index("abrupt"):
            change_us = start_us + interests.start_us[interests.first[user] + 1]
        days = [w.start_us for w in sudden_windows(trail, SPEC)]
        for day in days:
            inside = (trail.at_us >= day) & (trail.at_us < day + DAY_US)
            found += 1
            right += bool(on[inside].mean() >= 0.3 or change_us - DAY_US < day < change_us + 10 * DAY_US)
        if np.isfinite(change_us):
            turned.append(user)
            noticed.append(any(change_us - DAY_US < day < change_us + 10 * DAY_US for day in days))
    print(found, right, len(turned), sum(noticed))  # noqa: T201
    assert found >= 5 and len(turned) >= 5
    assert right / found >= 0.8  # precision
