"""Updated equals built: a corpus that came in pieces answers as one that came at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
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

pytestmark = pytest.mark.usefixtures("ray_session")

Update = Callable[..., dict[str, Any]]
BUILD = ["--encoder", "hashing:64", "--shard-texts", "300", "--buckets", "4", "--no-evaluate", "--log-level", "ERROR"]
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
    changed = users.slice(0, 5).set_column(1, "bio", pa.array(["quite another person", None, "", "https://t.co/x", "a"]))
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
    for bucket in range(4):
        parts = ("activity", f"bucket-{bucket:05d}.parquet")
        mine, theirs = (
            w.read_parquet(SNAPSHOTS, SnapshotStore(w).name, *parts) for w in (Workspace(copy), built)
        )
        assert mine.equals(theirs)


def test_pieces_in_another_order_answer_the_same(copy: Path, pieces: Path, built: Workspace) -> None:
    events = [path for n in (2, 1) for path in files_of(pieces, n)[:2]]
    run(copy, *events[:2])
    run(copy, *events[2:], "--users", str(pieces / "users-1.parquet"), "--items", str(pieces / "items-2.parquet"))
    assert_same_answers(Workspace(copy), built)
