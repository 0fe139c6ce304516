"""A log of live events becomes part of the corpus: nothing lost, nothing twice, whatever dies in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from byte_scan import files_with
from same_answers import FP16_ULP, assert_same_answers, assert_same_corpus

from dynprof.embeddings import EMBEDDINGS
from dynprof.encoders import load_encoder
from dynprof.lineage import SEGMENTS, present_corpus, segment_folder
from dynprof.live.absorbed import absorbed_number
from dynprof.live.log import LiveEvent
from dynprof.live.open_log import open_log
from dynprof.live.sqlite_log import SqliteLog
from dynprof.live.store import LiveStore
from dynprof.segments import read_events
from dynprof.snapshot import SNAPSHOTS
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world
from jobs import build, erase, pipeline, update
from jobs.command import Stopwatch
from jobs.ingest import IngestOptions

pytestmark = pytest.mark.usefixtures("ray_session")

BUILD = ["--encoder", "hashing:64", "--shard-texts", "1000", "--buckets", "3", "--no-evaluate", "--log-level", "ERROR"]
DECAYS = ["--decays", "exponential"]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    folder = tmp_path_factory.mktemp("world")
    write_world(WorldSpec(n_users=40, n_events=1_000, seed=5), Workspace(folder))
    made = pq.read_table(folder / "events-00000.parquet").sort_by("timestamp")
    nobody_mentions = pc.binary_join_element_wise("person", made["user_id"], "-")
    return made.set_column(made.schema.get_field_index("user_id"), "user_id", nobody_mentions)


@pytest.fixture(scope="module")
def base(events: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    pq.write_table(events.slice(0, 700), folder / "events.parquet")
    pipeline.main(
        ["--events", str(folder / "events.parquet"), "--workspace", str(folder / "ws"), *BUILD, *DECAYS, "--activity"]
    )
    return folder / "ws"


@pytest.fixture(scope="module")
def built(events: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("built")
    pq.write_table(events, folder / "events.parquet")
    flags = ["--events", str(folder / "events.parquet"), "--workspace", str(folder / "ws"), *BUILD, *DECAYS]
    pipeline.main([*flags, "--activity"])
    return Workspace(folder / "ws")


@pytest.fixture
def copy(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "ws"))


@pytest.fixture
def log(copy: Path) -> Iterator[SqliteLog]:
    opened = open_log(copy / "live")
    yield opened  # type: ignore[misc]
    opened.close()


def live_events(rows: pa.Table) -> list[LiveEvent]:
    """Rows of a file as the events of a log."""
    micros = rows.set_column(
        rows.schema.get_field_index("timestamp"), "timestamp", rows["timestamp"].cast(pa.timestamp("us")).cast("int64")
    )
    return [
        LiveEvent(
            r["event_id"],
            r["user_id"],
            r["timestamp"],
            r["event_type"],
            r["item_id"] or r["event_id"],
            r["text"],
            1.0,
            r["language"],
        )
        for r in micros.to_pylist()
    ]


def encode_all(log: SqliteLog, fingerprint: str) -> int:
    """What the encoder of a deployment does."""
    wanted = log.without_vector(fingerprint, 100_000)
    vectors = load_encoder("hashing:64").encode(prepare_texts(pa.array([text for _, text in wanted], pa.string())))
    log.put_vectors(fingerprint, [text_hash for text_hash, _ in wanted], vectors)
    return len(wanted)


def run(folder: Path, *flags: str) -> dict[str, Any]:
    return update.main(["--workspace", str(folder), "--log-level", "ERROR", *flags])


def test_an_update_takes_the_log_in_and_answers_as_one_build_of_everything(
    copy: Path, events: pa.Table, log: SqliteLog, built: Workspace
) -> None:
    workspace = Workspace(copy)
    old = SnapshotStore(workspace)
    log.append(live_events(events.slice(600, 250)))  # a hundred of them the corpus has
    encode_all(log, old.spec.fingerprint)
    served = LiveStore(old, log)
    served.overlay.catch_up()
    first = run(copy)
    assert (first["absorbed"], first["encoded_now"], first["trimmed"], first["layers"]) == (150, 0, 0, 2)
    assert run(copy)["done_before"] is True
    log.append(live_events(events.slice(800, 200)))
    second = run(copy)
    assert (second["absorbed"], second["trimmed"]) == (150, 250)  # what the snapshot before this one has
    assert second["encoded_now"] > 0
    assert_same_answers(workspace, built)
    store = SnapshotStore(workspace)
    assert absorbed_number(store.corpus.manifest, log) == log.last_number()
    fresh = LiveStore(store, log)
    fresh.overlay.catch_up()
    assert fresh.overlay.n_events == 0
    encode_all(log, old.spec.fingerprint)
    served.overlay.catch_up()  # the replica that still has the old snapshot answers the same
    for number in range(store.n_users):
        user = store.user_id(number)
        mine, theirs = (s.profile(user, store.spec.decays[0], store.spec.as_of_us) for s in (served, fresh))
        assert mine.n_events == theirs.n_events
        np.testing.assert_allclose(mine.vector, theirs.vector, atol=1e-3)
    third = run(copy, "--as-of", "2100-01-01")
    assert third["trimmed"] == 150
    assert not [c for c in log.read(0, 100_000) if c.kind == "event"]


@pytest.mark.parametrize("command", ["update", "build"])
@pytest.mark.parametrize("lost", ["half a segment", "segment", "vectors", "snapshot", "trim"])
def test_killed_at_any_step_nothing_is_lost_and_nothing_counts_twice(
    copy: Path, events: pa.Table, log: SqliteLog, built: Workspace, lost: str, command: str
) -> None:
    """What a kill leaves: everything after some point not there. In between, more events come in."""
    workspace = Workspace(copy)
    again: Callable[[], dict[str, Any]] = lambda: run(copy)  # noqa: E731
    if command == "build":
        flags = ["--workspace", str(copy), "--log-level", "ERROR", *DECAYS, "--activity"]
        again = lambda: build.main(flags)  # noqa: E731
    log.append(live_events(events.slice(650, 200)))
    first = again()
    view = present_corpus(workspace)
    segment, fingerprint = view.segments[0], SnapshotStore(workspace).spec.fingerprint
    if lost != "trim":
        workspace.remove(SNAPSHOTS, first["snapshot"], "manifest.json")
    if lost in ("vectors", "segment", "half a segment"):
        workspace.remove(EMBEDDINGS, fingerprint, SEGMENTS, segment, "manifest.json")
    if lost in ("segment", "half a segment"):
        workspace.remove(segment_folder(segment), "manifest.json")
    if lost == "half a segment":
        workspace.remove(segment_folder(segment), "items.parquet")
    log.append(live_events(events.slice(800, 200)))
    again()
    mine, theirs = SnapshotStore(workspace), SnapshotStore(built)
    assert mine.manifest["n_events"] == theirs.manifest["n_events"]
    assert_same_corpus(workspace, mine, built, theirs)
    for number in range(theirs.n_users):
        user = theirs.user_id(number)
        a, b = (s.profile(user, theirs.spec.decays[0], theirs.spec.as_of_us) for s in (mine, theirs))
        assert a.n_events == b.n_events
        np.testing.assert_allclose(a.vector, b.vector, atol=FP16_ULP)


def test_a_log_that_was_begun_anew_is_read_from_its_first_change(copy: Path, events: pa.Table, log: SqliteLog) -> None:
    log.append(live_events(events.slice(700, 100)))
    assert run(copy)["absorbed"] == 100
    log.close()
    shutil.rmtree(copy / "live")
    anew = open_log(copy / "live")
    anew.append(live_events(events.slice(750, 100)))
    assert run(copy)["absorbed"] == 50
    anew.close()


def test_live_none_leaves_the_log_alone(copy: Path, events: pa.Table, log: SqliteLog) -> None:
    log.append(live_events(events.slice(700, 10)))
    assert run(copy, "--live", "none")["absorbed"] == 0
    assert update.update(Workspace(copy), options(), Stopwatch())["absorbed"] == 0


def options() -> update.UpdateOptions:
    return update.UpdateOptions(IngestOptions(()))


def test_erased_users_are_gone_from_every_file_and_stay_out_when_they_are_imported_again(
    copy: Path, events: pa.Table, log: SqliteLog, tmp_path: Path
) -> None:
    workspace = Workspace(copy)
    log.append(live_events(events.slice(650, 100)))
    run(copy)  # so that a segment has something of them too
    store = SnapshotStore(workspace)
    counts = events.slice(0, 750)["user_id"].value_counts().to_pylist()
    victim = max(counts, key=lambda row: row["counts"])["values"]
    single = next(row for row in events.slice(0, 700).to_pylist() if row["user_id"] != victim and row["text"])
    log.erase_user(victim)
    log.erase_event(single["event_id"])
    found = update.main(["--workspace", str(copy), "--log-level", "ERROR"])
    assert found["erased"] == max(row["counts"] for row in counts) + 1
    assert files_with(copy, [victim.encode()]) == {}
    fresh = SnapshotStore(workspace)
    assert workspace.folders(SNAPSHOTS) == [fresh.name]
    assert fresh.n_users == store.n_users - 1
    again = erase.main(["--workspace", str(copy), "--log-level", "ERROR"])
    assert again["done_before"] is True
    pq.write_table(events, tmp_path / "all.parquet")
    summary = run(copy, "--events", str(tmp_path / "all.parquet"))
    assert files_with(copy, [victim.encode()]) == {}
    ids = [row["event_id"] for b in range(3) for row in rows_of_bucket(workspace, b)]
    assert single["event_id"] not in ids
    assert summary["erased_rows"] == events["user_id"].to_pylist().count(victim) + 1
    other = tmp_path / "other"
    flags = ["--events", str(tmp_path / "all.parquet"), "--workspace", str(other), "--live", str(copy / "live")]
    fresh_start = pipeline.main([*flags, *BUILD, *DECAYS])
    assert fresh_start["erased_rows"] == summary["erased_rows"]
    assert files_with(other, [victim.encode()]) == {}


def rows_of_bucket(workspace: Workspace, bucket: int) -> list[dict[str, Any]]:
    view = present_corpus(workspace)
    return read_events(workspace, bucket, ["event_id"], segments=view.segments).to_pylist()
