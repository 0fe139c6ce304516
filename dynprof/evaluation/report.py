"""The answer for people and programs: what the results table says, as Markdown and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dynprof.evaluation.bootstrap import MIN_USERS
from dynprof.evaluation.facts import Facts, iso_time
from dynprof.evaluation.methods import PROFILES, REFERENCE
from dynprof.evaluation.results import WHOLE
from dynprof.evaluation.tables import results_tables
from dynprof.evaluation.windows import WHOLE_TEST

__all__ = ["Report", "render_markdown", "report_document"]

_ESTIMATE = ("value", "low", "high")
_DIFFERENCE = ("difference", "difference_low", "difference_high", "relative", "p", "p_holm", "effect")


@dataclass(frozen=True)
class Report:
    """How it was asked, what was tested, and the numbers.

    Attributes:
        parameters: All that the numbers depend on.
        metrics: Their names, in order.
        windows: Facts by name of the window, in order of time; `test` is all test windows together.
        results: Of the schema `RESULTS`; no rows where nothing could be tested.
        remarks: Sentences about this run: what could not be had, and why.
        choice: What was tuned, if anything was.
    """

    parameters: Mapping[str, Any]
    metrics: Sequence[str]
    windows: Mapping[str, Facts]
    results: pa.Table
    remarks: Sequence[str] = ()
    choice: Mapping[str, Any] | None = field(default=None)

    @property
    def facts(self) -> Facts:
        """Of all test windows together."""
        return self.windows[WHOLE_TEST]

    @property
    def is_leaky(self) -> bool:
        """Whether tests know the future of other users."""
        return bool(self.parameters.get("leave_one_out"))

    @property
    def notes(self) -> list[str]:
        """Sentences without which the numbers would be misread."""
        leak = [_LEAK] if self.is_leaky else []
        tested = [note for name, facts in self.windows.items() for note in _tested(name, facts)]
        asked = [*_protocol(self.parameters), *_settings(self.parameters)]
        return [*leak, *_missing_numbers(self.facts), *tested, *asked, *self.remarks]


_LEAK = (
    "LEAKY: each user's last event is the test and everything else is the past, whenever it was. Popularity, newest "
    "and fitted methods know the future of other users. Only for comparison with papers that test like this."
)


def report_document(report: Report) -> dict[str, Any]:
    """The report as JSON types; the whole table is in the results."""
    return {
        "parameters": dict(report.parameters),
        "metrics": list(report.metrics),
        "facts": _facts(report.facts),
        "windows": {name: _facts(facts) for name, facts in report.windows.items()},
        "reference": _reference(report.results),
        "leaky": report.is_leaky,
        "notes": report.notes,
        "choice": None if report.choice is None else dict(report.choice),
        "methods": _methods(report.results),
    }


def render_markdown(report: Report) -> str:
    """The tables, aligned so that they read on a terminal too, and the notes."""
    suffix = " (leaky)" if report.is_leaky else ""
    parts = []
    for title, lines in results_tables(report.results, report.metrics):
        parts += [f"## {title}{suffix}", "", *lines, ""]
    if not parts:
        parts = ["no eligible test events", ""]
    return "\n".join([*parts, *(f"- {n}" for n in report.notes)]) + "\n"


def _facts(facts: Facts) -> dict[str, Any]:
    times = {"window_start": iso_time(facts.window_start_us), "window_stop": iso_time(facts.window_stop_us)}
    return {**asdict(facts), **times}


def _methods(results: pa.Table) -> list[dict[str, Any]]:
    """The methods over all test windows, in order, with their numbers by metric."""
    mine = results.filter(pc.and_(pc.equal(results["window"], WHOLE_TEST), pc.equal(results["slice"], WHOLE)))
    found: dict[str, dict[str, Any]] = {}
    for row in mine.to_pylist():
        of = ("family", "kind", "half_life_s", "similarity", "encoder")
        entry = {"name": row["method"], **{k: row[k] for k in of}, "metrics": {}, "differences": {}}
        entry = found.setdefault(row["method"], entry)
        entry["metrics"][row["metric"]] = {k: row[k] for k in _ESTIMATE}
        if row["reference"] is not None:
            entry["differences"][row["metric"]] = {k: row[k] for k in ("reference", *_DIFFERENCE)}
    return list(found.values())


def _reference(results: pa.Table) -> str:
    """What profiles are compared with."""
    named = results.filter(pc.equal(results["family"], PROFILES))["reference"].drop_null()
    return str(named[0]) if len(named) else REFERENCE


def _missing_numbers(facts: Facts) -> list[str]:
    if not facts.n_tested:
        return [
            f"No event of the {facts.n_window} in the test windows could be predicted: none with a positive weight is "
            "about a text that appeared strictly before it (and that its user had not had). There are no numbers."
        ]
    if facts.n_users < MIN_USERS:
        return [f"No intervals: the tested events come from {facts.n_users} users; {MIN_USERS} are needed."]
    return [
        "In brackets: 95 % bootstrap intervals over users (percentiles of draws with replacement). p is two-sided, "
        "from the same draws, paired, and corrected by Holm for all methods of a table."
    ]


def _tested(name: str, facts: Facts) -> list[str]:
    counts = (
        f"Window {name}, {iso_time(facts.window_start_us)} to {iso_time(facts.window_stop_us)} (exclusive): "
        f"{facts.n_window} of {facts.n_corpus} events, {facts.n_eligible} eligible, {facts.n_tested} tested"
    )
    if not facts.n_tested:
        return [f"{counts}: this window has no numbers."]
    return [
        f"{counts}, of {facts.n_users} users, {facts.n_without_history} of the events without a history; median number "
        f"of candidates {facts.median_candidates:.0f} of {facts.n_items} texts."
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
        "Without a history a profile is the prior: the bio where known, else the mean of the texts that appeared "
        "before the window.",
        "Ties count as their expected value in random order; `random` is therefore chance itself. Lists break ties by "
        "the earlier text.",
        "`basic` and `cosine` rank alike for one profile: the length of the profile is the same for every candidate.",
    ]


def _settings(parameters: Mapping[str, Any]) -> list[str]:
    """What each contestant was set to that has settings of its own."""
    given = {name: settings for name, settings in parameters.get("contestants", {}).items() if settings}
    if not given:
        return []
    said = [f"`{name}` {', '.join(f'{k} = {v}' for k, v in settings.items())}" for name, settings in given.items()]
    return [f"Settings, in every window the same: {'; '.join(said)}."]
