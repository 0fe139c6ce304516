"""From a checked question to an answer: how a profile moved."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.history import History
from dynprof.snapshot import parse_time_us
from dynprof.sources import ItemQuery
from dynprof.timeline import ProfilePath, profile_path
from serve import subject
from serve.about import about_user, datetime_of
from serve.engine import Engine
from serve.item_schemas import TimelineAnswer, TimelineEnd, TimelinePoint
from serve.parameters import TimelineQuery
from serve.recommendation_answers import scored_items

__all__ = ["timeline_answer", "times_of"]


def timeline_answer(engine: Engine, user_id: str, query: TimelineQuery) -> TimelineAnswer:
    """Exact at every time, also for users who are kept as sums: it reads their events.

    Raises:
        UnknownUserError: There is no such user.
        ConfigError: The times are in the wrong order.
    """
    user, history, decay = engine.users.user(user_id), engine.users.history(user_id), engine.decay_of(query)
    times_us = times_of(engine, history, query)
    path = profile_path(history, decay, times_us, prior=user.prior, prior_weight=user.prior_weight)
    bio = user.prior if user.prior_kind == "bio" else None
    who = subject.posted(
        engine.users, history, np.empty((0, 2), np.uint64), bio, decay, int(times_us[-1]), stranger=user_id
    )
    times = times_us.tolist()
    then, now = (_end(engine, times[at], path.profiles.vectors[at], query.items) for at in (0, -1))
    return TimelineAnswer(**about_user(engine, who), points=_points(path, times), then=then, now=now)


def times_of(engine: Engine, history: History, query: TimelineQuery) -> npt.NDArray[np.int64]:
    """(p,) the times that are asked for, microseconds since 1970, rising; fewer where some are the same.

    Raises:
        ConfigError: The times are in the wrong order.
    """
    last_us = engine.users.as_of_us if query.to is None else parse_time_us(query.to)
    first_us = last_us if not len(history) else min(last_us, int(history.at_us[0]) + 1)
    first_us = first_us if query.from_ is None else parse_time_us(query.from_)
    if first_us > last_us:
        raise ConfigError(
            "from: expected a time that is not after `to`, or after the default of that where it is left out."
        )
    return np.unique(np.linspace(first_us, last_us, query.points).astype(np.int64))


def _points(path: ProfilePath, times_us: list[int]) -> list[TimelinePoint]:
    columns = (path.profiles.mass, path.profiles.n_effective, path.n_events, path.steps, path.drifts)
    rows = zip(times_us, *(column.tolist() for column in columns), strict=True)
    return [
        TimelinePoint(at=datetime_of(at), mass=mass, n_effective=n, n_events=events, step=_number(s), drift=_number(d))
        for at, mass, n, events, s, d in rows
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _end(engine: Engine, at_us: int, vector: npt.NDArray[np.float32], n_items: int) -> TimelineEnd:
    if n_items == 0 or not np.any(vector):
        return TimelineEnd(at=datetime_of(at_us), items=[])
    found = engine.items.search(ItemQuery(vector, n_items, at_us, metric="cosine"))
    return TimelineEnd(at=datetime_of(at_us), items=scored_items(found))
