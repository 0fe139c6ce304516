"""Which profile is better on your own data: next-event retrieval, without a leak, with intervals."""

from dynprof.evaluation.baselines import rank_baselines
from dynprof.evaluation.comparison import Estimate, Scores, compare_methods
from dynprof.evaluation.log import EVENT_COLUMNS, EventLog, EventNames, index_events
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
from dynprof.evaluation.ranking import Method, Posed, contest_methods, cut_rounds, pose_tests, settle_ranks
from dynprof.evaluation.report import Facts, Report, render_csv, render_markdown, report_document
from dynprof.evaluation.retrieval import Queries, Ranks, count_candidates

__all__ = [
    "AUTO",
    "EVENT_COLUMNS",
    "Estimate",
    "EventLog",
    "EventNames",
    "Facts",
    "Method",
    "Posed",
    "Queries",
    "Ranks",
    "Report",
    "Scores",
    "TestEvents",
    "Window",
    "choose_tests",
    "compare_methods",
    "contest_methods",
    "count_candidates",
    "cut_rounds",
    "draw_keys",
    "eligible_events",
    "index_events",
    "last_window",
    "pose_tests",
    "rank_baselines",
    "render_csv",
    "render_markdown",
    "report_document",
    "sample_size",
    "settle_ranks",
]
