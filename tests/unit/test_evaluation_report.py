"""Text and JSON say what the results table says."""

from __future__ import annotations

import json

from dynprof.evaluation import Facts, Outcome, Report, render_markdown, report_document, tabulate
from dynprof.evaluation.results import RESULTS

from .test_evaluation_slices import METRICS, outcome


def some_report(*, n_users: int = 30, leaky: bool = False) -> Report:
    parts = [outcome("test 1", 80, n_users=n_users), outcome("test 2", 90, seed=1, n_users=n_users)]
    whole = Outcome.joined("test", parts)
    windows = {o.name: o.facts for o in (*parts, whole)}
    parameters = {"include_seen": False, "leave_one_out": leaky}
    return Report(parameters, METRICS, windows, tabulate(parts, whole, METRICS, n_draws=50))


def test_the_text_has_a_line_a_method_with_the_numbers_of_the_table() -> None:
    report = some_report()
    text = render_markdown(report)
    for method in report_document(report)["methods"]:
        assert f"| {method['name']}" in text
        assert f"{method['metrics']['ndcg@10']['value']:.4f} [" in text
    for title in ("All test windows", "NDCG@10 by window", "Lists, all test windows", "NDCG@10 by activity"):
        assert f"## {title}\n" in text


def test_tables_are_aligned() -> None:
    blocks = [b.splitlines() for b in render_markdown(some_report()).split("\n\n") if b.startswith("|")]
    assert len(blocks) == 7
    assert all(len({len(line) for line in block}) == 1 for block in blocks)


def test_the_document_is_json_and_has_every_method_with_its_difference() -> None:
    document = json.loads(json.dumps(report_document(some_report()), allow_nan=False))
    static, exponential, _, ranker = document["methods"]
    assert static["differences"] == {} and exponential["differences"]["mrr"]["reference"] == "static"
    assert ranker["differences"]["ndcg@10"]["p_holm"] is not None
    assert set(document["windows"]) == {"test 1", "test 2", "test"}
    assert document["facts"] == document["windows"]["test"]
    assert document["facts"]["n_tested"] == 170


def test_a_leaky_report_says_so_in_every_heading() -> None:
    text = render_markdown(some_report(leaky=True))
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings and all("(leaky)" in line for line in headings)
    assert "LEAKY" in text and "leaky" not in render_markdown(some_report())


def test_too_few_users_and_empty_windows_are_said_instead_of_numbers() -> None:
    report = some_report(n_users=9)
    assert any("No intervals" in note and "9 users" in note for note in report.notes)
    assert "[" not in render_markdown(report).split("\n\n")[1]
    nothing = Facts(0, 0, 12, 12, 3, 0, 0, 0, 0, None)
    empty = Report({}, METRICS, {"test 1": nothing, "test": nothing}, RESULTS.empty_table())
    text = render_markdown(empty)
    assert text.startswith("no eligible test events\n")
    assert "Window test 1" in text and "this window has no numbers" in text
    assert report_document(empty)["methods"] == []


def test_settings_of_contestants_stand_among_the_notes() -> None:
    report = some_report()
    assert not any("Settings" in note for note in report.notes)
    contestants = {"newest": {}, "item kNN": {"neighbours": 50.0, "half_life_s": None}}
    tuned = Report({**report.parameters, "contestants": contestants}, METRICS, report.windows, report.results)
    assert any("`item kNN` neighbours = 50.0, half_life_s = None." in note for note in tuned.notes)


def test_remarks_stand_among_the_notes() -> None:
    report = some_report()
    remarked = Report(report.parameters, METRICS, report.windows, report.results, ["`EASE` has no numbers: too large."])
    assert "- `EASE` has no numbers: too large." in render_markdown(remarked)
