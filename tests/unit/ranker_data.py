"""Logs for the tests of the ranker: random ones with many ties, and one in which who follows whom decides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.bank import Bank
from dynprof.evaluation import EventLog, TestEvents, Window, choose_tests, eligible_events
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.ranker.questions import Questions
from dynprof.ranker.traces import Tags, Traces
from unit.evaluation_data import of_matrix

MINUTE_US = 60_000_000
BANK = Bank((3_600.0, 86_400.0, 30 * 86_400.0))
DIM = 8


def make_log(
    users: npt.NDArray, event_us: npt.NDArray, items: npt.NDArray, weights: npt.NDArray | None = None
) -> EventLog:
    """A log from events in any order; items are numbered anew by first appearance, ties by the number given."""
    weights = np.ones(len(users)) if weights is None else weights
    first = np.full(int(items.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, items, event_us)
    there = np.flatnonzero(first < np.iinfo(np.int64).max)
    numbers = np.zeros(len(first), np.int32)
    by_time = there[np.argsort(first[there], kind="stable")]
    numbers[by_time] = np.arange(len(by_time))
    order = np.lexsort((numbers[items], event_us, users))
    users, event_us, items, weights = users[order], event_us[order], numbers[items][order], weights[order]
    novel = np.zeros(len(users), np.bool_)
    novel[np.unique(users.astype(np.int64) * (len(first) + 1) + items, return_index=True)[1]] = True
    return EventLog(
        users.astype(np.int32), event_us.astype(np.int64), items.astype(np.int32), weights, novel, first[by_time]
    )


def random_log(seed: int, n: int = 150, n_users: int = 8, n_items: int = 40) -> EventLog:
    """Few minutes, so that many events share one; some dislikes."""
    rng = np.random.default_rng(seed)
    times = rng.integers(0, 300, n) * MINUTE_US
    weights = np.where(rng.random(n) < 0.1, -1.0, 1.0)
    return make_log(rng.integers(0, n_users, n), times, rng.integers(0, n_items, n), weights)


def following_log(seed: int = 0, n_items: int = 900, n_groups: int = 3, n_members: int = 6) -> EventLog:
    """An item a minute, of one of some groups; within the hour most members of the group meet it, others hardly do.

    Nothing but who met the same items before says who will.
    """
    rng = np.random.default_rng(seed)
    users, times, items = [], [], []
    for item in range(n_items):
        group = int(rng.integers(n_groups))
        members = [group * n_members + m for m in range(n_members) if rng.random() < 0.8]
        strangers = [int(rng.integers(n_groups * n_members))] if rng.random() < 0.2 else []
        chosen = list(dict.fromkeys([*members, *strangers]))
        waits = np.sort(rng.choice(np.arange(1, 60), len(chosen), replace=False)) if chosen else []
        users += chosen
        times += [(item * 5 + int(w)) * MINUTE_US for w in waits]
        items += [item] * len(chosen)
    return make_log(np.array(users), np.array(times), np.array(items))


def vectors_for(log: EventLog, seed: int = 0) -> ItemVectors:
    """A unit vector an item."""
    raw = np.random.default_rng(seed).standard_normal((log.n_items, DIM))
    return of_matrix((raw / np.linalg.norm(raw, axis=1, keepdims=True)).astype(np.float16))


def tags_for(log: EventLog, seed: int = 0) -> Tags:
    """Two languages, three authors, some without."""
    rng = np.random.default_rng(seed)
    return Tags(rng.integers(-1, 2, log.n_items).astype(np.int32), rng.integers(-1, 3, log.n_items).astype(np.int32))


def questions_of(log: EventLog, seed: int = 0) -> Questions:
    """With vectors and tags of their own."""
    return Questions(log, Traces.of(log, tags_for(log, seed)), vectors_for(log, seed), BANK)


def asked_of(log: EventLog, start_us: int = 0, stop_us: int = 1 << 60, *, include_seen: bool = False) -> TestEvents:
    """All that can be predicted in a stretch of time."""
    eligible = eligible_events(log, Window(start_us, stop_us), include_seen=include_seen)
    return choose_tests(log, eligible, include_seen=include_seen)
