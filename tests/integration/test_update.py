"""Updated equals built: a corpus that came in pieces answers as one that came at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from same_answers import assert_same_answers

from dynprof.corpus import CORPUS
from dynprof.embeddings import EMBEDDINGS
from dynprof.errors import ConfigError, FingerprintError, InputFileError, SnapshotNotFoundError, WorkspaceError
from dynprof.lineage import SEGMENTS, present_corpus, segment_folder
from dynprof.segments import read_segment
from dynprof.snapshot import SNAPSHOTS
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world
from jobs import pipeline, update
from jobs.command import deliberate
from jobs.evaluate import EvaluateOptions, evaluate

pytestmark = pytest.mark.usefixtures("ray_session")

Update = Callable[..., dict[str, Any]]
BUILD = ["--encoder", "hashing:64", "--shard-texts", "1000", "--buckets", "3", "--no-evaluate", "--log-level", "ERROR"]
LATE_SHARE = 0.05


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """events-0 to events-2 in the order of time, but for some that come late and some that come twice; bios, items."""
    folder = tmp_path_factory.mktemp("pieces")
    write_world(WorldSpec(n_users=60, n_events=2_400, seed=5), Workspace(folder / "world"))
    events = pq.read_table(folder / "world" / "events-00000.parquet").sort_by("timestamp")
    rng = np.random.default_rng(0)
    piece = np.searchsorted([1_800, 2_100], np.arange(len(events)), "right")
    late = rng.random(len(events)) < LATE_SHARE
    piece[late] = rng.integers(0, 3, int(late.sum()))
    for number in range(3):
        mine = events.filter(pa.array(piece == number))
        again = events.filter(pa.array((piece < number) & (rng.random(len(events)) < LATE_SHARE)))
        pq.write_table(pa.concat_tables([mine, again, mine.slice(0, 20)]), folder / f"events-{number}.parquet")
    users = pq.read_table(folder / "world" / "users-00000.parquet")
    pq.write_table(users, folder / "users-0.parquet")
    changed = users.slice(0, 5).set_column(
        1, "bio", pa.array(["quite another person", None, "", "https://t.co/x", "a"])
    )
    new = pa.table({"user_id": ["somebody new"], "bio": ["bread and butter"]})
    pq.write_table(pa.concat_tables([changed, users.slice(5, 9), new]), folder / "users-1.parquet")
    items = sorted((folder / "world").glob("items*"))
    rows = pa.concat_tables([pq.read_table(path) for path in items])
    pq.write_table(rows.filter(pa.array(np.arange(len(rows)) % 5 != 0)), folder / "items-0.parquet")
    pq.write_table(rows, folder / "items-2.parquet")
    return folder


def files_of(pieces: Path, *numbers: int) -> list[str]:
    """The flags that name the files of some pieces."""
    flags = []
    for table in ("events", "users", "items"):
        paths = [str(p) for n in numbers if (p := pieces / f"{table}-{n}.parquet").exists()]
        flags += [f"--{table}", *paths] if paths else []
    return flags


@pytest.fixture(scope="module")
def base(pieces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base") / "ws"
    pipeline.main([*files_of(pieces, 0), "--workspace", str(folder), "--activity", *BUILD])
    return folder


@pytest.fixture(scope="module")
def built(pieces: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("built") / "ws"
    pipeline.main([*files_of(pieces, 0, 1, 2), "--workspace", str(folder), "--activity", *BUILD])
    return Workspace(folder)


@pytest.fixture
def copy(base: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(base, tmp_path / "ws"))


def run(folder: Path, *flags: str) -> dict[str, Any]:
    return update.main(["--workspace", str(folder), "--log-level", "ERROR", *flags])


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and time of change."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_updates_one_after_another_answer_as_one_build_of_everything(
    copy: Path, pieces: Path, built: Workspace
) -> None:
    before = listing(copy)
    first = run(copy, *files_of(pieces, 1))
    assert first["done_before"] is False
    assert first["duplicates"] >= 20
    second = run(copy, *files_of(pieces, 2))
    assert second["layers"] == 3
    assert second["touched_users"] < second["users"]
    assert_same_answers(Workspace(copy), built)
    assert {path: what for path, what in listing(copy).items() if path in before} == before
    for bucket in range(3):
        parts = ("activity", f"bucket-{bucket:05d}.parquet")
        mine, theirs = (w.read_parquet(SNAPSHOTS, SnapshotStore(w).name, *parts) for w in (Workspace(copy), built))
        assert mine.equals(theirs)


def test_the_evaluation_of_an_updated_corpus_gives_the_table_of_one_build_of_everything(
    copy: Path, pieces: Path, built: Workspace
) -> None:
    alone = evaluate(Workspace(copy), EvaluateOptions(max_events=30))
    for piece in (1, 2):
        run(copy, *files_of(pieces, piece))
    for options in (EvaluateOptions(max_events=30), EvaluateOptions(max_events=0, include_seen=True)):
        updated, whole = (evaluate(workspace, options) for workspace in (Workspace(copy), built))
        assert updated["facts"] == whole["facts"] != alone["facts"]
        assert updated["facts"]["n_tested"] > 20
        assert updated["methods"] == whole["methods"] != alone["methods"]


def test_pieces_in_another_order_answer_the_same(copy: Path, pieces: Path, built: Workspace) -> None:
    events = [path for n in (2, 1) for path in files_of(pieces, n)[:2]]
    run(copy, *events[:2])
    run(copy, *events[2:], "--users", str(pieces / "users-1.parquet"), "--items", str(pieces / "items-2.parquet"))
    assert_same_answers(Workspace(copy), built)


def test_nothing_new_writes_nothing(copy: Path, pieces: Path) -> None:
    run(copy, *files_of(pieces, 1))
    before, snapshot = listing(copy), SnapshotStore(Workspace(copy)).name
    for flags in (files_of(pieces, 1), files_of(pieces, 0)[:2], []):
        again = run(copy, *flags)
        assert (again["done_before"], again["snapshot"], again["encoded_now"]) == (True, snapshot, 0)
        assert listing(copy) == before


def test_only_bios_and_only_a_later_time_are_updates_too(copy: Path, pieces: Path) -> None:
    bios = run(copy, "--users", str(pieces / "users-1.parquet"))
    assert (bios["rows_in"], bios["new_users"], bios["done_before"]) == (0, 1, False)
    store = SnapshotStore(Workspace(copy))
    assert store.profile("somebody new", store.spec.decays[0], store.spec.as_of_us).basis == "bio"
    later = run(copy, "--as-of", "2100-01-01")
    assert (later["touched_users"], later["as_of"][:4], later["layers"]) == (0, "2100", 3)


@pytest.mark.parametrize("lost", ["segment", "vectors", "snapshot"])
def test_an_update_killed_anywhere_goes_on_and_answers_the_same(
    copy: Path, pieces: Path, built: Workspace, lost: str
) -> None:
    """What a kill leaves: everything after some point not there, and a half-written file."""
    workspace = Workspace(copy)
    old = SnapshotStore(workspace).name
    flags = files_of(pieces, 1, 2)
    first = run(copy, *flags)
    store = SnapshotStore(workspace)
    segment = store.corpus.segments[0]
    vectors = (EMBEDDINGS, store.spec.fingerprint, SEGMENTS, segment)
    workspace.remove(SNAPSHOTS, first["snapshot"], "manifest.json")
    if lost != "snapshot":
        workspace.remove(*vectors, "manifest.json")
    if lost == "segment":
        workspace.remove(segment_folder(segment), "manifest.json")
        workspace.remove(segment_folder(segment), "items.parquet")
    (copy / "corpus" / SEGMENTS / segment / (".".ljust(33, "0") + "-events.parquet")).write_bytes(b"PAR1")
    assert SnapshotStore(workspace).name == old  # served meanwhile
    again = run(copy, *flags)
    assert (again["snapshot"], again["encoded_now"]) == (first["snapshot"], 0)
    assert_same_answers(workspace, built)


def test_too_many_layers_and_compact_build_in_full_and_answer_the_same(
    copy: Path, pieces: Path, built: Workspace
) -> None:
    run(copy, *files_of(pieces, 1))
    second = run(copy, *files_of(pieces, 2), "--max-layers", "1")
    assert second["layers"] == 1
    workspace = Workspace(copy)
    assert_same_answers(workspace, built)
    store, theirs = SnapshotStore(workspace), SnapshotStore(built)
    for bucket in range(store.n_buckets):
        parts = ("profiles", f"bucket-{bucket:05d}.parquet")
        a, b = (s.workspace.read_parquet(SNAPSHOTS, s.name, *parts) for s in (store, theirs))
        assert a["user_id"].equals(b["user_id"])
        np.testing.assert_allclose(a["mass"].to_numpy(), b["mass"].to_numpy(), rtol=1e-9)
    assert run(copy, "--compact")["done_before"] is True


def test_bad_rows_go_to_the_quarantine_of_the_segment(copy: Path, tmp_path: Path) -> None:
    text = "user_id,timestamp,text\nann,2019-01-01,fine\n,2019-01-01,nobody\nann,never,no time\n"
    (tmp_path / "events.csv").write_text(text)
    summary = run(copy, "--events", str(tmp_path / "events.csv"))
    assert (summary["rows_in"], summary["rows_out"], summary["quarantined"]) == (3, 1, 2)
    workspace = Workspace(copy)
    folder = segment_folder(present_corpus(workspace).segments[0])
    rows = workspace.read_parquet(folder, "quarantine", *workspace.files(folder, "quarantine"))
    assert set(rows["reason"].to_pylist()) == {"user_id_missing", "timestamp_unreadable"}


def test_a_text_that_turns_out_to_be_another_one_replaces_the_state_of_who_had_it(tmp_path: Path) -> None:
    """A retweet tells the text of an item first; then comes the item itself, with another one."""
    rows = [
        ("r", "ann", 10, "retweet", "post-1", "orbit comet"),
        *((f"o{i}", "bob", i, "post", None, f"bread {i}") for i in range(40)),
    ]
    rows += [("l", "bob", 50, "like", "post-1", None), ("l2", "cyd", 51, "like", "post-2", None)]
    later = [("post-1", "eve", 5, "post", None, "butter flour"), ("post-2", "eve", 6, "post", None, "salt")]
    for name, some in (("a", rows), ("b", later)):
        columns = dict(
            zip(
                ["event_id", "user_id", "timestamp", "event_type", "item_id", "text"],
                map(list, zip(*some, strict=True)),
                strict=True,
            )
        )
        columns["timestamp"] = [1_600_000_000 + 86_400 * t for t in columns["timestamp"]]
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    a, b = (str(tmp_path / f"{name}.parquet") for name in "ab")
    pipeline.main(["--events", a, "--workspace", str(tmp_path / "ws"), *BUILD, "--buckets", "1"])
    pipeline.main(["--events", a, b, "--workspace", str(tmp_path / "built"), *BUILD, "--buckets", "1"])
    summary = run(tmp_path / "ws", "--events", b)
    assert (summary["revised_events"], summary["rows_out"]) == (3, 2)
    workspace = Workspace(tmp_path / "ws")
    manifest = SnapshotStore(workspace).manifest
    assert manifest["n_replaced_users"] == 2
    assert len(read_segment(workspace, present_corpus(workspace).segments[0], "revised")) == 3
    assert_same_answers(workspace, Workspace(tmp_path / "built"))


def refused(folder: Path, *flags: str) -> Exception:
    with pytest.raises(Exception) as raised:
        run(folder, *flags)
    error = deliberate(raised.value)
    assert error is not None, raised.value
    return error


def test_what_cannot_be_updated_is_one_clear_error(copy: Path, pieces: Path, tmp_path: Path) -> None:
    events = files_of(pieces, 1)[:2]
    before = listing(copy)
    assert isinstance(refused(tmp_path / "none", *events), WorkspaceError)
    assert isinstance(refused(copy, "--events", str(tmp_path / "absent.parquet")), InputFileError)
    assert isinstance(refused(copy, "--max-layers", "0"), ConfigError)
    assert "after the last event" in str(refused(copy, "--as-of", "2001-01-01"))
    assert listing(copy) == before


def test_a_workspace_of_another_encoder_or_without_a_whole_snapshot_is_refused(copy: Path, pieces: Path) -> None:
    workspace = Workspace(copy)
    store = SnapshotStore(workspace)
    embeddings = workspace.require_manifest(EMBEDDINGS, store.spec.fingerprint, made_by="encode")
    workspace.write_manifest({**embeddings, "encoder": "hashing:32"}, EMBEDDINGS, store.spec.fingerprint)
    assert isinstance(refused(copy, *files_of(pieces, 1)), FingerprintError)
    workspace.write_manifest(embeddings, EMBEDDINGS, store.spec.fingerprint)
    early = {**store.manifest, "as_of_us": store.corpus.manifest["last_event_us"]}
    workspace.write_manifest(early, SNAPSHOTS, store.name)
    assert "of all events of its corpus" in str(refused(copy, *files_of(pieces, 1)))
    workspace.remove(SNAPSHOTS, store.name)
    assert isinstance(refused(copy, *files_of(pieces, 1)), SnapshotNotFoundError)
    corpus = workspace.require_manifest(CORPUS, made_by="ingest")
    workspace.write_manifest({**corpus, "format_version": 99}, CORPUS)
    assert "99" in str(refused(copy, *files_of(pieces, 1)))
