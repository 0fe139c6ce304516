"""Parity: after many random events what is served is what a rebuild gives, and the judge sees what is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from event_log_in_memory import MemoryLog
from live_world import DAY_US, ENCODER, START_US, Row, embed_and_build, live, row, write_base

from dynprof.decay import Decay
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts
from dynprof.workspace import Workspace
from jobs.verify import LibraryServer, Served, exit_code, verify

DECAYS = (Decay("exponential", "30d"), Decay("hyperbolic", "10d"))
N_EVENTS = 100_000
WORDS = ["goal", "derby", "bread", "butter", "orbit", "comet", "salt", "dough", "rocket", "keeper", "onion", "nebula"]


def random_rows(n: int, rng: np.random.Generator, prefix: str) -> list[Row]:
    """Posts, likes of known, later and unknown items; a few users have most of the events."""
    users = [f"u{i}" for i in np.minimum(rng.zipf(1.3, n), 2_000)]
    at_us = START_US + rng.integers(0, 300 * DAY_US, n)
    numbers = rng.integers(0, n, n)
    kinds = rng.random(n)
    rows = []
    for i in range(n):
        text = " ".join(WORDS[j] for j in rng.integers(0, len(WORDS), 3))
        item, told = None, text
        if kinds[i] < 0.3:
            item, told = f"{prefix}{numbers[i]}", None
        elif kinds[i] < 0.35:
            item = f"x{numbers[i] % 500}"
        rows.append(
            row(f"{prefix}{i}", users[i], int(at_us[i]), told, item, weight=float(rng.choice([1.0, 2.0, -0.5])))
        )
    return rows


def encode(log: MemoryLog, fingerprint: str) -> None:
    wanted = log.without_vector(fingerprint, 1_000_000)
    vectors = ENCODER.encode(prepare_texts(pa.array([text for _, text in wanted], pa.string())))
    log.put_vectors(fingerprint, [text_hash for text_hash, _ in wanted], vectors)


class Lying:
    """A server whose answers are changed on their way."""

    def __init__(self, server: LibraryServer, change: Any) -> None:
        self._server, self._change = server, change

    def profile(self, user_id: str, decay: Decay, as_of_us: int) -> Served | None:
        return self._change(user_id, self._server.profile(user_id, decay, as_of_us))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SnapshotStore, MemoryLog, LibraryServer]]:
    """A corpus of 2,000 events, a log of 98,000: late, out of order, some twice, some erased, users too."""
    rng = np.random.default_rng(11)
    workspace, log = Workspace(tmp_path_factory.mktemp("parity") / "ws"), MemoryLog()
    base = random_rows(2_000, rng, "b")
    write_base(workspace, base, bios={f"u{i}": f"{WORDS[i]} {WORDS[i + 1]}" for i in range(5)})
    embed_and_build(workspace)
    store = SnapshotStore(workspace)
    server = LibraryServer(store, log)
    later = random_rows(N_EVENTS - len(base), rng, "n")
    for r in later[::50]:
        r["item_id"], r["text"] = f"b{rng.integers(0, 2_000)}", None
    start = 0
    while start < len(later):
        n = int(rng.integers(1, 4_000))
        again = [later[i] for i in rng.integers(0, max(1, start), 50)] + [base[i] for i in rng.integers(0, 2_000, 10)]
        log.append([live(r) for r in [*later[start : start + n], *again]])
        for i in rng.integers(0, start + n, 3):
            log.erase_event(f"n{i}")
        if rng.random() < 0.5:
            encode(log, store.spec.fingerprint)
            server.profile("u1", DECAYS[0], START_US + 400 * DAY_US)  # and so follows
        start += n
    for i in rng.integers(0, 2_000, 5):
        log.erase_event(f"b{i}")
    for i in (3, 17, 400):
        log.erase_user(f"u{i}")
    encode(log, store.spec.fingerprint)
    yield store, log, server


def test_after_100000_random_events_served_is_rebuilt(world: Any) -> None:
    store, log, server = world
    found = verify(store, log, server, DECAYS, n_users=150)
    assert found["ok"], found
    assert (found["missing"], found["extra"], exit_code(found)) == (0, 0, 0)
    assert found["least_cosine"] >= 0.999999
    assert found["worst_error_over_bound"] <= 0
    assert found["profiles"] > 200
    fresh = verify(store, log, LibraryServer(store, log), DECAYS, n_users=60, seed=1)
    assert fresh["ok"], fresh


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda *_: None, "missing"),
        (lambda _, read: Served(read.vector, read.n_events + 1, read.error_bound), "extra"),
        (lambda _, read: Served(np.roll(read.vector, 1), read.n_events, read.error_bound), "least_cosine"),
        (lambda _, read: Served(1.5 * read.vector, read.n_events, read.error_bound), "worst_error_over_bound"),
    ],
)
def test_an_answer_that_differs_is_found(world: Any, change: Any, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store, log, server = world
    monkeypatch.setattr("jobs.verify._TRIES", 1)
    found = verify(store, log, Lying(server, change), DECAYS[:1], n_users=4)
    assert not found["ok"]
    assert exit_code(found) == 1
    assert found["differences"]
    assert found[what] < 0.9999 if what == "least_cosine" else found[what] > 0


def test_an_erased_user_who_is_still_served_is_extra(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store, log, server = world
    monkeypatch.setattr("jobs.verify._TRIES", 1)
    monkeypatch.setattr("jobs.verify._choose", lambda *_: ["u3"])
    assert verify(store, log, server, DECAYS[:1], n_users=1)["ok"]
    old = store.profile("u3", DECAYS[0], store.spec.as_of_us + 400 * DAY_US)
    lying = Lying(server, lambda *_: Served(old.vector, old.n_events, old.error_bound))
    assert verify(store, log, lying, DECAYS[:1], n_users=1)["extra"] == 1
