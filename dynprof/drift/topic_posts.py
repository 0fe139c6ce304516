"""The posts behind a topic's sudden windows: a second look, at those windows alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.drift.bucket import BucketTrails
from dynprof.drift.tables import SUDDEN_POSTS, stacked
from dynprof.drift.topics import nearest_topic
from dynprof.profile import MICROSECONDS

__all__ = ["TOPIC_POSTS_SHOWN", "best_posts", "topic_posts"]

TOPIC_POSTS_SHOWN = 5

Window = tuple[int, datetime]
"""Topic, and the beginning of the window."""


def topic_posts(
    bucket: BucketTrails, windows: Sequence[Window], centres: npt.NDArray[np.float32], length_us: int
) -> pa.Table:
    """`SUDDEN_POSTS` of one bucket: of each window the posts of the topic closest to its centre.

    Args:
        bucket: Opened.
        windows: Distinct.
        centres: (K, dim) of the topics.
        length_us: Of a window.
    """
    log, rows = bucket.log, []
    if not len(log):
        return SUDDEN_POSTS.empty_table()
    topic = nearest_topic(bucket.vectors, log.n_items, centres)[log.items]
    beginning = log.event_us // length_us * length_us
    for number, start in windows:
        start_us = int(start.timestamp()) * MICROSECONDS + start.microsecond
        mine = np.flatnonzero((topic == number) & (beginning == start_us))
        near = bucket.vectors.take(log.items[mine]).astype(np.float32) @ centres[number]
        for place in np.argsort(-near, kind="stable")[:TOPIC_POSTS_SHOWN].tolist():
            event = int(mine[place])
            rows.append(
                {
                    "kind": "topic",
                    "id": str(number),
                    "start": start,
                    "user_id": bucket.user_ids[int(log.users[event])].as_py(),
                    "event_id": bucket.event_ids[event].as_py(),
                    "timestamp": int(log.event_us[event]),
                    "contribution": float(near[place]),
                }
            )
    return stacked(rows, SUDDEN_POSTS)


def best_posts(posts: pa.Table) -> pa.Table:
    """Of the posts of all buckets those that are shown of each window, the largest part first."""
    order = [("id", "ascending"), ("start", "ascending"), ("contribution", "descending"), ("event_id", "ascending")]
    posts = posts.sort_by(order)
    keys = list(zip(posts["id"].to_pylist(), posts["start"].to_pylist(), strict=True))
    place, shown = 0, []
    for i, key in enumerate(keys):  # a handful of posts a window and bucket
        place = place + 1 if i and key == keys[i - 1] else 0
        shown.append(place < TOPIC_POSTS_SHOWN)
    return posts.filter(pa.array(shown, pa.bool_()))
