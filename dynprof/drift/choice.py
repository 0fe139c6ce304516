"""Whom and what a monitor looks at: samples by ids, texts, times and the seed only, and the tests of the cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.drift.spec import MonitorSpec
from dynprof.errors import WorkspaceError
from dynprof.evaluation.loading import read_bucket
from dynprof.evaluation.log import EventLog, EventNames, index_events
from dynprof.evaluation.protocol import (
    TestEvents,
    choose_tests,
    draw_keys,
    eligible_events,
    last_window,
    text_keys,
)
from dynprof.lineage import CorpusView
from dynprof.workspace import Workspace

__all__ = ["Choice", "choose"]

_TOPIC_SAMPLE = 20_000


@dataclass(frozen=True)
class Choice:
    """What is looked at, in the numbers of one log.

    Attributes:
        log: All events before the snapshot's time.
        names: What the numbers stand for; its own `bucket_starts` are of the log before it was cut.
        users: (k,) rising numbers of the sampled users, each with an event.
        items: (m,) rising numbers of the sampled items.
        tests: Of the cost of batch updates, in order of time; none where no event can be predicted.
        buckets: (len(tests),) user bucket of each.
        bucket_starts: (n_buckets,) position in `log` of the first event of each user bucket.
        topic_items: Items whose vectors the topics are made of.
    """

    log: EventLog
    names: EventNames
    users: npt.NDArray[np.int64]
    items: npt.NDArray[np.int64]
    tests: TestEvents
    buckets: npt.NDArray[np.int64]
    bucket_starts: npt.NDArray[np.int64]
    topic_items: npt.NDArray[np.int64]


def choose(workspace: Workspace, view: CorpusView, spec: MonitorSpec) -> Choice:
    """Read the log as numbers and draw the samples.

    Raises:
        WorkspaceError: No event with a text before the snapshot's time.
    """
    tables = (read_bucket(workspace, b, view.segments) for b in range(view.n_buckets))
    whole, names = index_events(tables, spec.type_weights)
    log = whole.before(spec.as_of_us)
    if not len(log):
        raise WorkspaceError(
            f"{workspace.path('corpus')}: expected events with a text before {spec.snapshot}, found none: there is "
            "nothing to monitor. Ingest events, or name a later snapshot with --snapshot."
        )
    kept = np.flatnonzero(whole.event_us < spec.as_of_us)
    bucket_of_event = np.searchsorted(names.bucket_starts, kept, side="right") - 1
    tests = _tests(log, names, spec)
    return Choice(
        log,
        names,
        users=_smallest(names.user_ids, np.unique(log.users), spec.users, spec.seed),
        items=_items(log, names, spec),
        tests=tests,
        buckets=bucket_of_event[tests.positions],
        bucket_starts=np.searchsorted(kept, names.bucket_starts[:-1]),
        topic_items=_topic_items(log, names, spec),
    )


def _smallest(ids: pa.Array, among: npt.NDArray[np.integer], n: int, seed: int) -> npt.NDArray[np.int64]:
    """The n members whose ids have the smallest keys, rising."""
    members = np.asarray(among, np.int64)
    if len(members) <= n:
        return members
    keys = draw_keys(ids.take(pa.array(members)).cast(pa.string()), seed)
    return np.sort(members[np.argsort(keys, kind="stable")[:n]])


def _items(log: EventLog, names: EventNames, spec: MonitorSpec) -> npt.NDArray[np.int64]:
    counts = np.bincount(log.items, minlength=log.n_items)
    often = np.flatnonzero(counts >= spec.min_interactions)
    return _smallest_texts(log, names, often, spec.items, spec.seed)


def _tests(log: EventLog, names: EventNames, spec: MonitorSpec) -> TestEvents:
    eligible = eligible_events(log, last_window(log, spec.test_share))
    keys = text_keys(names.text_hashes, log.items[eligible], log.event_us[eligible], spec.seed)
    return choose_tests(log, eligible, keys, max_events=spec.max_tests)


def _topic_items(log: EventLog, names: EventNames, spec: MonitorSpec) -> npt.NDArray[np.int64]:
    return _smallest_texts(log, names, np.arange(log.n_items), _TOPIC_SAMPLE if spec.topics else 0, spec.seed)


def _smallest_texts(
    log: EventLog, names: EventNames, among: npt.NDArray[np.int64], n: int, seed: int
) -> npt.NDArray[np.int64]:
    """The n items whose texts have the smallest keys, rising."""
    if len(among) <= n:
        return among
    keys = text_keys(names.text_hashes, among, log.first_us[among], seed)
    return np.sort(among[np.argsort(keys, kind="stable")[:n]])
