"""Jetstream, followed over a real websocket: nothing lost, nothing twice, whatever breaks."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from jetstream_server import LIKE, START_US, JetstreamServer, account_deleted, deleted, post, uri
from memory_log import LogDownError, MemoryLog

from dynprof.errors import ConfigError
from dynprof.streams.cursor import Cursor
from dynprof.streams.feed import Feed
from dynprof.streams.jetstream import JetstreamSettings, follow_jetstream
from dynprof.workspace import Workspace

N = 300
PATIENCE_S = 30.0


@pytest.fixture
def cursor(tmp_path: Path) -> Cursor:
    return Cursor(Workspace(tmp_path), "jetstream")


async def at_once(_: float) -> None:
    """Instead of a pause: give others a turn."""
    await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.002)


def noise(seed: int) -> str:
    """40,000 characters that do not compress: connections do, and so much fits into their buffers."""
    return Random(seed).randbytes(20_000).hex()


async def follow(
    server: JetstreamServer,
    log: MemoryLog,
    cursor: Cursor,
    done: Callable[[], bool],
    *,
    erase: bool = False,
    **settings: Any,
) -> Feed:
    """Follow until something is true, then stop in order."""
    feed, stop = Feed(log.take_in, log if erase else None), asyncio.Event()
    async with server.running() as url:
        chosen = JetstreamSettings(url=url, **{"cursor_every_s": 0.0, "batch_messages": 20, **settings})
        from_us = None if cursor.read() else START_US
        following = asyncio.create_task(
            follow_jetstream(feed, cursor, chosen, stop=stop, from_us=from_us, sleep=at_once)
        )
        waiting = asyncio.create_task(until(done))
        await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        waiting.cancel()
        await following
        assert done()
    return feed


@pytest.mark.parametrize("seed", range(4))
def test_connections_that_break_at_any_message_lose_nothing_and_double_nothing(cursor: Cursor, seed: int) -> None:
    server, log, rng = JetstreamServer([post(i) for i in range(N)]), MemoryLog(), Random(seed)
    server.breaks = lambda n: rng.randint(0, 60) if n < 25 else None
    feed = asyncio.run(follow(server, log, cursor, lambda: len(log.rows) == N, rewind_s=2.0))
    assert sorted(log.rows) == sorted(uri(i) for i in range(N))
    assert feed.counts["accepted"] == N and feed.counts["rejected"] == 0
    assert cursor.read() == post(N - 1)["time_us"]
    assert len(server.requests) > 3
    row = log.rows[uri(7)]
    assert (row["user_id"], row["text"], row["language"]) == ("did:plc:ann", "hello", "en")


def test_a_restart_goes_on_where_the_last_run_stopped(cursor: Cursor) -> None:
    log = MemoryLog()
    asyncio.run(follow(JetstreamServer([post(i) for i in range(100)]), log, cursor, lambda: len(log.rows) == 100))
    stopped_at = cursor.read()
    assert stopped_at == post(99)["time_us"]
    later = JetstreamServer([post(i) for i in range(N)])
    asyncio.run(follow(later, log, cursor, lambda: len(log.rows) == N))
    assert later.requests[0]["cursor"] == [str(stopped_at - 5_000_000)]
    assert later.n_sent == N - 84  # five seconds before the hundredth message: fifteen of the same and of those before
    assert sorted(log.rows) == sorted(uri(i) for i in range(N))


@pytest.mark.parametrize("when", ["fail_before", "fail_after"])
@pytest.mark.parametrize("call", [1, 2, 6])
def test_a_crash_of_the_log_at_any_call_loses_nothing_and_doubles_nothing(cursor: Cursor, when: str, call: int) -> None:
    server, log = JetstreamServer([post(i) for i in range(N)]), MemoryLog()
    setattr(log, when, call)
    with pytest.raises(LogDownError):
        asyncio.run(follow(server, log, cursor, lambda: len(log.rows) == N))
    at_us = cursor.read()
    assert at_us is None or {uri(i) for i in range(N) if post(i)["time_us"] < at_us} <= set(log.rows)
    feed = asyncio.run(follow(JetstreamServer(server.messages), log, cursor, lambda: len(log.rows) == N))
    assert sorted(log.rows) == sorted(uri(i) for i in range(N))
    assert feed.counts["accepted"] + feed.counts["duplicate"] == feed.counts["messages"]


def test_a_position_that_cannot_be_written_ends_the_run_and_costs_nothing(
    cursor: Cursor, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, log = JetstreamServer([post(i) for i in range(N)]), MemoryLog()
    with monkeypatch.context() as patch:
        patch.setattr(Cursor, "write", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
        with pytest.raises(OSError, match="no space left"):
            asyncio.run(follow(server, log, cursor, lambda: len(log.rows) == N))
    asyncio.run(follow(JetstreamServer(server.messages), log, cursor, lambda: len(log.rows) == N))
    assert len(log.seen) == N


def test_a_log_that_is_slow_stops_the_reading_not_the_memory(cursor: Cursor) -> None:
    server, log = JetstreamServer([post(i, text=noise(i)) for i in range(1_000)]), MemoryLog()
    log.may_go_on.clear()

    async def blocked_then_free() -> None:
        following = asyncio.create_task(follow(server, log, cursor, lambda: len(log.rows) == 1_000, queue_messages=50))
        sent = -1
        while sent != server.n_sent or not sent:  # until the server is held up
            sent = server.n_sent
            await asyncio.sleep(0.5)
        assert sent < 900, "the server was never held up"
        assert not log.rows
        log.may_go_on.set()
        await following

    asyncio.run(blocked_then_free())


def test_what_is_deleted_is_forgotten_after_what_came_before_it(cursor: Cursor) -> None:
    bob = "did:plc:bob"
    messages = [post(0), post(1), deleted(2, 0), post(3, did=bob), account_deleted(4, bob), post(5)]
    log = MemoryLog()
    done = lambda: uri(5) in log.rows  # noqa: E731
    feed = asyncio.run(follow(JetstreamServer(messages), log, cursor, done, erase=True))
    assert sorted(log.rows) == [uri(1), uri(5)] and log.erased_users == [bob]
    assert feed.counts["erasures"] == 2 and feed.counts["erased"] == 2
    kept = MemoryLog()
    Workspace(cursor.workspace.path()).remove("live")
    feed = asyncio.run(follow(JetstreamServer(messages), kept, cursor, lambda: uri(5) in kept.rows))
    assert len(kept.rows) == 4 and feed.counts["erasures"] == 2 and feed.counts["erased"] == 0


def test_messages_that_are_none_of_ours_are_counted_and_left_alone(cursor: Cursor) -> None:
    identity = {"did": "did:plc:ann", "time_us": START_US, "kind": "identity", "identity": {"handle": "ann.test"}}
    other = post(1, collection="app.bsky.graph.follow")
    like = post(2, collection=LIKE) | {"did": "did:plc:bob"}
    like["commit"]["record"] = {"subject": {"uri": uri(0)}}
    log = MemoryLog()
    server = JetstreamServer([post(0), identity, "no json", "[1]", other, like, post(3)])
    feed = asyncio.run(follow(server, log, cursor, lambda: uri(3) in log.rows))
    assert feed.counts == {"messages": 6, "unreadable": 2, "ignored": 1, "accepted": 3}
    assert log.rows["at://did:plc:bob/app.bsky.feed.like/k2"]["item_id"] == uri(0)
    assert server.requests[0]["wantedCollections"] == ["app.bsky.feed.post", "app.bsky.feed.repost", LIKE]


def test_a_connection_that_falls_silent_is_given_up_and_a_gap_is_told(
    cursor: Cursor, caplog: pytest.LogCaptureFixture
) -> None:
    cursor.write(START_US - 3_600_000_000)  # the server has nothing that old any more
    server, log = JetstreamServer([post(i) for i in range(9)]), MemoryLog()
    server.silent = {0}
    with caplog.at_level(logging.WARNING, "dynprof.streams"):
        asyncio.run(follow(server, log, cursor, lambda: len(log.rows) == 9, silence_s=0.3))
    assert "jetstream=lost" in caplog.text and "TimeoutError" in caplog.text
    assert "jetstream=gap seconds=3600" in caplog.text


def test_a_server_that_is_not_there_is_tried_again_ever_later(cursor: Cursor) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    waits: list[float] = []
    server, log, stop = JetstreamServer([post(0)]), MemoryLog(), asyncio.Event()

    async def appears_after_eight_attempts() -> None:
        here = asyncio.Event()

        async def sleep(delay_s: float) -> None:
            waits.append(delay_s)
            if len(waits) == 8:
                here.set()
                await asyncio.sleep(0.2)

        settings = JetstreamSettings(url=f"ws://127.0.0.1:{port}/subscribe", longest_wait_s=8.0)
        feed = Feed(log.take_in)
        following = asyncio.create_task(
            follow_jetstream(feed, cursor, settings, stop=stop, from_us=START_US, sleep=sleep)
        )
        await here.wait()
        async with server.running(port):
            await until(lambda: len(log.rows) == 1)
            stop.set()
            await following

    asyncio.run(appears_after_eight_attempts())
    bounds = [(0.25 * 2**i, 0.5 * 2**i) for i in range(5)] + [(4.0, 8.0)] * 3
    assert all(low <= wait <= high for wait, (low, high) in zip(waits, bounds, strict=False))


def test_an_address_that_is_none_is_an_error_at_once(cursor: Cursor) -> None:
    settings, stop = JetstreamSettings(url="jetstream.example"), asyncio.Event()
    with pytest.raises(ConfigError, match=r"expected ws://... or wss://..., found 'jetstream.example'"):
        asyncio.run(follow_jetstream(Feed(MemoryLog().take_in), cursor, settings, stop=stop))
