"""The log in a real Valkey or Redis server: the laws of both stores, kills, durability, erasure from its files."""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import ClassVar, cast

import numpy as np
import pytest
from live_log_laws import FINGERPRINT, LogLaws, event_ids, make_event, read_all, statuses
from live_log_writer import acknowledged, start_writer
from redis import Redis

from benchmarks.valkey_server import DURABLE, ValkeyServer, server_binary
from dynprof.errors import LiveLogError
from dynprof.live.log import EventLog, LiveEvent
from dynprof.live.open_log import open_log
from dynprof.live.valkey_log import ValkeyLog

pytestmark = pytest.mark.skipif(
    server_binary() is None, reason="no valkey-server or redis-server here: apt-get install redis-server"
)
NUMBERS = itertools.count()
PLAIN = ("--rdbcompression", "no")  # or a scan of the files for bytes would prove nothing


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as running:
        TestValkeyLog.server = running
        yield running


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with ValkeyServer(tmp_path) as running:
        yield running


class TestValkeyLog(LogLaws):
    server: ClassVar[ValkeyServer]

    @contextmanager
    def fresh(self) -> Iterator[EventLog]:
        uri = f"{self.server.uri}?log=laws-{next(NUMBERS)}"
        log = open_log(uri)
        log.uri = uri  # type: ignore[attr-defined]
        yield log
        log.close()

    @contextmanager
    def again(self, log: EventLog) -> Iterator[EventLog]:
        opened = open_log(log.uri)  # type: ignore[attr-defined]
        yield opened
        opened.close()


def test_processes_that_write_one_log_at_once_lose_and_double_nothing(server: ValkeyServer) -> None:
    uri = f"{server.uri}?log=processes"
    writers = [start_writer(uri, seed, 30, ids=300) for seed in range(2)]
    outputs = [writer.communicate(timeout=120)[0] for writer in writers]
    log = open_log(uri)
    found = event_ids(log)
    assert len(found) == len(set(found))
    assert set(found) == {event_id for output in outputs for event_id in acknowledged(output)}
    assert [c.number for c in read_all(log, 100)] == list(range(1, len(found) + 1))
    log.close()


@pytest.mark.parametrize("seed", range(2))
def test_a_server_killed_in_the_midst_of_writes_keeps_what_it_acknowledged(own_server: ValkeyServer, seed: int) -> None:
    writers = [start_writer(own_server.uri, 10 * seed + i, 100_000, ids=1_000_000) for i in range(2)]
    deadline = time.monotonic() + 60
    with Redis(port=own_server.port) as client:
        while int(client.get("{dynprof}:last") or 0) < 100 and time.monotonic() < deadline:
            time.sleep(0.01)
    time.sleep(Random(seed).random() / 5)
    own_server.kill()
    promised = {event_id for writer in writers for event_id in acknowledged(writer.communicate(timeout=60)[0])}
    own_server.start()
    log = open_log(own_server.uri)
    found = event_ids(log)
    assert len(promised) > 20 and promised <= set(found) and len(found) == len(set(found))
    assert set(statuses(log, *(int(i.removeprefix("event-")) for i in promised))) == {"duplicate"}
    log.close()


def test_no_byte_of_erased_users_and_events_is_left_in_the_servers_files(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, (*DURABLE, *PLAIN)) as server:
        erase_and_scan(server)


def erase_and_scan(own_server: ValkeyServer) -> None:
    log = open_log(own_server.uri)
    events = [
        LiveEvent(f"<event {n}>", f"<user {n % 5}>", n, "post", f"<item {n}>", f"<text {n}>" * 50) for n in range(40)
    ]
    log.append(events)
    pending = log.without_vector(FINGERPRINT, 100)
    log.put_vectors(FINGERPRINT, [h for h, _ in pending], np.ones((len(pending), 64), np.float32))
    before = bytes_on_disk(own_server.folder)
    assert all(mark in before for mark in (b"<user 1>", b"<event 3>", b"<text 3>", pending[3][0]))
    assert log.erase_user("<user 1>") == 8 and log.erase_event("<event 3>")
    after = bytes_on_disk(own_server.folder)
    gone = [event for event in events if event.user_id == "<user 1>" or event.event_id == "<event 3>"]
    for event in gone:
        marks = [event.event_id, event.item_id, str(event.text)[:10]]
        assert [mark for mark in marks if mark.encode() in after] == []
    assert b"<user 1>" not in after and pending[3][0] not in after
    assert all(event.event_id.encode() in after for event in events if event not in gone)
    log.close()


def bytes_on_disk(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize(
    "settings",
    [
        ("--appendonly", "no"),
        ("--appendonly", "yes", "--appendfsync", "everysec"),
        ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"),
    ],
)
def test_a_server_that_may_lose_events_is_refused_unless_that_is_accepted(
    tmp_path: Path, settings: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    with ValkeyServer(tmp_path, (*settings, "--save", "")) as server:
        with pytest.raises(LiveLogError, match=r"expected the settings .*durable=no"):
            open_log(server.uri)
        with caplog.at_level(logging.WARNING, "dynprof.live"):
            log = open_log(f"{server.uri}?durable=no")
        assert "durable=no" in caplog.text
        assert statuses(log, 2) == ["accepted"] and log.erase_event("event-2")
        log.close()


def test_a_dump_beside_the_log_is_written_anew_by_an_erasure(tmp_path: Path) -> None:
    settings = ("--appendonly", "yes", "--appendfsync", "always", "--save", "3600 1", *PLAIN)
    with ValkeyServer(tmp_path, settings) as server:
        log = cast("ValkeyLog", open_log(server.uri))
        log.append([LiveEvent("<event>", "<user>", 1, "post", "<event>", "<text>")])
        log._redis.save()
        assert b"<user>" in (tmp_path / "dump.rdb").read_bytes()
        log.erase_user("<user>")
        assert b"<user>" not in bytes_on_disk(tmp_path)
        log.close()


def test_a_server_that_is_not_there_is_one_line_without_the_password(own_server: ValkeyServer) -> None:
    server = own_server
    log = open_log(server.uri)
    server.kill()
    with pytest.raises(LiveLogError, match="expected a Valkey or Redis server"):
        statuses(log, 2)
    log.close()
    with pytest.raises(LiveLogError) as error:
        open_log(server.uri.replace("//", "//user:secret@"))
    assert "secret" not in str(error.value)
    server.start()
    again = open_log(server.uri)
    assert statuses(again, 2) == ["accepted"] and make_event(2) in again.events_of(make_event(2).user_id)
    again.close()
