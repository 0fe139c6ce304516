"""docs/study.md from the tables: every number, plot and verdict in it is written by this file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks.study.verdicts import CANNOT_TELL, FAILS, HOLDS, RULE, Verdict, judge, picked, results_of, windows_of
from dynprof.decay import PROFILE_KINDS
from dynprof.evaluation.results import WHOLE
from dynprof.evaluation.tables import aligned
from dynprof.reporting import Drawn, chart_table, draw, render_csv
from dynprof.reporting.evaluation_decays import decays_section
from dynprof.reporting.evaluation_methods import methods_section, windows_section
from dynprof.reporting.evaluation_slices import slices_section
from dynprof.reporting.results import Results, Row, heading
from dynprof.reporting.table import Interval, show_cell

__all__ = ["TABLES", "write_study"]

TABLES = {
    "next-repost": "Next repost (`ira_retweets`)",
    "tomorrow": "Which of tomorrow's posts is this user's (`ira_posts`)",
    "encoder-static": "Next repost with the static encoder",
    "encoder-hashing": "Next repost with the hashing encoder",
    "encoder-mpnet": "Next repost with MPNet",
    "category-reposts": "Account category (`ira_retweets`)",
    "category-posts": "Account category (`ira_posts`)",
}
"""Measurements by the name of their file, in the order of the page."""

_KINDS = [k for k in PROFILE_KINDS if k != "static"]
_TASKS = ("next-repost", "tomorrow")
_MOST_ROWS = 24


def write_study(tables: Mapping[str, pa.Table], page: Path, how: Sequence[str]) -> list[str]:
    """Write the page, and its plots as PNG and CSV in a folder of its name beside it.

    Args:
        tables: What was measured, of the names in `TABLES`; what is missing is named on the page.
        page: The Markdown file.
        how: Lines on data, machine and commands.

    Returns:
        Names of what is missing.
    """
    found = {name: r for name in TABLES if (r := results_of(tables.get(name))) is not None}
    missing = [name for name in TABLES if name not in found]
    lines = ["# Study: which claims hold on real posts", "", *how, "", "## Claims", "", RULE, ""]
    lines += aligned([["claim", "data", "found", "verdict"], *_claims(found)])
    if missing:
        lines += ["", "Not measured yet, so without a verdict: " + ", ".join(TABLES[m] for m in missing) + "."]
    for name, results in found.items():
        lines += ["", f"## {TABLES[name]}", "", *_section(name, results, page)]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return missing


def _claims(found: Mapping[str, Results]) -> list[list[str]]:
    verdicts = [v for name in _TASKS if name in found for v in _of_task(name, found[name])]
    verdicts += list(_of_encoders(found))
    for name in ("category-reposts", "category-posts"):
        if name in found:
            verdicts += list(_of_category(name, found[name]))
    return [[v.claim, v.data, v.found, v.verdict] for v in verdicts]


def _of_task(name: str, results: Results) -> Iterator[Verdict]:
    data = TABLES[name]
    lead = picked(results, reading="cosine")
    if lead:
        verdict, said = judge(results, lead.method)
        yield Verdict("dynamic beats static", data, said, verdict)
    for kind in _KINDS:
        row = picked(results, kind, "cosine")
        if row:
            verdict, said = judge(results, row.method)
            yield Verdict(f"{kind.replace('_', ' ')} beats static", data, said, verdict)
    yield from _of_kinds(data, results)
    yield from _of_half_lives(data, results)
    yield from _of_similarities(data, results)
    yield from _of_slices(data, results)
    yield from _of_baselines(data, results)


def _of_kinds(data: str, results: Results) -> Iterator[Verdict]:
    """Do the six differ? By overlap of intervals: a weak test, said as such."""
    rows = [r for k in _KINDS if (r := picked(results, k, "cosine")) is not None]
    if len(rows) < 2 or any(r.low is None for r in rows):
        return
    top = max(rows, key=lambda r: r.value or 0)
    apart = [r.kind or "" for r in rows if (r.high or 0) < (top.low or 0)]
    said = f"best {_said(top)}; apart from it: {', '.join(apart) or 'none'}"
    yield Verdict("the kind of decay matters, at its own best half-life", data, said, HOLDS if apart else CANNOT_TELL)


def _of_half_lives(data: str, results: Results) -> Iterator[Verdict]:
    """Does the half-life matter? The best and the worst of the best kind, their intervals apart or not."""
    lead = picked(results, reading="cosine")
    if lead is None:
        return
    rows = [r for r in results.rows(slice_value=WHOLE) if r.kind == lead.kind and r.reading == lead.reading]
    rows = sorted((r for r in rows if r.value is not None and r.half_life_s), key=lambda r: r.value or 0)
    if len(rows) > 1:
        said = f"best and worst: {_said(rows[-1])}; {_said(rows[0])}"
        verdict = HOLDS if _apart(rows[-1], rows[0]) == HOLDS else CANNOT_TELL
        yield Verdict(f"the half-life matters ({lead.kind})", data, said, verdict)


def _of_similarities(data: str, results: Results) -> Iterator[Verdict]:
    readings = {r.reading for r in results.rows(slice_value=WHOLE) if r.is_decay}
    plain = picked(results, reading="cosine")
    for reading in sorted(r for r in readings if r.startswith("cosine_time")):
        row = picked(results, reading=reading)
        if row and plain:
            yield Verdict("cosine-time beats cosine", data, f"{_said(row)}; {_said(plain)}", _apart(row, plain))
    if "basic" in readings:
        said = "equal by construction: of one profile p, p.x and cos(p, x) rank alike"
        yield Verdict("cosine beats basic", data, said, FAILS)


def _of_slices(data: str, results: Results) -> Iterator[Verdict]:
    lead = picked(results, reading="cosine")
    if lead is None:
        return
    claims = {"high": "at least 8 % above static on users with high drift", "low": "not 1 % below it on stable users"}
    for value, claim in claims.items():
        row = next((r for r in results.rows(part="drift", slice_value=value) if r.method == lead.method), None)
        if row is None or row.difference is None or row.difference_low is None or row.relative is None:
            continue
        said = f"{row.difference:+.4f} [{row.difference_low:+.4f}, {row.difference_high:+.4f}], {row.relative:+.1%}"
        holds = row.difference_low > 0 and row.relative >= 0.08 if value == "high" else row.relative >= -0.01
        failed = FAILS if row.relative < 0 else CANNOT_TELL
        yield Verdict(f"{lead.method}: {claim}", data, f"{said}, {row.n_tests} tests", HOLDS if holds else failed)


def _of_baselines(data: str, results: Results) -> Iterator[Verdict]:
    """The best profile against the best method that is none."""
    rows = [r for r in results.rows(slice_value=WHOLE) if r.value is not None]
    others = [r for r in rows if r.family not in ("profiles", "ranker")]
    lead = picked(results)
    if others and lead:
        rival = max(others, key=lambda r: r.value or 0)
        claim = "the best profile beats the best method that is none"
        yield Verdict(claim, data, f"{_said(lead)}; {_said(rival)}", _apart(lead, rival))


def _said(row: Row) -> str:
    """`gaussian 1d 0.0510 [0.0400, 0.0620]`."""
    bounds = f" [{row.low:.4f}, {row.high:.4f}]" if row.low is not None and row.high is not None else ""
    return f"{row.method} {row.value:.4f}{bounds}"


def _apart(better: Row, worse: Row) -> str:
    """Verdict on two rows by their intervals."""
    if better.low is None or better.high is None or worse.low is None or worse.high is None:
        return CANNOT_TELL
    if better.low > worse.high:
        return HOLDS
    return FAILS if better.high < worse.low else CANNOT_TELL


def _of_encoders(found: Mapping[str, Results]) -> Iterator[Verdict]:
    base = found.get("next-repost")
    mine = picked(base, reading="cosine") if base else None
    for name in ("encoder-static", "encoder-hashing", "encoder-mpnet"):
        other = picked(found[name], reading="cosine") if name in found else None
        if mine and other:
            said = f"MiniLM: {_said(mine)}; {other.encoder}: {_said(other)}"
            yield Verdict(f"MiniLM beats {other.encoder}", TABLES["next-repost"], said, _apart(mine, other))


def _of_category(name: str, results: Results) -> Iterator[Verdict]:
    rows = {r.method: r for r in results.rows(slice_value=WHOLE)}
    static, majority = rows.get("static"), rows.get("majority")
    if static and majority:
        said = f"{_said(static)}; {_said(majority)}"
        yield Verdict("the account category is in the profile", TABLES[name], said, _apart(static, majority))
    decays = [r for r in rows.values() if r.is_decay and r.value is not None]
    if decays:
        top = max(decays, key=lambda r: r.value or 0)
        verdict, said = judge(results, top.method)
        if verdict == HOLDS and (top.p_holm is None or top.p_holm >= 0.05):
            verdict = CANNOT_TELL  # the best of many, chosen on the numbers that judge it
        said += f", p {show_cell(top.p_holm, '.3f')} after Holm"
        claim = "the category: the best dynamic profile (chosen on these numbers) beats the static one"
        yield Verdict(claim, TABLES[name], said, verdict)


def _section(name: str, results: Results, page: Path) -> Iterator[str]:
    rows = sorted((r for r in results.rows(slice_value=WHOLE) if r.value is not None), key=lambda r: -(r.value or 0))
    first = heading(results.metric)
    counts = f"{rows[0].n_tests} tests of {rows[0].n_users} users" if rows else "no tests"
    shown = f"best {min(len(rows), _MOST_ROWS)} of {len(rows)} methods"
    yield f"{counts}, {len(windows_of(results)) or 1} test windows. {first}, {shown}:"
    yield ""
    yield from aligned([["method", first, "less static", "Holm p"], *([*_line(r)] for r in rows[:_MOST_ROWS])])
    if name not in _TASKS:
        return  # of encoders and categories the table says it
    for section in (decays_section, methods_section, windows_section, slices_section):
        for chart in section(results).charts:
            yield from _plot(f"{name}-{chart.name}", chart, page)


def _line(row: Row) -> Iterator[str]:
    yield row.method
    yield show_cell(Interval(row.value, row.low, row.high), ".4f")
    yield show_cell(Interval(row.difference, row.difference_low, row.difference_high), "+.4f")
    yield show_cell(row.p_holm, ".3f")


def _plot(stem: str, chart: Drawn, page: Path) -> Iterator[str]:
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    image, numbers = folder / f"{stem}.png", folder / f"{stem}.csv"
    content = render_csv(chart_table(chart))
    if not (image.exists() and numbers.exists() and numbers.read_text(encoding="utf-8") == content):
        image.write_bytes(draw(chart))
        numbers.write_text(content, encoding="utf-8")  # after the image: where it stands, both do
    yield ""
    yield f"![{chart.title}: {chart.summary}]({folder.name}/{stem}.png)"
    yield ""
    yield f"*{chart.title}.* {chart.summary} ([numbers]({folder.name}/{stem}.csv))"
