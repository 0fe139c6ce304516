"""Which profile is better on your own data: next-event retrieval, without a leak, with intervals."""

from dynprof.evaluation.baselines import COUNTS, rank_baselines
from dynprof.evaluation.contestant import Contestant, Factory, Placed, place
from dynprof.evaluation.facts import Facts
from dynprof.evaluation.judging import Judged, count_candidates, judge_candidates
from dynprof.evaluation.log import EVENT_COLUMNS, EventLog, EventNames, index_events
from dynprof.evaluation.methods import Method, profile_methods
from dynprof.evaluation.outcome import Outcome
from dynprof.evaluation.protocol import (
    AUTO,
    TestEvents,
    Window,
    choose_tests,
    draw_keys,
    eligible_events,
    last_window,
    sample_size,
)
from dynprof.evaluation.ranking import Posed, cut_rounds, pose_tests, settle_ranks
from dynprof.evaluation.report import Report, render_markdown, report_document
from dynprof.evaluation.retrieval import Queries, Ranks
from dynprof.evaluation.tabulate import tabulate
from dynprof.evaluation.windows import Periods, TestWindows, cut_periods

__all__ = [
    "AUTO",
    "COUNTS",
    "EVENT_COLUMNS",
    "Contestant",
    "EventLog",
    "EventNames",
    "Factory",
    "Facts",
    "Judged",
    "Method",
    "Outcome",
    "Periods",
    "Placed",
    "Posed",
    "Queries",
    "Ranks",
    "Report",
    "TestEvents",
    "TestWindows",
    "Window",
    "choose_tests",
    "count_candidates",
    "cut_periods",
    "cut_rounds",
    "draw_keys",
    "eligible_events",
    "index_events",
    "judge_candidates",
    "last_window",
    "place",
    "pose_tests",
    "profile_methods",
    "rank_baselines",
    "render_markdown",
    "report_document",
    "sample_size",
    "settle_ranks",
    "tabulate",
]
