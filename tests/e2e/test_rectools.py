"""SASRec and HSTU in their own environment, from questions to scores."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dynprof.baselines.outside import OUTSIDE, OutsideModel, write_questions
from dynprof.evaluation import EventLog, TestEvents, Window, choose_tests, eligible_events, index_events
from tests.unit.evaluation_data import DAY_US, Row, events_table, in_order

REPO = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("RECTOOLS_PYTHON", REPO / ".venv-rectools" / "bin" / "python"))


def round_trips() -> tuple[EventLog, TestEvents]:
    """Every user goes round the same twelve items, each starting elsewhere: what comes next is certain."""
    rows: list[Row] = [
        (f"e{user}-{step}", f"u{user:02}", step * DAY_US + user, f"t{(user + step) % 12:02}")
        for user in range(40)
        for step in range(30)
    ]
    log, _ = index_events([in_order(events_table(rows))])
    eligible = eligible_events(log, Window(28 * DAY_US, 29 * DAY_US), include_seen=True)
    return log, choose_tests(log, eligible, include_seen=True)


@pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-rectools: `make rectools` makes it")
@pytest.mark.parametrize("name", OUTSIDE)
def test_a_sequence_model_learns_what_comes_next(name: str, tmp_path: Path) -> None:
    log, tests = round_trips()
    assert len(tests) == 40
    write_questions(tmp_path, log.before(28 * DAY_US), log, tests, longest=20)
    command = [PYTHON, REPO / "extras" / "rectools_models.py", "--exchange", tmp_path, "--model", name]
    flags = {"longest": 10, "factors": 32, "negatives": 8, "batch": 16, "epochs": 15, "learning-rate": 0.01}
    small = [text for flag, value in flags.items() for text in (f"--{flag}", str(value))]
    done = subprocess.run([*command, *small], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    scores = OutsideModel(name, tmp_path).watch(log).scores(tests)
    hits = [int(np.argmax(given)) == target for given, target in zip(scores, tests.targets, strict=True)]
    assert np.mean(hits) > 0.9
