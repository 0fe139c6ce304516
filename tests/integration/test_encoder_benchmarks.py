"""The benchmarks of encoders run and print one JSON line with what is quoted from them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (["bench_encoders", "--texts", "40", "--rounds", "1"], {"over_best", "over_default", "share_of_ceiling"}),
        (["bench_encoders", "--accuracy", "200"], {"cosine_to_float32", "float32_to_library_min"}),
        (["gpu_encode", "--device", "cpu", "--texts", "40", "--rounds", "1"], {"over_default", "cosine_to_float32"}),
    ],
    ids=["speed", "accuracy", "gpu"],
)
def test_a_benchmark_prints_one_line_of_json(command, keys) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{command[0]}", *command[1:]],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    found = json.loads(line)
    assert keys | {"machine"} <= set(found)
    if "cosine_to_float32" in found:
        assert found["cosine_to_float32"]["mean"] > 0.999
        assert found["cosine_to_float32"]["min"] > 0.99
