"""What must hold of a log of live events whichever store keeps it. Both stores are run through these tests."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynprof.errors import ConfigError
from dynprof.live.log import Change, EventLog, LiveEvent

FINGERPRINT, OTHER = "0123456789abcdef", "fedcba9876543210"
USERS = ("ann", "bob", "Ünï 😀", "a/b\nc")
EPOCH_US = 1_700_000_000_000_000

BOTH_STORES = [HealthCheck.differing_executors]  # one law, run by a class for each store: that is the point

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.integers(0, 30), max_size=8)),
        st.tuples(st.just("vectors"), st.integers(1, 4)),
        st.tuples(st.just("erase_user"), st.sampled_from(USERS)),
        st.tuples(st.just("erase_event"), st.integers(0, 35)),
        st.tuples(st.just("trim"), st.integers(0, 20)),
    ),
    max_size=14,
)


def make_event(number: int) -> LiveEvent:
    """One of a fixed world of events: texts repeat, some have none, some are nothing but a link."""
    text = (None, "https://t.co/x", f"text {number % 4}\0", f"Ünï {number % 3} 😀")[number % 4]
    item_id = f"item-{number % 5}" if text is None else f"event-{number}"
    user_id, at_us = USERS[number % len(USERS)], EPOCH_US - number * 10**9
    return LiveEvent(f"event-{number}", user_id, at_us, "post", item_id, text, number / 7, (None, "de")[number % 2])


def read_all(log: EventLog, limit: int = 3) -> list[Change]:
    """Follow the log to its end, as a replica does."""
    changes: list[Change] = []
    while found := log.read(changes[-1].number if changes else 0, limit):
        assert len(found) <= limit
        changes += found
    return changes


def event_ids(log: EventLog) -> list[str]:
    return [c.event.event_id for c in read_all(log) if c.event is not None]


def statuses(log: EventLog, *numbers: int) -> list[str]:
    return [outcome.status for outcome in log.append([make_event(n) for n in numbers])]


class Model:
    """What a log should hold, in plain sets and lists, and the numbers that were seen."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.events: list[LiveEvent] = []
        self.erased_users: set[str] = set()
        self.erased_events: set[str] = set()

    def append(self, events: list[LiveEvent]) -> list[str]:
        return [self._append(event) for event in events]

    def _append(self, event: LiveEvent) -> str:
        if event.user_id in self.erased_users:
            return "rejected"
        if event.event_id in self.known:
            return "duplicate"
        self.known.add(event.event_id)
        self.events.append(event)
        return "accepted"

    def remove(self, gone: list[LiveEvent]) -> int:
        self.events = [event for event in self.events if event not in gone]
        return len(gone)


class LogLaws(ABC):
    """Subclasses say how to open a log."""

    @abstractmethod
    def fresh(self) -> AbstractContextManager[EventLog]:
        """A new, empty log."""

    @abstractmethod
    def again(self, log: EventLog) -> AbstractContextManager[EventLog]:
        """The same log opened a second time, as another process would."""

    @settings(max_examples=25, suppress_health_check=BOTH_STORES)
    @given(steps=STEPS)
    def test_a_log_does_what_a_list_and_a_set_would_do(self, steps: list[tuple[str, Any]]) -> None:
        with self.fresh() as log:
            model, last = Model(), 0
            for what, argument in steps:
                apply(log, model, what, argument)
                assert log.last_number() >= last
                last = log.last_number()
            check_contents(log, model)
            with self.again(log) as reopened:
                check_contents(reopened, model)
                assert reopened.last_number() == last
                assert read_all(reopened) == read_all(log)

    @settings(max_examples=12, suppress_health_check=BOTH_STORES)
    @given(
        order=st.permutations([*range(12), *range(6)]),
        cuts=st.lists(st.integers(0, 18), max_size=4),
        retry=st.booleans(),
    )
    def test_any_order_split_and_retry_counts_every_id_once(
        self, order: list[int], cuts: list[int], retry: bool
    ) -> None:
        with self.fresh() as log:
            edges = [0, *sorted(cuts), len(order)]
            parts = [order[a:b] for a, b in pairwise(edges)]
            found = [s for part in parts for s in statuses(log, *part)]
            assert found.count("accepted") == 12
            if retry:
                assert set(statuses(log, *order)) == {"duplicate"}
            assert sorted(event_ids(log)) == sorted(f"event-{n}" for n in range(12))
            assert [c.number for c in read_all(log)] == list(range(1, 13))

    def test_of_several_events_with_one_id_the_first_counts(self) -> None:
        first, second = make_event(2), LiveEvent("event-2", "bob", EPOCH_US, "like", "x")
        with self.fresh() as log:
            assert [o.status for o in log.append([first, second])] == ["accepted", "duplicate"]
            assert log.append([second])[0].status == "duplicate"
            assert [c.event for c in read_all(log)] == [first]

    def test_nothing_appended_is_nothing_changed(self) -> None:
        with self.fresh() as log:
            assert log.append([]) == [] and log.read(0, 10) == [] and log.last_number() == 0
            log.put_vectors(FINGERPRINT, [], np.zeros((0, 4), np.float32))
            assert log.vectors(FINGERPRINT, []) == {} and log.without_vector(FINGERPRINT, 5) == []

    def test_two_that_opened_one_log_see_what_the_other_wrote(self) -> None:
        with self.fresh() as log, self.again(log) as other:
            assert statuses(log, 2, 3) == ["accepted"] * 2
            assert statuses(other, 3, 6) == ["duplicate", "accepted"]
            assert event_ids(log) == event_ids(other) == ["event-2", "event-3", "event-6"]
            other.erase_user(USERS[2])
            assert statuses(log, 10) == ["rejected"]
            assert log.erased_users() == {log.keyed(USERS[2])} == {other.keyed(USERS[2])}

    def test_a_vector_is_kept_once_for_each_encoder_and_told_once(self) -> None:
        with self.fresh() as log:
            statuses(log, 2, 6, 3)
            ((first, text), (second, _)) = log.without_vector(FINGERPRINT, 10)
            assert text == make_event(2).text
            log.put_vectors(FINGERPRINT, [first], np.full((1, 4), 0.5, np.float32))
            log.put_vectors(FINGERPRINT, [first, second], np.full((2, 4), 0.25, np.float32))
            found = log.vectors(FINGERPRINT, [first, second, b"?" * 16])
            assert {k: v.tolist() for k, v in found.items()} == {first: [0.5] * 4, second: [0.25] * 4}
            assert all(v.dtype == np.float16 for v in found.values())
            assert [c.text_hash for c in read_all(log) if c.kind == "vector"] == [first, second]
            assert log.without_vector(FINGERPRINT, 10) == [] and len(log.without_vector(OTHER, 10)) == 2
            statuses(log, 7)
            assert [t for _, t in log.without_vector(FINGERPRINT, 10)] == [make_event(7).text]
            assert len(log.without_vector(OTHER, 1)) == 1

    def test_a_vector_of_an_erased_text_is_neither_kept_nor_taken(self) -> None:
        with self.fresh() as log:
            statuses(log, 2, 3)  # of two users, each with a text of its own
            pending = dict(log.without_vector(FINGERPRINT, 10))
            hashes = list(pending)
            log.put_vectors(FINGERPRINT, hashes[:1], np.ones((1, 4), np.float32))
            assert log.erase_user(make_event(2).user_id) == log.erase_user(make_event(3).user_id) == 1
            log.put_vectors(FINGERPRINT, hashes, np.ones((2, 4), np.float32))  # an encoder that was under way
            assert log.vectors(FINGERPRINT, hashes) == {}
            assert {c.kind for c in read_all(log)} == {"erase_user"}

    def test_a_vector_stays_while_another_user_has_the_text(self) -> None:
        with self.fresh() as log:
            shared = [LiveEvent(i, i, EPOCH_US, "post", i, "the same") for i in ("ann", "bob")]
            log.append(shared)
            ((text_hash, _),) = log.without_vector(FINGERPRINT, 10)
            log.put_vectors(FINGERPRINT, [text_hash], np.ones((1, 4), np.float32))
            log.erase_user("ann")
            assert list(log.vectors(FINGERPRINT, [text_hash])) == [text_hash]
            assert log.trim(log.last_number()) == 1
            assert log.vectors(FINGERPRINT, [text_hash]) == {}

    @pytest.mark.parametrize(
        ("hashes", "vectors"),
        [([b"x" * 16], np.ones((2, 4))), ([b"short"], np.ones((1, 4))), ([b"x" * 16], np.full((1, 4), np.nan))],
    )
    def test_what_are_no_vectors_is_refused(self, hashes: list[bytes], vectors: Any) -> None:
        with self.fresh() as log, pytest.raises(ConfigError, match="expected"):
            log.put_vectors(FINGERPRINT, hashes, vectors.astype(np.float32))

    def test_trimmed_events_are_gone_and_their_ids_are_not(self) -> None:
        with self.fresh() as log:
            statuses(log, *range(6))
            assert log.trim(4) == 4 and log.trim(4) == 0
            assert event_ids(log) == ["event-4", "event-5"]
            assert statuses(log, *range(7)) == [*["duplicate"] * 6, "accepted"]
            assert log.read(0, 1)[0].number == 5 and log.last_number() == 7
            log.trim(7)
            assert log.read(0, 10) == [] and log.last_number() == 7

    def test_an_erased_event_never_comes_back_not_even_one_that_the_log_never_saw(self) -> None:
        with self.fresh() as log:
            statuses(log, 2, 3)
            assert log.erase_event("event-2") and not log.erase_event("event-2") and not log.erase_event("event-6")
            assert statuses(log, 2, 6) == ["duplicate", "duplicate"]
            assert event_ids(log) == ["event-3"]
            erased = {log.keyed("event-2"), log.keyed("event-6")}
            assert log.erased_events() == erased == {c.erased for c in read_all(log) if c.kind == "erase_event"}

    def test_the_number_of_an_erased_event_is_not_given_again(self) -> None:
        with self.fresh() as log:
            statuses(log, 2, 3)
            log.erase_event("event-3")
            statuses(log, 6)
            assert [c.number for c in read_all(log)] == [1, 3, 4]

    def test_a_users_events_come_in_order_and_nobody_elses(self) -> None:
        with self.fresh() as log:
            statuses(log, 8, 1, 4, 0)
            assert log.events_of(USERS[0]) == [make_event(n) for n in (8, 4, 0)]
            assert log.events_of("nobody") == []

    def test_threads_that_append_at_once_lose_and_double_nothing_and_readers_see_no_gap(self) -> None:
        with self.fresh() as log:
            readers_saw: list[list[int]] = []
            writers = [threading.Thread(target=append_in_parts, args=(log, start)) for start in range(6)]
            reader = threading.Thread(target=lambda: readers_saw.append(follow(log, until=60)))
            for thread in [reader, *writers]:
                thread.start()
            for thread in [*writers, reader]:
                thread.join(60)
            assert readers_saw == [list(range(1, 61))]
            assert sorted(event_ids(log)) == sorted(f"event-{n}" for n in range(60))


def append_in_parts(log: EventLog, start: int) -> None:
    """Every writer brings everything, each in an order of its own, so all compete for every id."""
    numbers = [(n * 7 + start * 10) % 60 for n in range(60)]
    for i in range(0, 60, 5):
        statuses(log, *numbers[i : i + 5])


def follow(log: EventLog, *, until: int) -> list[int]:
    """Numbers of events as a reader that only ever goes on sees them."""
    numbers: list[int] = []
    while len(numbers) < until:
        numbers += [c.number for c in log.read(numbers[-1] if numbers else 0, 7)]
    return numbers


def apply(log: EventLog, model: Model, what: str, argument: Any) -> None:
    """One step on both, with the same answer."""
    if what == "append":
        events = [make_event(n) for n in argument]
        assert [o.status for o in log.append(events)] == model.append(events)
    elif what == "vectors":
        pending = log.without_vector(FINGERPRINT, argument)
        assert len(pending) <= argument
        log.put_vectors(FINGERPRINT, [h for h, _ in pending], np.ones((len(pending), 2), np.float32))
    elif what == "erase_user":
        gone = [event for event in model.events if event.user_id == argument]
        assert log.erase_user(argument) == model.remove(gone)
        model.erased_users.add(argument)
    elif what == "erase_event":
        event_id = f"event-{argument}"
        gone = [event for event in model.events if event.event_id == event_id]
        assert log.erase_event(event_id) == bool(model.remove(gone))
        model.erased_events.add(event_id)
        model.known.add(event_id)
    else:
        gone = [c.event for c in read_all(log) if c.event is not None and c.number <= argument]
        assert log.trim(argument) == model.remove(gone)


def check_contents(log: EventLog, model: Model) -> None:
    """The log holds what the model holds, its numbers rise, and every vector belongs to a text."""
    changes = read_all(log)
    numbers = [change.number for change in changes]
    assert numbers == sorted(set(numbers)) and (not numbers or numbers[-1] <= log.last_number())
    assert [change.event for change in changes if change.kind == "event"] == model.events
    assert log.erased_users() == {log.keyed(user) for user in model.erased_users}
    assert log.erased_events() == {log.keyed(event) for event in model.erased_events}
    texts = {change.text_hash for change in changes if change.kind == "event"} - {None}
    with_vector = [change.text_hash for change in changes if change.kind == "vector"]
    assert len(with_vector) == len(set(with_vector)) and set(with_vector) <= texts
    assert set(log.vectors(FINGERPRINT, sorted(h for h in texts if h))) == set(with_vector)
    pending = {text_hash for text_hash, _ in log.without_vector(FINGERPRINT, 100)}
    assert pending == texts - set(with_vector)
