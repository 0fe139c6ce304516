from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest

from dynprof.decay import Decay
from dynprof.errors import ConfigError
from dynprof.evaluation import (
    Facts,
    Method,
    Ranks,
    Report,
    compare_methods,
    contest_methods,
    render_csv,
    render_markdown,
    report_document,
)

METRICS = ("hit_rate@10", "ndcg@10", "mrr")
METHODS = contest_methods((Decay("static"), Decay("exponential", "36h")))[:2]


def ranks_of(static: list[int], dynamic: list[int]) -> Ranks:
    above = np.column_stack([static, dynamic]) - 1
    return Ranks(above, np.zeros_like(above))


def some_report(n_users: int = 30, seed: int = 0) -> Report:
    generator = np.random.default_rng(seed)
    static = generator.integers(1, 60, 200)
    scores = compare_methods(
        ranks_of(list(static), list(np.maximum(static - 15, 1))),
        generator.integers(0, n_users, 200),
        METHODS,
        METRICS,
        n_replicates=200,
        seed=seed,
    )
    facts = Facts(1_500_000_000_000_000, 1_500_000_360_000_000, 1000, 700, 250, 220, 200, n_users, 3, 512.0)
    return Report({"seed": seed, "include_seen": False}, METRICS, facts, scores)


def test_methods_are_named_by_kind_and_half_life() -> None:
    methods = contest_methods((Decay("static"), Decay("exponential", "36h"), Decay("gaussian", "7d")))
    assert [m.name for m in methods] == ["static", "exponential 36h", "gaussian 7d", "newest", "popular", "random"]
    assert methods[1] == Method("exponential 36h", "exponential", "36h")


def test_values_and_differences_are_means_over_events() -> None:
    users = np.arange(4)
    static, dynamic = compare_methods(ranks_of([1, 20, 20, 20], [1, 2, 20, 10]), users, METHODS, METRICS)
    assert static.metrics["hit_rate@10"].value == 0.25
    assert dynamic.metrics["hit_rate@10"].value == 0.75
    assert dynamic.minus_reference["hit_rate@10"].value == 0.5
    assert dynamic.metrics["ndcg@10"].value == pytest.approx((1 + 1 / np.log2(3) + 1 / np.log2(11)) / 4)
    assert static.minus_reference == {}


def test_a_clear_difference_has_an_interval_above_zero_and_no_difference_one_around_it() -> None:
    static, dynamic = some_report().scores
    assert dynamic.minus_reference["hit_rate@10"].low > 0
    for estimate in [*static.metrics.values(), *dynamic.metrics.values(), *dynamic.minus_reference.values()]:
        assert estimate.low < estimate.value < estimate.high
    same = compare_methods(ranks_of([5, 50] * 20, [50, 5] * 20), np.arange(40) // 2, METHODS, METRICS)[1]
    assert same.minus_reference["hit_rate@10"].low <= 0 <= same.minus_reference["hit_rate@10"].high


def test_fewer_than_ten_users_give_no_interval_and_a_reason() -> None:
    report = some_report(n_users=9)
    document = report_document(report)
    assert document["methods"][1]["metrics"]["mrr"]["low"] is None
    assert document["methods"][1]["minus_static"]["mrr"]["high"] is None
    assert any("No intervals" in note and "9 users" in note for note in document["notes"])
    assert "No intervals" in render_markdown(report) and "[" not in render_markdown(report).split("\n\n")[0]
    assert not any("No intervals" in note for note in some_report(n_users=10).notes)


def test_nothing_to_test_gives_a_sentence_and_no_number() -> None:
    facts = Facts(0, 0, 12, 12, 3, 0, 0, 0, 0, None)
    report = Report({"include_seen": False}, METRICS, facts, [])
    assert render_markdown(report).startswith("no eligible test events\n")
    assert report_document(report)["methods"] == []
    assert render_csv(report).count("\n") == 1


def test_the_same_seed_gives_the_same_report() -> None:
    assert report_document(some_report(seed=4)) == report_document(some_report(seed=4))


def test_text_csv_and_json_carry_the_same_numbers() -> None:
    report = some_report()
    document = json.loads(json.dumps(report_document(report), allow_nan=False))
    rows = list(csv.DictReader(io.StringIO(render_csv(report))))
    for row, method in zip(rows, document["methods"], strict=True):
        assert (row["method"], row["kind"]) == (method["name"], method["kind"])
        assert float(row["ndcg@10_low"]) == method["metrics"]["ndcg@10"]["low"]
        assert f"| {method['name']}" in render_markdown(report)
        assert f"{method['metrics']['ndcg@10']['value']:.4f} [" in render_markdown(report)
    assert rows[0]["minus_static_mrr"] == ""
    assert float(rows[1]["minus_static_mrr"]) == document["methods"][1]["minus_static"]["mrr"]["value"]


def test_the_table_is_aligned() -> None:
    table = render_markdown(some_report()).split("\n\n")[0].splitlines()
    assert len({len(line) for line in table}) == 1
    assert len(table) == 4


def test_a_comparison_needs_the_static_profile() -> None:
    with pytest.raises(ConfigError, match="'static'"):
        compare_methods(ranks_of([1], [1]), np.zeros(1, int), contest_methods((Decay("gaussian"),))[:2], METRICS)
