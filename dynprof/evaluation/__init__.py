"""Which profile is better on your own data: next-event retrieval, without a leak, with intervals."""

from dynprof.evaluation.comparison import Estimate, Scores, compare_methods
from dynprof.evaluation.log import EVENT_COLUMNS, EventLog, EventNames, index_events
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, cut_blocks, eligible_events, last_window
from dynprof.evaluation.ranking import Contest, Method, contest_methods, rank_block
from dynprof.evaluation.report import Facts, Report, render_csv, render_markdown, report_document
from dynprof.evaluation.retrieval import Ranks

__all__ = [
    "EVENT_COLUMNS",
    "Contest",
    "Estimate",
    "EventLog",
    "EventNames",
    "Facts",
    "Method",
    "Ranks",
    "Report",
    "Scores",
    "TestEvents",
    "Window",
    "choose_tests",
    "compare_methods",
    "contest_methods",
    "cut_blocks",
    "eligible_events",
    "index_events",
    "last_window",
    "rank_block",
    "render_csv",
    "render_markdown",
    "report_document",
]
