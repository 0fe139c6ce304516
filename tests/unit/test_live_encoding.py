"""The live encoder gives every text of the log its vector: at once, together, and whatever goes wrong in between."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from live_log_laws import make_event, statuses

from dynprof.encoders import load_encoder
from dynprof.encoders.encoder import Encoder, Texts, Vectors
from dynprof.errors import LiveLogError
from dynprof.live import encoding
from dynprof.live.encoding import LiveEncoder
from dynprof.live.log import LiveEvent
from dynprof.live.sqlite_log import SqliteLog

ENCODER = load_encoder("hashing:64")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    opened = SqliteLog(tmp_path / "log.db")
    yield opened
    opened.close()


def vectors_of(log: SqliteLog) -> dict[str, list[float]]:
    """Text to vector, of all events."""
    of_hash = {c.text_hash: c.event.text for c in log.read(0, 9999) if c.event is not None and c.text_hash}
    found = log.vectors(ENCODER.fingerprint, list(of_hash))
    return {str(of_hash[text_hash]): vector.tolist() for text_hash, vector in found.items()}


def test_a_vector_in_the_log_is_the_one_that_a_build_would_use(log: SqliteLog) -> None:
    statuses(log, *range(12))
    live = LiveEncoder(log, ENCODER)
    assert live.encode_waiting() == 4 and live.encode_waiting() == 0  # texts repeat, some are only a link
    found = vectors_of(log)
    expected = ENCODER.encode(list(found)).astype(np.float16)
    assert len(found) == 4 and list(found.values()) == expected.tolist()


def test_texts_of_many_requests_are_encoded_together_and_only_what_is_new(log: SqliteLog) -> None:
    counting = Counting()
    live = LiveEncoder(log, counting)
    for n in range(0, 300, 30):
        log.append([LiveEvent(f"e{i}", "ann", i, "post", f"e{i}", f"text {i}") for i in range(n, n + 30)])
    assert [live.encode_waiting() for _ in range(3)] == [256, 44, 0]
    log.append(
        [LiveEvent("late", "ann", 1, "post", "late", "text 7"), LiveEvent("new", "ann", 1, "post", "new", "other")]
    )
    assert live.encode_waiting() == 1
    assert counting.sizes == [256, 44, 1]


def test_the_thread_wakes_at_once_survives_errors_and_ends(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(encoding, "_RETRY_S", 0.0)
    arrived = threading.Event()
    failing = Failing([LiveLogError("the disk is full"), ValueError("the model is odd")])
    live = LiveEncoder(log, failing, on_vectors=arrived.set, poll_s=3600)
    with caplog.at_level(logging.WARNING, "dynprof.live"):
        live.start()
        statuses(log, 2)
        live.wake()  # without it the thread would look again in an hour
        assert arrived.wait(30)
    live.close()
    assert list(vectors_of(log)) == [make_event(2).text]
    assert "the disk is full" in caplog.text and "the model is odd" in caplog.text
    live.close()


def test_several_encoders_of_one_log_do_no_harm(log: SqliteLog) -> None:
    statuses(log, *range(12))
    encoders = [LiveEncoder(log, ENCODER) for _ in range(4)]
    threads = [threading.Thread(target=live.encode_waiting) for live in encoders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(vectors_of(log)) == 4
    assert len([c for c in log.read(0, 999) if c.kind == "vector"]) == 4


def test_a_user_erased_while_the_text_is_encoded_leaves_no_vector(log: SqliteLog) -> None:
    statuses(log, 2)
    eraser = Counting(lambda: log.erase_user(make_event(2).user_id))
    LiveEncoder(log, eraser).encode_waiting()
    assert eraser.sizes == [1] and {c.kind for c in log.read(0, 99)} == {"erase_user"}


class Counting(Encoder):
    """The hashing encoder, with a record of what it was asked, and something to do meanwhile."""

    def __init__(self, meanwhile: object = None) -> None:
        super().__init__(ENCODER._identity)
        self.sizes: list[int] = []
        self._meanwhile = meanwhile

    def encode(self, texts: Texts) -> Vectors:
        self.sizes.append(len(texts))
        if callable(self._meanwhile):
            self._meanwhile()
        return ENCODER.encode(texts)

    def encode_distinct(self, texts: list[str]) -> Vectors:
        raise NotImplementedError


class Failing(Counting):
    """Raises some errors, one a call, before it works."""

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__(self.fail)
        self._errors = errors

    def fail(self) -> None:
        if self._errors:
            raise self._errors.pop(0)
