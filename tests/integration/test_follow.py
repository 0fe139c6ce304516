"""`python -m jobs.follow` as it is started: a stream on one side, the durable log on the other."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jetstream_server import JetstreamServer, deleted, post, uri

from dynprof.errors import ConfigError
from dynprof.live.open_log import open_log
from jobs import follow

from .test_kafka import Brokers, events

REPO = Path(__file__).parents[2]
PATIENCE_S = 120.0


def ids_in(workspace: Path) -> list[str]:
    log = open_log(workspace / "live")
    try:
        return sorted(c.event.event_id for c in log.read(0, 10_000) if c.kind == "event" and c.event)
    finally:
        log.close()


@contextmanager
def running(server: JetstreamServer) -> Iterator[str]:
    """A server in a thread of its own."""
    loop, started, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    urls: list[str] = []

    async def play() -> None:
        async with server.running() as url:
            urls.append(url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(play()))
    thread.start()
    assert started.wait(30)
    yield urls[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(30)
    loop.close()


def test_a_killed_follower_of_jetstream_loses_nothing_and_a_told_one_ends_in_order(tmp_path: Path) -> None:
    server = JetstreamServer([post(i) for i in range(60)])
    with running(server) as url:
        command = [sys.executable, "-m", "jobs.follow", "--source", "jetstream", "--workspace", str(tmp_path)]
        command += ["--url", url, "--from", "2024-07-03T00:00:00Z", "--erase"]
        first = subprocess.Popen(command, cwd=REPO, stderr=subprocess.DEVNULL)
        wait_for(lambda: len(ids_in(tmp_path)) > 0, first)
        first.send_signal(signal.SIGKILL)
        first.wait()
        server.messages += [post(i) for i in range(60, 90)] + [deleted(90, 3)]
        second = subprocess.Popen(command, cwd=REPO, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        expected = sorted(uri(i) for i in range(90) if i != 3)
        wait_for(lambda: ids_in(tmp_path) == expected, second)
        second.send_signal(signal.SIGTERM)
        said = second.communicate(timeout=PATIENCE_S)[0]
    assert second.returncode == 0 and '"erasures": 1' in said and '"source": "jetstream"' in said
    assert ids_in(tmp_path) == expected


def wait_for(true: object, process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():  # type: ignore[operator]
        assert process.poll() is None, "the follower ended by itself"
        assert time.monotonic() < deadline, "the follower is not getting on"
        time.sleep(0.1)


def test_a_topic_becomes_events_of_the_log_each_once_however_often_it_is_followed(tmp_path: Path) -> None:
    brokers = Brokers()
    brokers.send("posts", [*events(50), {"event_id": "bad", "user_id": "", "timestamp": 1, "text": "x"}])
    flags = ["--source", "kafka", "--workspace", str(tmp_path), "--brokers", brokers.address, "--topics", "posts"]
    flags += ["--idle", "1", "--option", "heartbeat.interval.ms=200"]
    said = follow.main([*flags, "--name", "one"])
    assert (said["accepted"], said["rejected"], said["messages"]) == (50, 1, 51)
    again = follow.main([*flags, "--name", "two"])  # another group: everything comes again
    assert (again["duplicate"], again.get("accepted", 0)) == (50, 0)
    assert ids_in(tmp_path) == sorted(e["event_id"] for e in events(50))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--source", "kafka"], "--source kafka: expected --brokers HOST:PORT and --topics NAME"),
        (["--source", "kafka", "--brokers", "a:1", "--topics", "t", "--option", "x"], "--option: expected name=value"),
        (["--source", "jetstream", "--from", "noon"], "--from: expected"),
        (["--source", "jetstream", "--live", "none"], "--live: expected the address of a log to write to, found none"),
        (["--source", "jetstream", "--workspace", "s3://b/ws?region=eu-west-1"], "found a workspace in object storage"),
    ],
)
def test_a_flag_that_means_nothing_is_named(tmp_path: Path, flags: list[str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        follow.main(["--workspace", str(tmp_path), *flags])
