"""Activity: the third modality beside posts and bio, as a small separate block of numbers a user."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.duration import SECONDS_PER_DAY
from dynprof.profile import MICROSECONDS, age_seconds
from dynprof.schema import activity_schema
from dynprof.vectors import one_chunk

__all__ = ["ACTIVITY_FEATURES", "activity_table"]

_TYPES = ("post", "reply", "retweet", "quote", "like", "other")
_WINDOWS_D = (1, 7, 30, 365)
ACTIVITY_FEATURES: tuple[str, ...] = (
    *(f"log1p_count_{name}" for name in _TYPES),
    *(f"share_hour_{hour:02d}_utc" for hour in range(24)),
    *(f"per_day_last_{days}d" for days in _WINDOWS_D),
    "active_day_share",
)
"""Names of the numbers, in order: counts by type, shares by hour of day, rates, share of days with an event."""


def activity_table(events: pa.Table, as_of_us: int) -> pa.Table:
    """One row a user with an event before `as_of`, sorted by user.

    Args:
        events: `user_id`, `timestamp`, `event_type` of `schema.EVENTS`; those without a text count too.
        as_of_us: Microseconds since 1970; events at or after it do not count.
    """
    at_us = np.asarray(events["timestamp"].combine_chunks().cast(pa.int64()))
    events, at_us = events.filter(pa.array(at_us < as_of_us)), at_us[at_us < as_of_us]
    user_ids = pc.unique(events["user_id"])
    user_ids = user_ids.take(pc.array_sort_indices(user_ids))
    users = np.asarray(pc.index_in(one_chunk(events["user_id"]), value_set=user_ids), np.int64)
    kinds = pc.index_in(one_chunk(events["event_type"]), value_set=pa.array(_TYPES[:-1])).fill_null(len(_TYPES) - 1)
    n = len(user_ids)
    counts = _grid(users, np.asarray(kinds, np.int64), n, len(_TYPES))
    hours = _grid(users, at_us // (3_600 * MICROSECONDS) % 24, n, 24)
    total = np.maximum(counts.sum(1, keepdims=True), 1)
    age_s = age_seconds(as_of_us, at_us)
    rates = [np.bincount(users[age_s <= d * SECONDS_PER_DAY], minlength=n) / d for d in _WINDOWS_D]
    features = np.hstack(
        [np.log1p(counts), hours / total, np.stack(rates, 1), _active_share(users, at_us, as_of_us, n)]
    )
    schema = activity_schema(len(ACTIVITY_FEATURES))
    values = pa.array(features.astype(np.float32).reshape(-1))
    block = pa.FixedSizeListArray.from_arrays(values, type=schema.field("activity").type)
    return pa.Table.from_arrays([user_ids, block], schema=schema)


def _grid(
    users: npt.NDArray[np.int64], column: npt.NDArray[np.int64], n_users: int, width: int
) -> npt.NDArray[np.float64]:
    """(n_users, width) number of events of each user in each column."""
    return np.bincount(users * width + column, minlength=n_users * width).reshape(n_users, width).astype(np.float64)


def _active_share(
    users: npt.NDArray[np.int64], at_us: npt.NDArray[np.int64], as_of_us: int, n_users: int
) -> npt.NDArray[np.float64]:
    """(n_users, 1) days with an event over days since the first one."""
    day_us = int(SECONDS_PER_DAY) * MICROSECONDS
    last = (as_of_us - 1) // day_us  # an as_of at midnight begins no day: nobody could be active on it
    days = np.unique(np.stack([users, at_us // day_us], 1), axis=0)
    active = np.bincount(days[:, 0], minlength=n_users)
    first = np.full(n_users, last)
    np.minimum.at(first, users, at_us // day_us)
    share: npt.NDArray[np.float64] = active / (last - first + 1)
    return share[:, None]
