"""Workspace and input in object storage: the result of a local run, also from storage that fails now and then."""

from __future__ import annotations

import _thread
import json
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from finished_run import assert_same, flags, make_world, start, summary_of
from object_store import FAULTS, ObjectStore, Request, object_store

from benchmarks.faults import tables_of
from dynprof.decay import Decay
from dynprof.errors import WorkspaceError
from dynprof.filesystems import resolve_filesystem
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from jobs import pipeline

pytestmark = pytest.mark.usefixtures("ray_session")

Local = tuple[Workspace, dict[str, Any]]
SAME = {"snapshot", "report", "fingerprint", "rows_out", "distinct_texts", "users", "methods", "tested"}


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as made:
        yield made


@pytest.fixture
def quiet(store: ObjectStore) -> Iterator[ObjectStore]:
    """The store, well before and after the test."""
    store.requests.clear()
    yield store
    store.share, store.refuse, store.down = 0.0, False, lambda _: False


@pytest.fixture(scope="module")
def world(store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    make_world(folder)
    pa.fs.copy_files(str(folder), "dynprof/world", destination_filesystem=resolve_filesystem(store.address(""))[0])
    return folder


@pytest.fixture(scope="module")
def local(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Local:
    folder = tmp_path_factory.mktemp("local")
    return Workspace(folder), pipeline.main(flags(str(world), str(folder)))


def there(store: ObjectStore, folder: str) -> list[str]:
    return flags("s3://dynprof/world", store.address(folder), "?" + store.address("").partition("?")[2])


def assert_same_run(store: ObjectStore, folder: str, summary: dict[str, Any], local: Local) -> None:
    for name in SAME & summary.keys():
        assert summary[name] == local[1][name], name
    found = tables_of(Workspace(store.address(folder)), summary["snapshot"])
    assert_same(found, tables_of(local[0], summary["snapshot"]))


def test_inputs_and_workspace_in_object_storage_give_the_local_result(quiet: ObjectStore, local: Local) -> None:
    summary = pipeline.main(there(quiet, "plain"))
    assert_same_run(quiet, "plain", summary, local)
    assert summary.keys() == local[1].keys() >= SAME
    n_puts = Counter(r.key for r in quiet.written(r"^plain/.*(parquet|arrow|json)$"))
    assert max(n_puts.values()) == 1, "a file costs one request to write: no copy, no second name"
    assert not any("/." in r.key for r in quiet.requests)
    quiet.requests.clear()
    again = pipeline.main(there(quiet, "plain"))
    assert again["done_before"] is True
    assert quiet.written("") == []


def test_the_server_s_store_reads_a_snapshot_there_as_it_reads_a_local_one(quiet: ObjectStore, local: Local) -> None:
    workspace, summary = local
    copy = Workspace(quiet.address("served"))
    pa.fs.copy_files(workspace.uri, "dynprof/served", destination_filesystem=copy.filesystem)
    quiet.share = 0.1
    mine, theirs = SnapshotStore(copy, summary["snapshot"]), SnapshotStore(workspace, summary["snapshot"])
    at_us = theirs.spec.as_of_us + 1
    for number in range(theirs.n_users):
        user = theirs.user_id(number)
        a, b = (s.profile(user, Decay("gaussian", "12h"), at_us) for s in (mine, theirs))
        np.testing.assert_array_equal(a.vector, b.vector)
        assert (a.mass, a.n_events) == (b.mass, b.n_events)


def test_storage_that_fails_now_and_then_changes_nothing(quiet: ObjectStore, local: Local) -> None:
    quiet.share = 0.1
    summary = pipeline.main([*there(quiet, "flaky"), "--no-evaluate"])
    quiet.share = 0.0
    failed = Counter(r.fault for r in quiet.requests if r.fault)
    assert set(failed) == set(FAULTS) and min(failed.values()) > 5, failed
    assert_same_run(quiet, "flaky", summary, local)


def test_an_outage_ends_in_one_line_that_says_what_to_do_and_the_same_command_goes_on(
    quiet: ObjectStore, local: Local, world: Path, tmp_path: Path
) -> None:
    job = [*flags(str(world), "s3://dynprof/outage"), "--no-evaluate"]
    quiet.down = lambda _: len(quiet.written(r"^outage/.*arrow$")) >= 8
    broken = start(job, {**quiet.environment, "AWS_MAX_ATTEMPTS": "2"}, tmp_path / "log")
    broken.communicate(timeout=120)
    assert broken.returncode == 2
    (line,) = [t for t in (tmp_path / "log").read_text().splitlines() if t.startswith("dynprof: ")]
    assert "run the same command again" in line
    assert "AWS Error" in line
    quiet.down = lambda _: False
    summary = summary_of(start(job, quiet.environment, tmp_path / "log"), tmp_path / "log")
    assert_same_run(quiet, "outage", summary, local)
    assert 0 < summary["encoded_now"] < summary["distinct_texts"]
    encoded = [encoded_in(put) for put in quiet.written(r"^outage/embeddings/.*arrow$")]
    assert sum(encoded) == summary["distinct_texts"], "a text of a finished shard was encoded again"


def encoded_in(put: Request) -> int:
    stored = pa.ipc.open_file(put.content).schema.metadata[b"dynprof"]
    return int(json.loads(stored)["n_encoded"])


def test_a_file_that_cannot_be_put_whole_is_not_there(quiet: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    workspace = Workspace(quiet.address("halves") + "&region=us-west-2")  # a connection of its own
    quiet.down = lambda r: "partNumber=3" in r.query
    with pytest.raises(WorkspaceError, match=r"halves/big: expected to write the file whole.*SLOW_DOWN.*same command"):
        _write(workspace, "big", 60 << 20)
    with pytest.raises(KeyError), workspace.create("small") as sink:
        sink.write(b"half")
        raise KeyError
    assert workspace.files() == []


def test_an_interrupt_while_a_file_is_put_leaves_it_whole_or_absent(quiet: ObjectStore) -> None:
    interrupted = threading.Event()

    def interrupt(asked: Request) -> bool:
        if "partNumber=" in asked.query and not interrupted.is_set():  # once, also where a part is sent again
            interrupted.set()
            _thread.interrupt_main()
        return False

    workspace, size = Workspace(quiet.address("interrupted")), 60 << 20
    quiet.down = interrupt
    heard_before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            _write(workspace, "big", size)
    finally:
        signal.signal(signal.SIGINT, heard_before)
    quiet.down = lambda _: False
    assert workspace.files() == [] or workspace.size_bytes("big") == size


def _write(workspace: Workspace, name: str, size_bytes: int) -> None:
    with workspace.create(name) as sink:
        for _ in range(size_bytes >> 20):
            sink.write(bytes(1 << 20))


def test_a_refusal_is_one_line_that_says_what_to_look_at(quiet: ObjectStore, world: Path, tmp_path: Path) -> None:
    quiet.refuse = True
    job = start(flags(str(world), "s3://dynprof/refused"), quiet.environment, tmp_path / "log")
    assert job.communicate(timeout=120)[0] == ""
    assert job.returncode == 2
    (line,) = [t for t in (tmp_path / "log").read_text().splitlines() if t.startswith("dynprof: ")]
    assert "AWS_ACCESS_KEY_ID" in line
