"""Bluesky's Jetstream as a source of live events: followed for ever, across broken connections and restarts."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidURI, WebSocketException

from dynprof.errors import ConfigError
from dynprof.readers.jetstream import unfold_jetstream
from dynprof.streams.cursor import Cursor
from dynprof.streams.feed import Erasure, Feed

__all__ = ["COLLECTIONS", "PUBLIC_URL", "JetstreamSettings", "follow_jetstream", "messages_of"]

LOG = logging.getLogger("dynprof.streams")

PUBLIC_URL = "wss://jetstream2.us-east.bsky.network/subscribe"
COLLECTIONS = ("app.bsky.feed.post", "app.bsky.feed.repost", "app.bsky.feed.like")

_LARGEST_MESSAGE = 4 << 20
_GAP_S = 60.0


@dataclass(frozen=True)
class JetstreamSettings:
    """How a stream is followed.

    Attributes:
        url: Of the server's `/subscribe`.
        collections: What to ask the server for.
        dids: Whose; empty: everybody's.
        rewind_s: How far before the last message to start again. Servers number by their own clocks, and several
            messages may share a microsecond; what comes twice counts once.
        queue_messages: Most messages that wait for the log. When they are so many, nothing more is read, and the
            server notices.
        batch_messages: Most messages that go into the log together.
        cursor_every_s: How often the position is written down.
        first_wait_s: Before the second attempt to connect; doubled from attempt to attempt, half of it random.
        longest_wait_s: Between two attempts.
        silence_s: A connection that says nothing for so long is given up.
    """

    url: str = PUBLIC_URL
    collections: Sequence[str] = COLLECTIONS
    dids: Sequence[str] = ()
    rewind_s: float = 5.0
    queue_messages: int = 10_000
    batch_messages: int = 500
    cursor_every_s: float = 1.0
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0
    silence_s: float = 60.0

    def address(self, cursor_us: int | None) -> str:
        """What to connect to, to hear everything from a position on; None: from now on."""
        asked = [("wantedCollections", c) for c in self.collections] + [("wantedDids", d) for d in self.dids]
        if cursor_us is not None:
            asked.append(("cursor", str(max(0, cursor_us - int(self.rewind_s * 1e6)))))
        return f"{self.url}?{urlencode(asked)}" if asked else self.url


async def follow_jetstream(
    feed: Feed,
    cursor: Cursor,
    settings: JetstreamSettings,
    *,
    stop: asyncio.Event,
    from_us: int | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Feed the log until told to stop; then what has been read is durable and the position written down.

    A restart goes on from the position, which is never ahead of the log: nothing is lost. What comes again is known to
    the log by its id: nothing counts twice. (A server keeps some days. After a longer stop the gap is logged.)

    Args:
        feed: Into which log.
        cursor: Where the position is kept.
        settings: See there.
        stop: Set it to end.
        from_us: Where to start when there is no position; None: with what comes from now on.
        sleep: Between attempts to connect.

    Raises:
        ConfigError: The address means nothing.
        LiveLogError: The log takes nothing any more. The position stays before what it did not take.
        WorkspaceError: The position cannot be read or written.
    """
    queue: asyncio.Queue[bytes] = asyncio.Queue(settings.queue_messages)
    position = _Position(await asyncio.to_thread(cursor.read) or from_us)
    reading = asyncio.create_task(_read(queue, position, settings, sleep))
    writing = asyncio.create_task(_write(queue, feed, cursor, settings))
    stopping = asyncio.create_task(stop.wait())
    ending = None
    try:
        await asyncio.wait({reading, writing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await _cancelled(reading)
        ending = asyncio.create_task(queue.put(_END))  # may wait for a place; not for a writer that is gone
        await asyncio.wait({ending, writing}, return_when=asyncio.FIRST_COMPLETED)
        await writing
        if not reading.cancelled():
            reading.result()
    finally:
        for task in filter(None, (reading, writing, stopping, ending)):
            await _cancelled(task)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait for its end, however it ends."""
    task.cancel()
    await asyncio.wait({task})


_END = b""


@dataclass
class _Position:
    """Microseconds since 1970 of the last message that was read; None before the first."""

    at_us: int | None


async def _read(
    queue: asyncio.Queue[bytes],
    position: _Position,
    settings: JetstreamSettings,
    sleep: Callable[[float], Awaitable[None]],
) -> None:
    """Messages into the queue, for ever. A full queue stops it, and with it the connection."""
    wait_s = settings.first_wait_s
    while True:
        asked = position.at_us
        try:
            async with aclosing(_connection(settings, asked)) as messages:
                async for raw in messages:
                    _notice_gap(asked, raw)
                    asked, wait_s = None, settings.first_wait_s
                    await queue.put(raw)
                    position.at_us = _time_us(raw) or position.at_us
        except InvalidURI as error:
            raise ConfigError(f"--url: expected ws://... or wss://..., found {settings.url!r}.") from error
        except (OSError, WebSocketException, TimeoutError) as error:
            LOG.warning("jetstream=lost url=%s error=%s wait_s=%.1f", settings.url, type(error).__name__, wait_s)
        await sleep(wait_s * random.uniform(0.5, 1.0))  # noqa: S311 - so that not all clients come back at once
        wait_s = min(2 * wait_s, settings.longest_wait_s)


async def _connection(settings: JetstreamSettings, cursor_us: int | None) -> AsyncGenerator[bytes]:
    async with connect(settings.address(cursor_us), max_size=_LARGEST_MESSAGE, max_queue=64) as socket:
        LOG.info("jetstream=connected url=%s cursor=%s", settings.url, cursor_us)
        while True:
            async with asyncio.timeout(settings.silence_s):
                raw = await socket.recv(decode=False)
            yield raw


def _notice_gap(asked_us: int | None, raw: bytes) -> None:
    """Say so when a server no longer has what comes after the position."""
    first = _time_us(raw) if asked_us is not None else None
    gap_s = 0.0 if asked_us is None or first is None else (first - asked_us) / 1e6
    if gap_s > _GAP_S:
        LOG.warning("jetstream=gap seconds=%.0f the server no longer has what came after the position", gap_s)


def _time_us(raw: bytes) -> int | None:
    try:
        value = orjson.loads(raw).get("time_us")
    except (ValueError, AttributeError):
        return None
    return value if isinstance(value, int) else None


async def _write(queue: asyncio.Queue[bytes], feed: Feed, cursor: Cursor, settings: JetstreamSettings) -> None:
    """Messages out of the queue into the log, and then the position, which is therefore never ahead."""
    written_at, ended, at_us, saved_us = time.monotonic(), False, None, None
    while not ended:
        batch = [await queue.get()]
        while len(batch) < settings.batch_messages and not queue.empty():
            batch.append(queue.get_nowait())
        ended = batch[-1] == _END
        raws = batch[:-1] if ended else batch
        await asyncio.to_thread(feed.take, messages_of(raws, feed.counts))
        at_us = max((t for t in map(_time_us, raws) if t is not None), default=at_us)
        due = ended or time.monotonic() - written_at >= settings.cursor_every_s
        if due and at_us is not None and at_us != saved_us:
            await asyncio.to_thread(cursor.write, at_us)
            written_at, saved_us = time.monotonic(), at_us


def messages_of(raws: Sequence[bytes], counts: Any) -> list[Mapping[str, Any] | Erasure]:
    """What the log is to hear of some messages, in order; most collections and kinds are none of its business.

    Args:
        raws: JSON, as the server sends it.
        counts: A counter: `messages`, `unreadable` and `ignored` are added to.
    """
    found: list[Mapping[str, Any] | Erasure] = []
    for raw in raws:
        counts["messages"] += 1
        try:
            message = orjson.loads(raw)
            rows = [_erasure(message)] if _erasure(message) else [row for row, _ in unfold_jetstream(message, "events")]
        except (ValueError, AttributeError):
            counts["unreadable"] += 1
            continue
        counts["ignored"] += not rows
        found.extend(row for row in rows if row is not None)
    return found


def _erasure(message: dict[str, Any]) -> Erasure | None:
    """What a message takes back: one record, or, with a deleted account, all of them."""
    commit, account, did = message.get("commit"), message.get("account"), message.get("did")
    if isinstance(commit, dict) and commit.get("operation") == "delete" and commit.get("collection") in COLLECTIONS:
        return Erasure(event_id=f"at://{did}/{commit.get('collection')}/{commit.get('rkey')}")
    if isinstance(account, dict) and account.get("active") is False and account.get("status") == "deleted":
        return Erasure(user_id=str(did))
    return None
