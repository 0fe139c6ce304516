"""Erased is erased, byte for byte; what others have stays; killed anywhere it goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from byte_scan import files_with
from event_log_in_memory import MemoryLog
from live_world import (
    DAY_US,
    ENCODER,
    START_US,
    add_rows,
    all_events,
    build_snapshot,
    embed_and_build,
    live,
    row,
    write_base,
)

from dynprof.decay import Decay
from dynprof.embedded import open_vectors
from dynprof.erasure_plan import read_plan
from dynprof.errors import UnknownUserError
from dynprof.items import ItemCatalogue
from dynprof.keys import text_hashes
from dynprof.lineage import present_corpus
from dynprof.live.store import LiveStore
from dynprof.live.tombstones import Tombstones
from dynprof.schema import QUARANTINE
from dynprof.snapshot import SNAPSHOTS
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts
from dynprof.workspace import Workspace
from jobs.erasing import drop_old_snapshots, erase

VICTIM = "victim-Ünï-77"
DECAY = Decay("exponential", "30d")
ID = [VICTIM.encode(), json.dumps(VICTIM)[1:-1].encode()]
SECRETS = ["only the victim wrote this", "a private biography", "in a later file", "an event of somebody else"]
SHARED = ["both wrote the derby", "liked by ann"]

BASE = [
    row("v1", VICTIM, START_US, SECRETS[0]),
    row("v2", VICTIM, START_US + DAY_US, SHARED[0]),
    row("v3", VICTIM, START_US + 2 * DAY_US, SHARED[1]),
    row("v4", VICTIM, START_US + 3 * DAY_US, None, "filed"),
    *(row(f"vh{i}", VICTIM, START_US + i * DAY_US, f"{SECRETS[0]} {i}") for i in range(20)),
    row("a1", "ann", START_US + 4 * DAY_US, SHARED[0]),
    row("a2", "ann", START_US + 5 * DAY_US, None, "v3"),
    row("b1", "bob", START_US + 6 * DAY_US, SECRETS[3]),
    row("b2", "bob", START_US + 7 * DAY_US, "bread and butter"),
    *(row(f"h{i}", "heavy", START_US + i * DAY_US, f"orbit {i % 5}") for i in range(30)),
]
LATER = [
    row("v5", VICTIM, START_US + 40 * DAY_US, SECRETS[2]),
    row("b3", "bob", START_US + 41 * DAY_US, "derby"),
    row("b4", "bob", START_US + 42 * DAY_US, None, "v5"),
]
ITEMS = [
    {"item_id": "filed", "text": "of a file", "created_at": START_US, "author_id": "eve", "language": None},
    {"item_id": "mine", "text": SECRETS[0], "created_at": START_US, "author_id": VICTIM, "language": None},
]
DERIVED = ("reports", "index", "traces", "models", "maps")


def each_in_turn(function: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    return [function(*those) for those in arguments]


def write_world(folder: Path) -> Workspace:
    workspace = Workspace(folder)
    write_base(workspace, BASE, items=ITEMS, bios={VICTIM: SECRETS[1], "ann": "rockets"})
    add_rows(workspace, LATER[:2])
    raw = [f'{{"user_id": "{VICTIM}", "text": "x', '{"user_id": "bob", "timestamp": "never"}', '{"event_id": "b1"}']
    rejected = [{"source": "f", "row": i, "reason": "not_json", "detail": "d", "raw": r} for i, r in enumerate(raw)]
    table = pa.Table.from_pylist(rejected, schema=QUARANTINE)
    workspace.write_parquet(table, "corpus", "quarantine", "events-00000.parquet", metadata={"table": "events"})
    for folder in DERIVED:
        workspace.write_manifest({"user": VICTIM}, folder, "r1")
    embed_and_build(workspace)
    return workspace


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "ws"
    write_world(folder)
    return folder


@pytest.fixture
def workspace(made: Path, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(made, tmp_path / "ws"))


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    made = MemoryLog()
    made.erase_user(VICTIM)
    made.erase_event("b1")
    yield made


def needles(*texts: str) -> list[bytes]:
    """The texts and their hashes."""
    hashes = text_hashes(prepare_texts(pa.array(texts))).to_pylist()
    return [*(text.encode() for text in texts), *hashes]


def erase_all(workspace: Workspace, log: MemoryLog) -> dict[str, Any]:
    found = erase(workspace, Tombstones.of(log), each=each_in_turn)
    build_snapshot(workspace)
    drop_old_snapshots(workspace)
    return found


def test_no_byte_of_what_was_erased_is_left_and_what_others_have_stays(workspace: Workspace, log: MemoryLog) -> None:
    folder = Path(workspace.uri)
    gone = [*ID, *needles(*SECRETS), *needles(*(f"{SECRETS[0]} {i}" for i in range(20)))]
    before = files_with(folder, gone)
    assert {path.split("/")[0] for path in before} == {
        "corpus",
        "embeddings",
        "profiles",
        "reports",
        "index",
        "traces",
        "models",
        "maps",
    }
    found = erase_all(workspace, log)
    assert (found["erased_events"], found["erased_users"], found["done_before"]) == (26, 1, False)
    assert files_with(folder, gone) == {}
    assert files_with(folder, needles(*SHARED, "bread and butter", "of a file", "rockets"))
    rows = workspace.read_parquet("corpus", "quarantine", "events-00000.parquet")
    assert rows["row"].to_pylist() == [1]
    assert read_plan(workspace) is None
    again = erase(workspace, Tombstones.of(log), each=each_in_turn)
    assert again["done_before"] is True


def test_others_are_answered_as_the_overlay_answered_before(workspace: Workspace, log: MemoryLog) -> None:
    before = LiveStore(SnapshotStore(workspace), log)
    erase_all(workspace, log)
    store = SnapshotStore(workspace)
    assert len(workspace.folders(SNAPSHOTS)) == 1
    with pytest.raises(UnknownUserError):
        store.profile(VICTIM, DECAY, store.spec.as_of_us)
    np.testing.assert_allclose(before.overlay.population, store.population, atol=1e-3)
    after = LiveStore(store, log)
    for user in ("ann", "bob", "heavy"):
        mine, theirs = (s.profile(user, DECAY, before.as_of_us) for s in (before, after))
        assert mine.n_events == theirs.n_events
        np.testing.assert_allclose(mine.vector, theirs.vector, atol=2e-3)
    view = present_corpus(workspace)
    assert view.manifest["n_events"] == len(all_events(workspace))
    vectors = ENCODER.encode([r["text"] for r in all_events(workspace).to_pylist() if r["text_hash"] is not None])
    mean = open_vectors(workspace, store.spec.fingerprint, view).manifest["mean_vector"]
    np.testing.assert_allclose(mean, vectors.mean(0), atol=1e-3)
    catalogue = ItemCatalogue.load(workspace, store.spec.fingerprint, store.corpus)
    assert {"v1", "mine", "v5", "b1"}.isdisjoint(catalogue.table["item_id"].to_pylist())
    assert VICTIM not in catalogue.table["author_id"].to_pylist()


def test_live_events_and_updates_go_on_after_an_erasure(workspace: Workspace, log: MemoryLog) -> None:
    erase_all(workspace, log)
    add_rows(workspace, [row("b9", "bob", START_US + 50 * DAY_US, "salt")])
    view = present_corpus(workspace)
    assert len(view.segments) == 2
    assert view.at(SnapshotStore(workspace).manifest["corpus_id"]) == 1
    served = LiveStore(SnapshotStore(workspace), log)
    log.append([live(row("b10", "bob", START_US + 51 * DAY_US, "derby"))])
    served.overlay.catch_up()
    assert served.profile("bob", DECAY).n_events == 3  # of a text that the corpus has a vector of
    second = MemoryLog()
    second.erase_user("ann")
    erase(workspace, Tombstones.of(second), each=each_in_turn)
    after = present_corpus(workspace)
    assert (len(after.segments), after.at(view.ids[0]), after.at(view.corpus_id)) == (2, 0, 2)
    assert after.corpus_id != view.corpus_id


class Killed(BaseException):
    """What no code catches."""


def test_killed_before_any_write_it_goes_on_to_the_same_end(
    made: Path, tmp_path: Path, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan, files, manifests, the commit, removals: every write and removal of an erasure is a moment to die at."""
    create, remove = Workspace.create, Workspace.remove
    left = [0]

    def step() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    def dying_create(self: Workspace, *parts: str) -> Any:
        step()
        return create(self, *parts)

    def dying_remove(self: Workspace, *parts: str) -> None:
        step()
        remove(self, *parts)

    gone = [*ID, *needles(*SECRETS)]
    for n_steps in range(0, 200, 7):
        workspace = Workspace(shutil.copytree(made, tmp_path / f"ws-{n_steps}"))
        left[0] = n_steps
        with monkeypatch.context() as patched:
            patched.setattr(Workspace, "create", dying_create)
            patched.setattr(Workspace, "remove", dying_remove)
            try:
                erase_all(workspace, log)
                died = False
            except Killed:
                died = True
        SnapshotStore(workspace)  # somebody is served all the time
        erase_all(workspace, log)
        assert files_with(Path(workspace.uri), gone) == {}
        assert present_corpus(workspace).manifest["n_events"] == len(all_events(workspace)) == 34
        assert SnapshotStore(workspace).n_users == 3
        if not died:
            break
    assert not died
    assert n_steps >= 14


def test_an_id_is_recognised_in_rows_that_were_cut_off_and_nothing_else_is() -> None:
    log = MemoryLog()
    log.erase_user("12345")
    log.erase_user('q"uote')
    tombstones = Tombstones.of(log)
    rows = ['{"user_id": 12345, "t": 1}', '{"user_id": "12345', '{"u": "q\\"uote"}', '{"user_id": "123456"}', None]
    assert tombstones.is_named_in(pa.array(rows)).tolist() == [True, True, True, False, False]
    assert "secret" not in repr(tombstones)
