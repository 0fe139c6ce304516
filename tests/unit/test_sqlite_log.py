"""The log in SQLite: the laws of both stores, and what only a file has."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

import pytest
from live_log_laws import LogLaws, make_event, statuses

from dynprof.errors import ConfigError, LiveLogError
from dynprof.live.log import EventLog
from dynprof.live.open_log import open_log
from dynprof.live.sqlite_log import SqliteLog


class TestSqliteLog(LogLaws):
    @contextmanager
    def fresh(self) -> Iterator[EventLog]:
        with TemporaryDirectory() as folder:
            log = open_log(folder)
            yield log
            log.close()

    @contextmanager
    def again(self, log: EventLog) -> Iterator[EventLog]:
        opened = SqliteLog(cast("SqliteLog", log)._file.path)
        yield opened
        opened.close()


@pytest.mark.parametrize("name", ["live", "live/events.sqlite", "live/other.db", "file://{}/live"])
def test_a_path_opens_a_file_that_only_its_owner_reads(tmp_path: Path, name: str) -> None:
    uri = name.format(tmp_path) if "{}" in name else str(tmp_path / name)
    log = open_log(uri)
    statuses(log, 2)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 3  # with the write-ahead log and its index
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    log.close()
    again = open_log(uri)
    assert again.last_number() == 1
    again.close()


def test_an_address_that_means_nothing_is_refused_by_name() -> None:
    for uri in ("s3://bucket/log", "http://x"):
        with pytest.raises(ConfigError, match="expected a path or valkey://"):
            open_log(uri)
    for uri in ("valkey:///0", "valkey://h?durable=perhaps", "redis://h?log=", "valkey://user:secret@h:port"):
        with pytest.raises(ConfigError, match="expected valkey://HOST") as error:
            open_log(uri)
        assert "secret" not in str(error.value)


def test_another_programs_file_and_a_later_format_are_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    before = path.read_bytes()
    with pytest.raises(LiveLogError, match=r"notes\.db: expected SQLite"):
        open_log(path)
    assert path.read_bytes() == before
    later = SqliteLog(tmp_path / "later.db")
    with later._file.turn, later._file.write() as db:
        db.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    later.close()
    with pytest.raises(LiveLogError, match="expected a log of format 1, found 99"):
        open_log(tmp_path / "later.db")


def test_a_closed_log_says_so(tmp_path: Path) -> None:
    log = open_log(tmp_path)
    log.close()
    for ask in (lambda: log.read(0, 1), lambda: log.append([make_event(1)]), lambda: log.erase_user("x")):
        with pytest.raises(LiveLogError, match="found a closed one"):
            ask()


def test_what_a_transaction_failed_to_write_is_not_there(tmp_path: Path) -> None:
    def fail(step: str) -> None:
        if step == failing:
            raise RuntimeError(step)

    failing = ""
    log = SqliteLog(tmp_path / "log.db", on_step=fail)
    statuses(log, 2)
    for failing in ("begin", "judged", "ids written", "events written"):
        with pytest.raises(RuntimeError, match=failing):
            statuses(log, 3)
    failing = ""
    assert statuses(log, 3) == ["accepted"]
    assert [c.number for c in log.read(0, 9)] == [1, 2]
    log.close()
