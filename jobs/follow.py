"""`python -m jobs.follow`: a stream of events into the log of live events, for ever or until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from dynprof.errors import ConfigError
from dynprof.live.intake import take_in
from dynprof.live.open_log import open_log, own_log
from dynprof.readers.columns import parse_columns
from dynprof.snapshot import parse_time_us
from dynprof.streams.cursor import Cursor
from dynprof.streams.feed import Feed
from dynprof.workspace import Workspace
from jobs import command
from jobs.live_flag import NO_LOG

__all__ = ["main"]

LOG = logging.getLogger("dynprof.follow")

_NOT_INSTALLED = "--source: expected the package {} to be installed for {}. Install it: pip install 'dynprof[streams]'."


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Follow a stream until SIGTERM or SIGINT, or until it has been silent; returns the summary.

    Raises:
        ConfigError: A flag has a value that means nothing, or a package is missing.
        LiveLogError: The log cannot be opened or takes nothing any more.
        InputFileError: The topic cannot be read.
    """
    flags = _parser().parse_args(argv)
    command.start_logging(flags.log_level)
    watch, workspace = command.Stopwatch(), Workspace(flags.workspace)
    address = flags.live or own_log(workspace)
    if address is None or address == NO_LOG:
        raise ConfigError(
            f"--live: expected the address of a log to write to, found {address or 'a workspace in object storage'}. "
            "Give a folder or valkey://HOST; a workspace on a disk has its own."
        )
    log = open_log(address)
    try:
        feed = Feed(lambda rows: take_in(log, rows, now=time.time()), log if flags.erase else None)
        follow = {"jetstream": _jetstream, "kafka": _kafka}[flags.source](flags, feed, workspace)
        with watch.stage("follow"), _told_to_stop() as stop:
            follow(stop)
    finally:
        log.close()
    return {"job": "follow", "source": flags.source, **dict(sorted(feed.counts.items())), "seconds": watch.seconds}


def _jetstream(flags: argparse.Namespace, feed: Feed, workspace: Workspace) -> Callable[[threading.Event], None]:
    try:
        from dynprof.streams.jetstream import PUBLIC_URL, JetstreamSettings, follow_jetstream
    except ImportError as error:
        raise ConfigError(_NOT_INSTALLED.format("websockets", "jetstream")) from error
    settings = JetstreamSettings(url=flags.url or PUBLIC_URL, dids=flags.dids)
    from_us = None if flags.start is None else parse_time_us(flags.start, name="--from")
    follow = partial(follow_jetstream, feed, Cursor(workspace, flags.name or "jetstream"), settings, from_us=from_us)

    async def until(stop: threading.Event) -> None:
        stopped = asyncio.Event()
        waiting = asyncio.create_task(asyncio.to_thread(stop.wait))
        waiting.add_done_callback(lambda _: stopped.set())
        try:
            await follow(stop=stopped)
        finally:
            stop.set()  # the thread that waits for it would hold up the end
            await waiting

    return lambda stop: asyncio.run(until(stop))


def _kafka(flags: argparse.Namespace, feed: Feed, workspace: Workspace) -> Callable[[threading.Event], None]:  # noqa: ARG001 - brokers keep the position
    try:
        from dynprof.streams.kafka import KafkaSettings, follow_kafka
    except ImportError as error:
        raise ConfigError(_NOT_INSTALLED.format("confluent-kafka", "kafka")) from error
    if not (flags.brokers and flags.topics):
        raise ConfigError("--source kafka: expected --brokers HOST:PORT and --topics NAME, found one of them missing.")
    settings = KafkaSettings(
        brokers=flags.brokers,
        topics=flags.topics,
        group=flags.name or "dynprof",
        columns=parse_columns(flags.columns),
        idle_s=flags.idle,
        options=dict(_option(text) for text in flags.options),
    )
    return lambda stop: follow_kafka(feed, settings, stop=stop)


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ConfigError(f"--option: expected name=value of librdkafka, found {text!r}.")
    return name, value


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set, within the block."""
    stop = threading.Event()
    before = {s: signal.signal(s, lambda *_: stop.set()) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parser() -> argparse.ArgumentParser:
    made = command.parser("follow", "Feed the log of live events from a stream.")
    made.add_argument("--source", required=True, choices=["jetstream", "kafka"])
    made.add_argument("--workspace", required=True, metavar="DIR", help="its log is live/events.sqlite")
    made.add_argument("--live", metavar="URI", help="another log: a file, or valkey://...")
    made.add_argument("--name", metavar="NAME", help="of the position that is kept; of the consumer group (kafka)")
    made.add_argument("--erase", action="store_true", help="forget what its author deletes (jetstream)")
    jetstream = made.add_argument_group("jetstream")
    jetstream.add_argument("--url", help="of the server's /subscribe; default: a public one")
    jetstream.add_argument("--dids", nargs="*", default=[], metavar="DID", help="whose; default: everybody's")
    jetstream.add_argument(
        "--from", dest="start", metavar="TIME", help="where to start without a position; default: now"
    )
    kafka = made.add_argument_group("kafka")
    kafka.add_argument("--brokers", metavar="HOST:PORT,...")
    kafka.add_argument("--topics", nargs="*", default=[], metavar="NAME", help="messages are JSON objects")
    kafka.add_argument("--columns", metavar="OURS=THEIRS,...", help="as for ingest; THEIRS may be a path, user.id")
    kafka.add_argument("--idle", type=float, metavar="SECONDS", help="end after so long without a message")
    kafka.add_argument(
        "--option", dest="options", action="append", default=[], metavar="NAME=VALUE", help="of librdkafka"
    )
    return made


if __name__ == "__main__":
    command.run(main, sys.argv[1:])
