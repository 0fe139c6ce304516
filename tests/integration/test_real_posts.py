"""The main job on real reposts, where they are: counts that are known, and dynamic against static."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs import pipeline

RETWEETS = Path(__file__).parents[3] / "shared" / "data" / "ira_retweets.parquet"


@pytest.mark.usefixtures("ray_session")
@pytest.mark.skipif(not RETWEETS.exists(), reason=f"the real posts are not at {RETWEETS.parent}")
def test_real_reposts_are_counted_and_a_short_memory_beats_a_long_one(tmp_path: Path) -> None:
    flags = ["--events", str(RETWEETS), "--workspace", str(tmp_path), "--encoder", "hashing:64", "--log-level", "ERROR"]
    summary = pipeline.main([*flags, "--half-life", "1d", "--max-events", "500"])
    assert (summary["rows_in"], summary["rows_out"], summary["quarantined"]) == (251_184, 251_184, 0)
    assert (summary["users"], summary["items"]) == (1_984, 32_806)
    hit_rate = {name: metrics["hit_rate@10"] for name, metrics in summary["methods"].items()}
    assert hit_rate["exponential 1d"] > 2 * hit_rate["static"]
    assert hit_rate["newest"] > hit_rate["exponential 1d"]  # what the ranker has to beat
