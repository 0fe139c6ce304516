"""A Kafka topic as a source of live events: offsets are committed after the log is durable, never before."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from dynprof.errors import InputFileError
from dynprof.streams.feed import Feed

__all__ = ["KafkaSettings", "follow_kafka", "rows_of"]

LOG = logging.getLogger("dynprof.streams")


@dataclass(frozen=True)
class KafkaSettings:
    """How a topic is followed.

    Attributes:
        brokers: `host:port`, several with commas.
        topics: Their messages are JSON objects.
        group: Consumer group. Several consumers of one group share the partitions.
        columns: Our name to theirs, or to a path such as `user.id`.
        batch_messages: Most messages that go into the log together, and most that wait.
        wait_s: How long to wait for a batch to fill.
        idle_s: End after so long without a message; None: never.
        options: Of librdkafka, such as `security.protocol` and `sasl.*`; they win over ours, but for the commits.
    """

    brokers: str
    topics: Sequence[str]
    group: str = "dynprof"
    columns: Mapping[str, str] = field(default_factory=dict)
    batch_messages: int = 500
    wait_s: float = 0.2
    idle_s: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def configuration(self) -> dict[str, Any]:
        """What librdkafka is told."""
        return {
            "bootstrap.servers": self.brokers,
            "group.id": self.group,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 16_384,  # of what librdkafka fetches ahead, a partition
            **self.options,
            "error_cb": _say,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
        }


def _say(error: KafkaError) -> None:
    """Brokers that cannot be reached: librdkafka tries for ever, and somebody should know."""
    LOG.warning("kafka=trouble error=%s", error.str())


def follow_kafka(feed: Feed, settings: KafkaSettings, *, stop: threading.Event) -> None:
    """Feed the log until told to stop; then what has been read is durable and committed.

    A consumer that dies after the log is durable and before the commit, or whose partitions go to another, has its
    last batch read again: the log knows the events by their ids, so they count once.

    Args:
        feed: Into which log.
        settings: See there.
        stop: Set it to end.

    Raises:
        InputFileError: The topic cannot be read. (Brokers that do not answer are tried for ever, with a warning.)
        LiveLogError: The log takes nothing any more. What it did not take stays uncommitted.
    """
    consumer = Consumer(settings.configuration(), logger=logging.getLogger("dynprof.streams.kafka"))
    last = float("inf")  # until there are partitions to read, no silence

    def begin(_: Consumer, __: Sequence[TopicPartition]) -> None:
        nonlocal last
        last = time.monotonic()

    consumer.subscribe(list(settings.topics), on_assign=begin)
    try:
        while not stop.is_set():
            batch = _good(consumer.consume(settings.batch_messages, settings.wait_s), settings)
            if batch:
                feed.take(rows_of([m.value() for m in batch], settings.columns, feed.counts))
                _commit(consumer, batch)
                last = time.monotonic()
            elif settings.idle_s is not None and time.monotonic() - last >= settings.idle_s:
                return
    finally:
        consumer.close()


def _good(messages: Sequence[Message], settings: KafkaSettings) -> list[Message]:
    """Messages without the events of librdkafka among them."""
    for error in filter(None, (m.error() for m in messages)):
        if error.code() == KafkaError._PARTITION_EOF or error.retriable():
            continue
        raise InputFileError(
            f"kafka://{settings.brokers}/{','.join(settings.topics)}: expected messages, found: {error.str()}. "
            "Check the name of the topic and the rights of the consumer."
        )
    return [m for m in messages if m.error() is None]


def _commit(consumer: Consumer, batch: Sequence[Message]) -> None:
    """Commit the offset after the last message of each partition."""
    last = {(m.topic(), m.partition()): m.offset() for m in batch}
    offsets = [TopicPartition(topic, partition, offset + 1) for (topic, partition), offset in last.items()]
    try:
        consumer.commit(offsets=offsets, asynchronous=False)
    except KafkaException as error:  # the partitions went elsewhere, or the broker did: at worst this batch comes again
        LOG.warning("kafka=commit_failed error=%s", error)


def rows_of(values: Sequence[bytes | None], columns: Mapping[str, str], counts: Any) -> list[Mapping[str, Any]]:
    """JSON messages as rows under our names.

    Args:
        values: (n,) as they come; None is Kafka's tombstone and is no event.
        columns: Our name to theirs; names that are not there stand for themselves.
        counts: A counter: `messages`, `unreadable` and `ignored` are added to.
    """
    rows: list[Mapping[str, Any]] = []
    for value in values:
        counts["messages"] += 1
        if value is None:
            counts["ignored"] += 1
            continue
        try:
            record = orjson.loads(value)
        except ValueError:
            record = None
        if isinstance(record, dict):
            rows.append({**record, **{ours: _at(record, theirs) for ours, theirs in columns.items()}})
        else:
            counts["unreadable"] += 1
    return rows


def _at(record: Any, path: str) -> Any:
    if isinstance(record, dict) and path in record:
        return record[path]
    for key in path.split("."):
        record = record.get(key) if isinstance(record, dict) else None
    return record
