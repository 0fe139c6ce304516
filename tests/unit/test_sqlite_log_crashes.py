"""A crash at any step of the write path, and any loss of what was not on the disk yet, keeps what was promised."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from live_log_laws import event_ids, make_event, read_all

from dynprof.live.sqlite_log import SqliteLog

STEPS = ("begin", "judged", "ids written", "events written", "committed")


class Disk:
    """Copies of the files of a log, each made at one step of one append, with what had been acknowledged by then."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.acknowledged: list[str] = []
        self.under_way: list[str] = []
        self.copies: list[tuple[str, Path, list[str], list[str]]] = []

    def copy(self, step: str) -> None:
        target = self.folder.parent / f"copy-{len(self.copies)}"
        shutil.copytree(self.folder, target)
        self.copies.append((step, target, list(self.acknowledged), list(self.under_way)))


def write_batches(disk: Disk, rng: Random) -> None:
    """Some appends, with repeats; every step of every one leaves a copy."""
    log = SqliteLog(disk.folder / "log.db", on_step=disk.copy)
    for _ in range(4):
        events = [make_event(rng.randrange(30)) for _ in range(rng.randint(1, 6))]
        disk.under_way = [event.event_id for event in events]
        log.append(events)
        disk.acknowledged += disk.under_way
        disk.under_way = []
    log.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_crash_at_any_step_loses_nothing_acknowledged_and_doubles_nothing(tmp_path: Path, seed: int) -> None:
    disk = Disk(tmp_path / "log")
    disk.folder.mkdir()
    write_batches(disk, Random(seed))
    assert {step for step, *_ in disk.copies} == set(STEPS)
    for step, copy, acknowledged, under_way in disk.copies:
        log = SqliteLog(copy / "log.db")
        found = event_ids(log)
        assert len(found) == len(set(found))
        assert set(acknowledged) <= set(found), f"seed={seed} step={step}"
        everything = set(acknowledged) | set(under_way)
        assert set(found) == (everything if step == "committed" else set(acknowledged)), f"seed={seed} step={step}"
        again = [*under_way, *acknowledged]  # the client got no answer, or forgot it, and sends everything again
        log.append([make_event(int(i.removeprefix("event-"))) for i in again])
        assert set(event_ids(log)) == everything and len(event_ids(log)) == len(everything)
        assert [c.number for c in read_all(log)] == list(range(1, len(everything) + 1))
        log.close()


@pytest.mark.parametrize("seed", range(2))
def test_a_write_ahead_log_that_is_cut_anywhere_after_the_last_commit_keeps_what_was_acknowledged(
    tmp_path: Path, seed: int
) -> None:
    """A power cut: what was waited for is there, of the rest any part may be missing or torn."""
    rng, disk = Random(seed), Disk(tmp_path / "log")
    disk.folder.mkdir()
    log = SqliteLog(disk.folder / "log.db")
    log.append([make_event(n) for n in range(5)])
    wal = disk.folder / "log.db-wal"
    synced = wal.stat().st_size
    log.append([make_event(n) for n in range(3, 20)])
    size = wal.stat().st_size
    assert size > synced
    for cut in [synced, size, *(rng.randrange(synced, size) for _ in range(8))]:
        copy = tmp_path / f"cut-{cut}"
        shutil.copytree(disk.folder, copy, dirs_exist_ok=True)
        whole = wal.read_bytes()
        torn = bytes(rng.randrange(256) for _ in range(min(64, size - cut)))  # the sector that was being written
        (copy / "log.db-wal").write_bytes(whole[:cut] + torn)
        (copy / "log.db-shm").unlink()
        opened = SqliteLog(copy / "log.db")
        assert len(event_ids(opened)) in (5, 20)
        opened.append([make_event(n) for n in range(20)])
        assert sorted(event_ids(opened)) == sorted(f"event-{n}" for n in range(20))
        opened.close()
    log.close()
