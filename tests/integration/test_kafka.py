"""Kafka, followed over sockets through librdkafka's own mock brokers, which keep groups and commits too."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from memory_log import LogDownError, MemoryLog

from dynprof.streams.feed import Feed
from dynprof.streams.kafka import KafkaSettings, follow_kafka

N, N_PARTITIONS = 400, 4
QUICK = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 200, "fetch.wait.max.ms": 50}


class Brokers:
    """Three brokers in this process, and a producer that knows them."""

    def __init__(self) -> None:
        self.producer = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 3})
        found = self.producer.list_topics(timeout=10).brokers.values()
        self.address = ",".join(f"{b.host}:{b.port}" for b in found)

    def send(self, topic: str, values: list[Any]) -> None:
        """Messages, spread over the partitions."""
        for i, value in enumerate(values):
            body = value if isinstance(value, bytes | None) else json.dumps(value).encode()
            self.producer.produce(topic, body, key=str(i).encode())
        assert self.producer.flush(10) == 0

    def settings(self, topic: str, **more: Any) -> KafkaSettings:
        options: dict[str, Any] = {"batch_messages": 30, "idle_s": 2.0, "options": QUICK, **more}
        return KafkaSettings(self.address, [topic], **options)

    def committed(self, topic: str) -> int:
        """Offsets that the group has committed, over all partitions."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "dynprof"})
        found = consumer.committed([TopicPartition(topic, p) for p in range(N_PARTITIONS)], timeout=10)
        consumer.close()
        return sum(max(0, p.offset) for p in found)


@pytest.fixture(scope="module")
def brokers() -> Iterator[Brokers]:
    made = Brokers()
    assert "127.0.0.1" in made.address
    yield made
    made.producer.flush(5)


def events(n: int) -> list[dict[str, Any]]:
    return [
        {"event_id": f"e{i}", "user_id": f"u{i % 7}", "timestamp": 1_720_000_000 + i, "text": f"t{i}"} for i in range(n)
    ]


@pytest.mark.parametrize("when", ["fail_before", "fail_after"])
def test_a_crash_of_the_log_loses_nothing_doubles_nothing_and_commits_nothing_too_early(
    brokers: Brokers, when: str
) -> None:
    topic, log = f"crash-{when}", MemoryLog()
    brokers.send(topic, events(N))
    setattr(log, when, 3)
    with pytest.raises(LogDownError):
        follow_kafka(Feed(log.take_in), brokers.settings(topic), stop=threading.Event())
    assert 0 < brokers.committed(topic) <= len(log.rows) < N
    feed = Feed(log.take_in)
    follow_kafka(feed, brokers.settings(topic), stop=threading.Event())
    assert sorted(log.rows) == sorted(e["event_id"] for e in events(N))
    assert brokers.committed(topic) == N
    assert feed.counts["duplicate"] == (
        0 if when == "fail_before" else feed.counts["messages"] - feed.counts["accepted"]
    )


def test_their_names_become_ours_and_what_is_no_event_is_counted(brokers: Brokers) -> None:
    theirs = {"id": "e1", "author": {"id": "ann"}, "at": 1_720_000_000, "body": "hello"}
    brokers.send("theirs", [theirs, None, b"no json", b"[]", {**theirs, "id": "e2", "author": {}}])
    columns = {"event_id": "id", "user_id": "author.id", "timestamp": "at", "text": "body"}
    log = MemoryLog()
    feed = Feed(log.take_in)
    follow_kafka(feed, brokers.settings("theirs", columns=columns), stop=threading.Event())
    found = [log.rows["e1"][ours] for ours in columns]
    assert found == ["e1", "ann", 1_720_000_000, "hello"]
    assert feed.counts == {"messages": 5, "ignored": 1, "unreadable": 2, "accepted": 1, "rejected": 1}
    assert brokers.committed("theirs") == 5


def test_it_ends_when_it_is_told_to_with_everything_committed_that_it_took(brokers: Brokers) -> None:
    log, stop = MemoryLog(), threading.Event()
    brokers.send("endless", events(N))

    def take_in(rows: Any) -> Any:
        stop.set()
        return log.take_in(rows)

    follow_kafka(Feed(take_in), brokers.settings("endless", idle_s=None), stop=stop)
    assert brokers.committed("endless") == len(log.rows) > 0
