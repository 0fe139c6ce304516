"""The answer for people and programs: one report as text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from dynprof.evaluation.bootstrap import MIN_USERS
from dynprof.evaluation.comparison import REFERENCE, Estimate, Scores
from dynprof.profile import MICROSECONDS

__all__ = ["Facts", "Report", "iso_time", "render_csv", "render_markdown", "report_document"]

_HEADINGS = {"hit_rate": "hit rate", "ndcg": "NDCG", "mrr": "MRR"}


@dataclass(frozen=True)
class Facts:
    """What was tested. Counts of events, unless said otherwise.

    Attributes:
        window_start_us: First time of the test window.
        window_stop_us: First time after it.
        n_corpus: Events with a text in the corpus.
        n_items: Distinct texts.
        n_window: Events in the window.
        n_eligible: Of these, those that can be predicted.
        n_tested: Of these, those that were: the sample.
        n_users: Users of the tested events.
        n_without_history: Tested events whose user had none before; their profile is the prior alone.
        median_candidates: Median number of candidates of a tested event; None without tested events.
    """

    window_start_us: int
    window_stop_us: int
    n_corpus: int
    n_items: int
    n_window: int
    n_eligible: int
    n_tested: int
    n_users: int
    n_without_history: int
    median_candidates: float | None


@dataclass(frozen=True)
class Report:
    """Facts, how it was asked, and the numbers; `scores` is empty where nothing could be tested."""

    parameters: Mapping[str, Any]
    metrics: Sequence[str]
    facts: Facts
    scores: Sequence[Scores]

    @property
    def notes(self) -> list[str]:
        """Sentences without which the numbers would be misread."""
        return [*_missing_numbers(self.facts), *_tested(self.facts), *_protocol(self.parameters)]


def iso_time(us: int) -> str:
    """2018-01-01T00:00:00Z, cut to seconds."""
    return datetime.fromtimestamp(us // MICROSECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def report_document(report: Report) -> dict[str, Any]:
    """The report as JSON types."""
    return {
        "parameters": dict(report.parameters),
        "facts": {
            **asdict(report.facts),
            "window_start": iso_time(report.facts.window_start_us),
            "window_stop": iso_time(report.facts.window_stop_us),
        },
        "reference": REFERENCE,
        "notes": report.notes,
        "methods": [
            {
                **asdict(s.method),
                "metrics": {n: asdict(e) for n, e in s.metrics.items()},
                f"minus_{REFERENCE}": {n: asdict(e) for n, e in s.minus_reference.items()},
            }
            for s in report.scores
        ],
    }


def render_csv(report: Report) -> str:
    """One row a method; for every metric its value, low and high, then the same less the static profile's."""
    columns = [f"{prefix}{name}" for prefix in ("", f"minus_{REFERENCE}_") for name in report.metrics]
    sides = [f"{c}{suffix}" for c in columns for suffix in ("", "_low", "_high")]
    target = io.StringIO()
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(["method", "kind", "half_life", *sides])
    for scores in report.scores:
        found = [scores.metrics.get(n) for n in report.metrics] + [
            scores.minus_reference.get(n) for n in report.metrics
        ]
        cells = [v for e in found for v in (("", "", "") if e is None else (e.value, e.low, e.high))]
        writer.writerow([scores.method.name, scores.method.kind, scores.method.half_life, *cells])
    return target.getvalue()


def render_markdown(report: Report) -> str:
    """The table, aligned so that it reads on a terminal too, and the notes."""
    lines = _table(report) if report.scores else ["no eligible test events"]
    return "\n".join([*lines, "", *(f"- {n}" for n in report.notes)]) + "\n"


def _table(report: Report) -> list[str]:
    headings = [_heading(n) for n in report.metrics]
    rows = [["method", *headings, *(f"{h} - {REFERENCE}" for h in headings)]]
    for scores in report.scores:
        own = [_cell(scores.metrics[n]) for n in report.metrics]
        less = [_cell(scores.minus_reference.get(n), signed=True) for n in report.metrics]
        rows.append([scores.method.name, *own, *less])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * w for w in widths]
    return [
        "| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in _below(rows, rule)
    ]


def _below(rows: list[list[str]], rule: list[str]) -> list[list[str]]:
    return [rows[0], rule, *rows[1:]]


def _heading(name: str) -> str:
    base, _, k = name.partition("@")
    return _HEADINGS.get(base, base) + (f"@{k}" if k else "")


def _cell(estimate: Estimate | None, *, signed: bool = False) -> str:
    if estimate is None:
        return ""
    form = "+.4f" if signed else ".4f"
    value = format(estimate.value, form)
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} [{estimate.low:{form}}, {estimate.high:{form}}]"


def _missing_numbers(facts: Facts) -> list[str]:
    if not facts.n_tested:
        return [
            f"No event of the {facts.n_window} in the test window could be predicted: none with a positive weight is "
            "about a text that appeared strictly before it (and that its user had not had). There are no numbers."
        ]
    if facts.n_users < MIN_USERS:
        return [f"No intervals: the tested events come from {facts.n_users} users; {MIN_USERS} are needed."]
    return ["In brackets: 95 % bootstrap intervals over users (percentiles of draws with replacement)."]


def _tested(facts: Facts) -> list[str]:
    counts = (
        f"Test window {iso_time(facts.window_start_us)} to {iso_time(facts.window_stop_us)} (exclusive): "
        f"{facts.n_window} of {facts.n_corpus} events, {facts.n_eligible} eligible, {facts.n_tested} tested"
    )
    if not facts.n_tested:
        return [f"{counts}."]
    return [
        f"{counts}, of {facts.n_users} users; median number of candidates {facts.median_candidates:.0f} of "
        f"{facts.n_items} texts.",
        f"{facts.n_without_history} tested events have no history: their profile is the prior (bio where known, else "
        "the mean of the texts that appeared before the window). They are counted.",
    ]


def _protocol(parameters: Mapping[str, Any]) -> list[str]:
    seen = (
        "Texts that the user had before stay candidates, and their repeats are tested."
        if parameters.get("include_seen")
        else "Texts that the user had before are no candidates, and repeats are not tested."
    )
    return [
        "Each event is predicted from its user's events strictly before it, among all texts that appeared strictly "
        f"before it; a text is one candidate however many items carry it. {seen}",
        "Ties count as their expected value in random order; `random` is therefore chance itself.",
    ]
