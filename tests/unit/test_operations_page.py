"""docs/operations.md says what the code says: sizes, names of flags and log keys, metrics, messages."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from ray.dashboard.modules.metrics.dashboards import default_dashboard_panels, serve_dashboard_panels

from benchmarks import sizing
from benchmarks.estimate import SCALES, Assumptions, Scale, Size

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "operations.md").read_text(encoding="utf-8")
CODE = "\n".join(
    path.read_text(encoding="utf-8")
    for package in ("dynprof", "jobs", "serve", "benchmarks")
    for path in sorted((REPO / package).rglob("*.py"))
)
TABLES = {"size": sizing.size_table, "cost": sizing.cost_table, "limits": sizing.limits_table}


def symptoms() -> list[list[str]]:
    section = PAGE[PAGE.index("## From symptom") :].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_page_is_what_the_script_prints(name: str) -> None:
    (shown,) = re.findall(rf"<!-- benchmarks.sizing: {name} -->\n\n?(.*?)\n?\n<!-- end -->", PAGE, re.DOTALL)
    assert shown == TABLES[name](Assumptions()), "run `python -m benchmarks.sizing` and put its tables into the page"


def test_every_symptom_has_a_place_to_look_an_experiment_and_a_remedy() -> None:
    rows = symptoms()
    assert len(rows) >= 20
    assert [row for row in rows if len(row) != 4 or not all(row)] == []
    assert len({row[0] for row in rows}) == len(rows)


def test_flags_log_keys_and_fields_that_the_table_names_exist() -> None:
    said = re.findall(r"`([^`]+)`", " ".join(cell for row in symptoms() for cell in row))
    words = {
        word
        for text in said
        for word in re.findall(r"--[a-z]+(?:-[a-z]+)*|\b[a-z]+_[a-z_]+\b|\b[a-z]+=(?=\.\.\.|0)", text)
        if not word.startswith("ray_")
    }
    of_ray = {"--stats-only", "--filter", "--working-dir", "max_workers", "auth_token"}
    assert {"--encode-actors", "encoded_now", "done="} <= words
    assert sorted(word for word in words - of_ray if word not in CODE) == []


def test_metrics_that_the_table_names_are_rays() -> None:
    panels = "".join(
        Path(str(module.__file__)).read_text(encoding="utf-8")
        for module in (default_dashboard_panels, serve_dashboard_panels)
    )
    named = set(re.findall(r"`(ray_[a-z_]+)`", PAGE))
    assert len(named) >= 5
    assert sorted(name for name in named if name not in panels) == []


def test_messages_that_the_table_quotes_are_in_the_code() -> None:
    assert "expected fingerprint" in CODE
    assert "as on the driver" in CODE
    assert "that the workers wrote" in CODE


def test_fewer_larger_files_turn_a_quarter_of_an_hour_of_waiting_into_seconds_as_the_page_says() -> None:
    small = SCALES[0]
    by_default, chosen = Size(small, Assumptions()), Size(small, Assumptions(buckets=64, shard_texts=262_144))
    assert (by_default.buckets, by_default.shards, chosen.buckets, chosen.shards) == (512, 2_048, 64, 128)
    assert 0.2 < by_default.build_wait_h < 0.3
    assert chosen.build_wait_h < 5 / 60
    assert chosen.encode_task_bytes < 1e9
    assert chosen.ingest_task_bytes < 1e9


def test_what_the_page_says_in_words_is_what_the_estimate_says() -> None:
    given = Assumptions()
    small, middle, large = (Size(scale, given) for scale in SCALES)
    assert "59 % have more than K events" in PAGE
    assert round(small.heavy_share, 2) == 0.59
    assert "the assumed L4 40,900" in PAGE
    assert round(given.gpu_per_s, -2) == 40_900
    assert f"worth {given.gpu_per_s / given.encode_per_vcpu_s:.0f} processor hours" in PAGE
    assert "a shard has 43 M texts, and its actor needs 105 GB" in " ".join(PAGE.split())
    assert (round(large.texts / large.shards / 1e6), round(large.encode_task_bytes / 1e9)) == (43, 105)
    assert round(large.ingest_task_bytes / 1e9) == 64
    assert [round(size.evaluate_bytes / 1e9) for size in (small, middle)] == [3, 140]
    assert max(middle.ingest_task_bytes, middle.encode_task_bytes, middle.build_task_bytes) < 1.5e9
    matrices = [4 * given.dim * size.users / 1e9 for size in (small, middle)]
    assert matrices == pytest.approx([0.15, 7.7], abs=0.05)
    assert round(middle.texts / middle.shards, -4) == 430_000
    assert round(1e11 * (given.text_bytes + given.row_bytes) / (64 << 20), -3) == 325_000


def test_a_gpu_pays_from_eight_million_texts_on() -> None:
    def gain_usd(texts: float) -> float:
        size = Size(Scale("", texts, 1, 1), Assumptions(repeat_share=0))
        return size.encode_without_gpu_usd - size.gpu_usd

    assert "from some 8 M texts on" in " ".join(PAGE.split())
    assert gain_usd(7e6) < 0 < gain_usd(8e6)


def test_the_estimate_grows_with_events_and_a_price_of_nothing_costs_nothing() -> None:
    free = Assumptions(cpu_node_usd_h=0, gpu_node_usd_h=0, head_usd_h=0, storage_usd_gb_month=0)
    sizes = [Size(scale, free) for scale in SCALES]
    assert [size.run_usd + size.month_usd for size in sizes] == [0, 0, 0]
    for few, many in pairwise(sizes):
        factor = many.scale.events / few.scale.events
        assert many.workspace_bytes == pytest.approx(factor * few.workspace_bytes)
        assert many.encode_vcpu_h == pytest.approx(factor * few.encode_vcpu_h)


def test_every_assumption_is_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    sizing.main(["--gpu-node-usd-h", "0"])
    changed = capsys.readouterr().out
    sizing.main([])
    assert changed != capsys.readouterr().out
    with pytest.raises(SystemExit):
        sizing.main(["--gpu-price", "0"])
