"""Servers and updates are killed while a client posts, and no acknowledged event is lost or counts twice."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak import audit, soak
from dynprof.live.log import LiveEvent
from dynprof.live.open_log import open_log
from dynprof.workspace import Workspace


@pytest.mark.timeout(900)
def test_twenty_kills_lose_nothing_and_double_nothing_and_the_audit_would_see_it(tmp_path: Path) -> None:
    found = soak(tmp_path, kills=20, update_every=10, seed=3)
    assert found["acknowledged"] > 50
    assert (found["lost"], found["twice"], found["wrong_profiles"]) == (0, 0, 0)
    assert found["segments"] >= 1
    log = open_log(tmp_path / "ws" / "live")
    promised = {"never-posted": "s-user-1"}
    assert audit(Workspace(tmp_path / "ws"), log, promised)["lost"] == 1
    log.append([LiveEvent("s-extra", "s-user-2", 1_700_000_000_000_000, "post", "s-extra", "bread")])
    assert audit(Workspace(tmp_path / "ws"), log, {"s-extra": "s-user-2"})["wrong_profiles"] == 1  # it has more
    log.close()


def test_the_command_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--help"], capture_output=True, text=True, check=True
    )
    assert "--update-every" in done.stdout
