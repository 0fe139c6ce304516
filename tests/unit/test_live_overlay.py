"""Snapshot plus live events answer as a snapshot that was built over everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from event_log_in_memory import MemoryLog
from hypothesis import given, settings
from hypothesis import strategies as st
from live_world import (
    DAY_US,
    ENCODER,
    START_US,
    Row,
    add_rows,
    all_events,
    embed_and_build,
    exact,
    live,
    row,
    write_base,
)

from dynprof.decay import Decay
from dynprof.errors import UnknownUserError
from dynprof.live.follower import Follower
from dynprof.live.new_items import ItemCursor
from dynprof.live.store import LiveStore
from dynprof.store import SnapshotStore, UserProfile
from dynprof.text import prepare_texts
from dynprof.workspace import Workspace

DECAYS = (Decay("exponential", "30d"), Decay("hyperbolic", "3d"), Decay("gaussian", "200d"))
USERS = [f"u{i}" for i in range(4)]
WORDS = ["goal keeper", "bread butter", "orbit comet", "salt and dough", "https://t.co/x", "derby day", None]
BIOS = {"u0": "bread and butter", "u3": "rockets", "bio-only": "derby", "silent": None}
ITEMS = [
    {"item_id": "x", "text": "a cold item", "created_at": START_US, "author_id": "u1", "language": "en"},
    {"item_id": "y", "text": None, "created_at": None, "author_id": None, "language": None},
]


@dataclass
class World:
    """A served workspace with a log beside it."""

    workspace: Workspace
    log: MemoryLog
    served: LiveStore

    @classmethod
    def make(cls, folder: Path, rows: list[Row]) -> World:
        workspace, log = Workspace(folder), MemoryLog()
        write_base(workspace, rows, items=ITEMS, bios=BIOS)
        embed_and_build(workspace)
        return cls(workspace, log, LiveStore(SnapshotStore(workspace), log))

    def encode(self) -> None:
        """What the encoder of a deployment does, until nothing waits."""
        fingerprint = self.served.store.spec.fingerprint
        for _ in range(3):
            self.served.overlay.catch_up()
            wanted = self.log.without_vector(fingerprint, 1_000)
            if wanted:
                self.log.put_vectors(fingerprint, [h for h, _ in wanted], encoded(wanted))
            cold = self.served.overlay.texts_to_encode(1_000)
            self.served.overlay.learn(dict(zip([h for h, _ in cold], encoded(cold).astype(np.float16), strict=True)))


def encoded(texts: list[tuple[bytes, str]]) -> np.ndarray:
    return ENCODER.encode(prepare_texts(pa.array([text for _, text in texts], pa.string())))


def rebuilt(folder: Path, base: list[Row], later: list[Row], gone: Collection[str] = ()) -> Workspace:
    workspace = Workspace(folder)
    write_base(workspace, base, items=ITEMS, bios=BIOS, gone=gone)
    if later:
        add_rows(workspace, later)
    embed_and_build(workspace)
    return workspace


def found(store: Any, user_id: str, decay: Decay, as_of_us: int) -> UserProfile | None:
    try:
        return store.profile(user_id, decay, as_of_us)
    except UnknownUserError:
        return None


def assert_served_as_rebuilt(world: World, whole: Workspace, users: Collection[str]) -> None:
    store, events = SnapshotStore(whole), all_events(whole)
    as_of_us = max(world.served.as_of_us, store.spec.as_of_us)
    np.testing.assert_allclose(world.served.overlay.population, store.population, atol=2e-3)
    for user_id in users:
        for decay in DECAYS:
            mine, theirs = (found(s, user_id, decay, as_of_us) for s in (world.served, store))
            assert (mine is None) == (theirs is None), user_id
            if mine is None or theirs is None:
                continue
            assert (mine.n_events, mine.first_us, mine.last_us) == (theirs.n_events, theirs.first_us, theirs.last_us)
            assert (mine.prior, mine.basis) == (theirs.prior, theirs.basis)
            assert (mine.error_bound == 0) == (theirs.error_bound == 0)
            lengths = np.linalg.norm(mine.vector) * np.linalg.norm(theirs.vector)
            assert lengths < 1e-3 or mine.vector @ theirs.vector / lengths >= 0.999999
            truth = exact(whole, events, user_id, decay, as_of_us, store.population)
            assert np.linalg.norm(mine.vector - truth.vectors[0]) <= mine.error_bound + 1e-3
            np.testing.assert_allclose(mine.mass, theirs.mass, rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(mine.n_effective, theirs.n_effective, rtol=1e-4, atol=1e-7)


# An id stands for one row, and a moment for one text: what an update may leave as it was is left out.
event_rows = st.builds(
    lambda number, user, at, item: row(
        f"e{number}",
        USERS[user],
        START_US + (100 * number + at) * DAY_US // 50,
        WORDS[at % 7] if item is None or at % 3 == 0 else None,
        item,
        weight=[1.0, 2.0, -0.5][at % 3],
    ),
    st.integers(0, 60),
    st.integers(0, 3),
    st.integers(0, 40),
    st.sampled_from([None, None, None, "e1", "e2", "x", "y", "z"]),
).filter(lambda r: r["text"] is not None or r["item_id"] is not None)
rows_of_world = st.lists(event_rows, max_size=14, unique_by=lambda r: r["event_id"])


def heavy(n: int) -> list[Row]:
    """Enough events for sums."""
    return [row(f"h{i}", "u1", START_US + i * DAY_US, f"orbit {i % 7}") for i in range(n)]


@settings(max_examples=8, deadline=None)
@given(rows_of_world, rows_of_world, st.randoms(use_true_random=False), st.integers(0, 30), st.booleans())
def test_any_order_any_split_and_any_retry_is_served_as_it_would_be_rebuilt(
    base: list[Row], later: list[Row], chance: Any, n_heavy: int, waits: bool
) -> None:
    with TemporaryDirectory() as folder:
        old, new = heavy(n_heavy)[: n_heavy // 2], heavy(n_heavy)[n_heavy // 2 :]
        ids = {r["event_id"] for r in base}
        later = [*(r for r in later if r["event_id"] not in ids), *new]
        base = [*base, *old]
        world = World.make(Path(folder) / "served", base)
        arriving = [*later, *chance.sample(later, len(later) // 2), *chance.sample(base, len(base) // 3)]
        chance.shuffle(arriving)
        while arriving:
            n = chance.randint(1, 7)
            world.log.append([live(r) for r in arriving[:n]])
            arriving = arriving[n:]
            if not waits:
                world.encode()
        world.encode()
        whole = rebuilt(Path(folder) / "rebuilt", base, later)
        assert_served_as_rebuilt(world, whole, [*USERS, "bio-only", "silent", "nobody"])


@settings(max_examples=8, deadline=None)
@given(rows_of_world, rows_of_world, st.randoms(use_true_random=False), st.integers(0, 40), st.booleans())
def test_what_was_erased_is_served_as_if_it_had_never_come(
    base: list[Row], later: list[Row], chance: Any, n_heavy: int, late: bool
) -> None:
    with TemporaryDirectory() as folder:
        ids = {r["event_id"] for r in base}
        base = [*base, *heavy(n_heavy)[::2]]
        later = [*(r for r in later if r["event_id"] not in ids), *heavy(n_heavy)[1::2]]
        everything = [*base, *later]
        gone = {r["event_id"] for r in chance.sample(everything, len(everything) // 4)}
        lost = chance.choice([*USERS, None])
        gone |= {r["event_id"] for r in everything if r["user_id"] == lost}
        world = World.make(Path(folder) / "served", base)
        steps: list[Any] = [*(("add", r) for r in later), *(("erase", e) for e in gone)]
        chance.shuffle(steps)
        for what, which in steps:
            if what == "add":
                world.log.append([live(which)])
            else:
                world.log.erase_event(which)
            if chance.random() < 0.3:
                world.encode()
        if lost is not None:
            world.log.erase_user(lost)
        if late:  # a replica that starts now knows the same
            world = World(world.workspace, world.log, LiveStore(SnapshotStore(world.workspace), world.log))
        world.encode()
        stays = [r for r in later if r["event_id"] not in gone]
        whole = rebuilt(Path(folder) / "rebuilt", base, stays, gone)
        assert_served_as_rebuilt(world, whole, [u for u in [*USERS, "bio-only"] if u != lost])
        if lost is not None:
            with pytest.raises(UnknownUserError):
                world.served.profile(lost, DECAYS[0])


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    rows = [row("e1", "u0", START_US, "goal keeper"), row("like", "u2", START_US + DAY_US, None, "later")]
    yield World.make(tmp_path / "ws", rows + heavy(20))


def test_an_event_waits_for_its_vector_and_a_like_for_its_item(world: World) -> None:
    at_us = START_US + 30 * DAY_US
    world.log.append([live(row("a", "new", at_us, None, "b")), live(row("b", "u0", at_us, "derby day"))])
    world.served.overlay.catch_up()
    assert world.served.as_of_us == at_us + 1
    assert world.served.profile("new", DECAYS[0]).basis == "population"
    world.encode()
    assert world.served.profile("new", DECAYS[0]).n_events == 1
    assert world.served.profile("u0", DECAYS[0]).n_events == 2


def test_a_post_that_comes_live_gives_likes_of_the_corpus_their_text(world: World) -> None:
    assert world.served.profile("u2", DECAYS[0]).n_events == 0
    world.log.append([live(row("later", "u3", START_US, "derby day"))])
    world.encode()
    assert world.served.profile("u2", DECAYS[0]).n_events == 1


def test_new_items_come_once_and_begin_anew_when_one_is_taken_back(world: World) -> None:
    at_us = START_US + 40 * DAY_US
    world.log.append([live(row("p1", "u0", at_us, "derby day", language="en")), live(row("l", "u2", at_us, None, "x"))])
    world.encode()
    items, cursor = world.served.overlay.items_since(ItemCursor())
    assert not items.restarts
    rows = {r["item_id"]: r for r in items.table.to_pylist()}
    assert (rows["p1"]["text"], rows["p1"]["author_id"], rows["p1"]["language"]) == ("derby day", "u0", "en")
    assert (rows["x"]["text"], rows["x"]["author_id"]) == ("a cold item", "u1")
    np.testing.assert_allclose(np.linalg.norm(items.vectors, axis=1), 1, rtol=1e-6)
    again, cursor = world.served.overlay.items_since(cursor)
    assert len(again) == 0
    world.log.erase_user("u0")
    world.encode()
    left, _ = world.served.overlay.items_since(cursor)
    assert left.restarts
    assert left.table["item_id"].to_pylist() == ["x"]


def test_readers_see_whole_changes_while_one_thread_follows(world: World) -> None:
    """All events of a step are of one text and one user, so a torn read would show another number than a step's."""
    texts = [f"step {i}" for i in range(30)]
    seen: set[int] = set()
    errors: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                try:
                    seen.add(world.served.profile("reader", DECAYS[0], START_US + 900 * DAY_US).n_events)
                except UnknownUserError:
                    seen.add(0)
        except BaseException as error:
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for i, text in enumerate(texts):
        at_us = START_US + i * DAY_US
        world.log.append([live(row(f"s{i}", "u0", at_us, text))])
        world.encode()
        world.log.append([live(row(f"s{i}-{j}", "reader", at_us + j, None, f"s{i}")) for j in range(3)])
        world.served.overlay.catch_up()
    done.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert {n % 3 for n in seen} == {0}
    assert world.served.profile("reader", DECAYS[0], START_US + 900 * DAY_US).n_events == 90


def test_a_follower_reads_what_it_is_woken_for_and_survives_a_log_that_fails(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    overlay, read = world.served.overlay, world.log.read
    failed = threading.Event()

    def failing(*_: int) -> Any:
        failed.set()
        raise OSError("the store does not answer")

    with Follower(overlay, interval_s=0.001) as follower:
        monkeypatch.setattr(world.log, "read", failing)
        assert failed.wait(30)
        monkeypatch.setattr(world.log, "read", read)
        world.log.append([live(row("f", "u0", START_US + DAY_US, "bread butter"))])
        follower.wake()
        end = time.monotonic() + 30
        while overlay.number < world.log.last_number() and time.monotonic() < end:
            pass
    assert overlay.number == world.log.last_number()
    assert sum("unread" in record.message for record in caplog.records) == 1


def test_a_follower_tells_of_what_came_while_it_told_and_of_what_others_read(world: World) -> None:
    overlay, told = world.served.overlay, threading.Event()
    numbers: list[int] = []

    def after() -> None:
        numbers.append(overlay.number)
        if len(numbers) == 1:  # a request reads more in the middle of it
            world.log.append([live(row("late", "u0", START_US + DAY_US, "bread butter"))])
            overlay.catch_up()
        else:
            told.set()

    world.log.append([live(row("early", "u0", START_US + DAY_US, "goal keeper"))])
    overlay.catch_up()  # a request was faster than the follower
    with Follower(overlay, after=after, interval_s=0.001):
        assert told.wait(30)
    assert numbers[-1] == world.log.last_number() > numbers[0]


def test_the_corpus_tells_which_events_it_has(world: World) -> None:
    """By id and user, or id and item: an id alone may be anybody's."""
    asked = [
        row("e1", "u0", START_US, "goal keeper"),
        row("e1", "somebody else", START_US, "other words"),
        row("e1", "somebody else", START_US, "other words", "another item"),
        row("like", "somebody else", START_US, None, "later"),
        row("new", "u0", START_US, "goal keeper"),
    ]
    assert world.served.overlay.known([live(r) for r in asked]) == {0, 1, 3}
    assert world.served.overlay.known([]) == set()
