"""From a corpus to plans: the log as numbers, and the test events of each window. No vector is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.evaluation.facts import Facts
from dynprof.evaluation.leave_one_out import leave_one_out
from dynprof.evaluation.log import EVENT_COLUMNS, EventLog, EventNames, index_events
from dynprof.evaluation.methods import item_clocks
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, draw_keys, eligible_events, sample_size
from dynprof.evaluation.weighing import Weighing
from dynprof.evaluation.windows import WHOLE_TEST, Periods, TestWindows, cut_periods
from dynprof.lineage import CorpusView, present_corpus
from dynprof.segments import read_events
from dynprof.vectors import one_chunk
from dynprof.workspace import Workspace

__all__ = ["Material", "Plan", "Question", "load_material", "load_plan", "plan_window", "read_bucket"]


@dataclass(frozen=True)
class Question:
    """What is asked of a corpus. Everything that changes a rank, and nothing else.

    Attributes:
        fingerprint: Of the encoder.
        decays: The weighings compared.
        type_weights: Weight of an event by its type; types not named count 1.
        prior_weight: kappa, in units of event weight, >= 0.
        test_share: The test windows are the last such share of the events, in (0, 1).
        max_events: Largest sample of test events of a window; 0 for all, `protocol.AUTO` by the number of texts.
        include_seen: Whether texts that the user had before stay candidates.
        seed: Of the sample.
        n_windows: Of the test.
        similarities: Of profile and item.
        item_half_lives_s: Seconds after which an item counts half under `cosine_time`.
        leave_one_out: Each user's last event is the test and everything else is the past, whenever it was: it leaks.
        with_drift: Whether the drift of each test's user is asked for.
    """

    fingerprint: str
    decays: tuple[Weighing, ...]
    type_weights: Mapping[str, float]
    prior_weight: float
    test_share: float
    max_events: int | str
    include_seen: bool
    seed: int
    n_windows: int = 1
    similarities: tuple[str, ...] = ("cosine",)
    item_half_lives_s: tuple[float, ...] = ()
    leave_one_out: bool = False
    with_drift: bool = False

    @property
    def clocks(self) -> tuple[float | None, ...]:
        """How the streamed counts age the items."""
        return item_clocks(self.similarities, self.item_half_lives_s)


@dataclass(frozen=True)
class Material:
    """A corpus as numbers.

    Attributes:
        workspace: Where it lies.
        view: Which corpus.
        log: All events.
        names: What its numbers stand for.
        periods: How its time is cut.
        real_us: (n,) time of each event where the log has moved some behind its end, to leave them out; else None.
    """

    workspace: Workspace
    view: CorpusView
    log: EventLog
    names: EventNames
    periods: Periods
    real_us: npt.NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Plan:
    """What is tested in one window.

    Attributes:
        log: All events.
        names: What its numbers stand for.
        window: Where the tests lie.
        tests: The sample.
        n_eligible: Number of events that it was drawn from.
        name: Of the window.
    """

    log: EventLog
    names: EventNames
    window: Window
    tests: TestEvents
    n_eligible: int
    name: str = WHOLE_TEST

    @property
    def n_early(self) -> int:
        """Number of items that appeared before the window; their mean vector is the prior of users without a bio."""
        return int(np.searchsorted(self.log.first_us, self.window.start_us))

    def facts(self) -> Facts:
        """The counts for the report."""
        log, window, tests = self.log, self.window, self.tests
        inside = (log.event_us >= window.start_us) & (log.event_us < window.stop_us)
        return Facts(
            window_start_us=window.start_us,
            window_stop_us=window.stop_us,
            n_corpus=len(log),
            n_items=log.n_items,
            n_window=int(np.count_nonzero(inside)),
            n_eligible=self.n_eligible,
            n_tested=len(tests),
            n_users=len(np.unique(tests.users)),
            n_without_history=int(np.count_nonzero(tests.n_history == 0)),
            median_candidates=float(np.median(tests.catalogue)) if len(tests) else None,
        )


def load_material(workspace: Workspace, question: Question, view: CorpusView | None = None) -> Material:
    """Read the corpus, bucket after bucket, base and segments put together.

    Memory: 25 bytes an event and 24 a distinct text to keep, about three times that while the texts are numbered.

    Args:
        workspace: Where.
        question: What is asked.
        view: The corpus; None for the present one.

    Raises:
        WorkspaceError: No finished corpus.
        ConfigError: A share or number of windows out of range.
    """
    view = view or present_corpus(workspace)
    tables = (read_bucket(workspace, b, view.segments) for b in range(view.n_buckets))
    log, names = index_events(tables, question.type_weights)
    if not question.leave_one_out:
        return Material(workspace, view, log, names, cut_periods(log, question.test_share, question.n_windows))
    moved, names, window = leave_one_out(log, names)
    periods = Periods(Window(window.start_us, window.start_us), TestWindows((window,)))
    return Material(workspace, view, moved, names, periods, log.event_us)


def plan_window(material: Material, question: Question, window: Window, name: str = WHOLE_TEST) -> Plan:
    """Choose the test events of a window.

    Raises:
        ConfigError: A sample size out of range.
    """
    log, names = material.log, material.names
    eligible = eligible_events(log, window, include_seen=question.include_seen)
    size = sample_size(question.max_events, log.n_items)
    keys = None
    if 0 < size < len(eligible):
        keys = _draw(material.workspace, material.view, names, eligible, question.seed)
    tests = choose_tests(log, eligible, keys, max_events=size, include_seen=question.include_seen)
    if material.real_us is not None:
        tests = replace(tests, asked_us=material.real_us[tests.positions])
    return Plan(log, names, window, tests, len(eligible), name)


def load_plan(workspace: Workspace, question: Question, view: CorpusView | None = None) -> Plan:
    """Corpus and last test window at once.

    Raises:
        WorkspaceError: No finished corpus.
        ConfigError: A share or sample size out of range.
    """
    material = load_material(workspace, question, view)
    return plan_window(material, question, material.periods.tests.open(None)[-1])


def read_bucket(workspace: Workspace, bucket: int, segments: Sequence[str] = ()) -> pa.Table:
    """`EVENT_COLUMNS` of a user bucket, by user, time and event id whatever part of the corpus a row stands in.

    Args:
        workspace: Where.
        bucket: User bucket.
        segments: Of the corpus, oldest first.
    """
    # The base lies in that order; what segments add is put there, and of equal times only the ids tell which is first.
    columns = [*EVENT_COLUMNS, "event_id"] if segments else EVENT_COLUMNS
    return read_events(workspace, bucket, columns, segments=segments).select(EVENT_COLUMNS)


def _draw(
    workspace: Workspace, view: CorpusView, names: EventNames, eligible: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.uint64]:
    """The keys of the eligible events. Their ids are read for this alone: those of all events would be the largest
    column of the log.
    """
    keys = np.empty(len(eligible), np.uint64)
    bounds = np.searchsorted(eligible, names.bucket_starts)
    ordered_by = ["user_id", "timestamp"] if view.segments else []
    columns = [*ordered_by, "event_id", "text_hash"]
    for bucket in np.flatnonzero(np.diff(bounds)):
        mine = slice(bounds[bucket], bounds[bucket + 1])
        table = read_events(workspace, int(bucket), columns, segments=view.segments)
        ids = table.filter(pc.is_valid(table["text_hash"]))["event_id"]
        keys[mine] = draw_keys(one_chunk(ids).take(eligible[mine] - names.bucket_starts[bucket]), seed)
    return keys
