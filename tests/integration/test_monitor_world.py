"""The generated world's truth: few false alarms, planted changes and sudden events found, with precision and recall."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.monitor_alarms import alarms_of, stable_users
from benchmarks.monitor_turns import DAY_US, SPEC, find_turns, quiet_turns, trails_of
from benchmarks.monitor_world import KNOWN, WorldPosts, read_posts
from dynprof.drift.sections import topic_rows
from dynprof.drift.topics import count_topics, find_topics, nearest_topic
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.vector_chunk import VectorChunk
from dynprof.world import WorldSpec


@pytest.fixture(scope="module")
def posts() -> WorldPosts:
    """About 24,000 posts of 400 users in 180 days, four sudden events among them."""
    return read_posts(WorldSpec(n_users=400, n_events=40_000, seed=2, days=180, languages=("en",)), KNOWN)


def test_at_most_one_in_twenty_quiet_comparisons_alarms_and_nine_in_ten_changes_of_a_tenth_do() -> None:
    users = stable_users(
        read_posts(WorldSpec(n_users=900, n_events=90_000, seed=2, days=180, languages=("en",)), KNOWN)
    )
    quiet = [alarms_of(users, share=0.0, n_replays=16, seed=s) for s in range(20)]
    turned = [alarms_of(users, share=0.1, n_replays=16, seed=s) for s in range(10)]
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


def test_a_day_of_somebody_elses_posts_is_found_and_users_as_they_are_are_left_alone(posts: WorldPosts) -> None:
    trails = trails_of(posts)
    found, tried = find_turns(posts, trails, 20, seed=20)
    named, judged = quiet_turns(trails)
    assert tried >= 40
    assert found / tried >= 0.75  # recall
    assert judged > 4_000
    assert named <= judged / 1_000
