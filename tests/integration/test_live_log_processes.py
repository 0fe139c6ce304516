"""Several processes on one SQLite log, and processes that are killed in the midst of a write."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from live_log_laws import event_ids, make_event, read_all
from live_log_writer import acknowledged, start_writer

from dynprof.live.open_log import open_log

STEPS = ("begin", "judged", "ids written", "events written", "committed")


def test_processes_that_open_and_write_one_log_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    writers = [start_writer(str(tmp_path / "live"), seed, 30, ids=300) for seed in range(3)]
    outputs = [writer.communicate(timeout=120)[0] for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 3
    log = open_log(tmp_path / "live")
    found = event_ids(log)
    assert len(found) == len(set(found))
    assert set(found) == {event_id for output in outputs for event_id in acknowledged(output)}
    assert [c.number for c in read_all(log, 100)] == list(range(1, len(found) + 1))
    log.close()


@pytest.mark.parametrize("step", STEPS)
def test_a_process_killed_at_any_step_loses_nothing_acknowledged(tmp_path: Path, step: str) -> None:
    path, promised = tmp_path / "log.db", set()
    writers = [start_writer(str(path), seed, 6, die_at=f"{3 + seed}:{step}") for seed in range(2)]
    for writer in writers:
        promised |= acknowledged(writer.communicate(timeout=120)[0])
        assert writer.returncode == -9
    log = open_log(path)
    found = event_ids(log)
    assert promised <= set(found) and len(found) == len(set(found))
    events = [make_event(n) for n in range(400)]
    outcomes = log.append(events)
    assert {o.event_id for o in outcomes if o.status == "duplicate"} == set(found)
    assert sorted(event_ids(log)) == sorted(event.event_id for event in events)
    log.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
