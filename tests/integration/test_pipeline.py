"""The main job on a small world with the hashing encoder: what comes out, what a rerun does, what bad input costs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from dynprof.bank import DEFAULT_BANK
from dynprof.corpus import CORPUS
from dynprof.decay import PROFILE_KINDS, Decay
from dynprof.errors import (
    ConfigError,
    DynprofError,
    InputFileError,
    MissingColumnError,
    ModelNotFoundError,
    WorkspaceError,
)
from dynprof.snapshot import SNAPSHOTS, read_spec
from dynprof.state_io import priors_from_table, states_from_table
from dynprof.vectors import matrix_of
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, write_world
from jobs import pipeline

pytestmark = pytest.mark.usefixtures("ray_session")

Run = Callable[..., dict[str, Any]]
ENCODER = ["--encoder", "hashing:64", "--shard-texts", "300"]  # several shards


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(WorldSpec(n_users=60, n_events=3_000, seed=3), Workspace(folder))
    return folder


@pytest.fixture(scope="module")
def run(world: Path) -> Run:
    def call(workspace: Path, *more: str, events: list[str] | None = None, side: bool = True) -> dict[str, Any]:
        files = ["--events", *(events or [f"{world}/events*"])]
        if side:
            files += ["--users", f"{world}/users*", "--items", f"{world}/items*"]
        return pipeline.main([*files, "--workspace", str(workspace), *ENCODER, "--log-level", "ERROR", *more])

    return call


@pytest.fixture(scope="module")
def built(run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("built")
    return Workspace(folder), run(folder, "--buckets", "4", "--activity")


def profiles_of(workspace: Workspace, snapshot: str) -> pa.Table:
    files = workspace.files(SNAPSHOTS, snapshot, "profiles")
    table = pa.concat_tables([workspace.read_parquet(SNAPSHOTS, snapshot, "profiles", f) for f in files])
    return table.sort_by([("user_id", "ascending"), ("kind", "ascending")]).combine_chunks()


def assert_same_profiles(a: pa.Table, b: pa.Table, *, atol: float = 1e-3) -> None:
    """Equal but for the rounding of fp16 (5e-4) in sums whose order may differ."""
    for column in ("user_id", "kind", "n_events", "last_event_at"):
        assert a[column].equals(b[column]), column
    np.testing.assert_allclose(matrix_of(a["profile"]).astype(float), matrix_of(b["profile"]).astype(float), atol=atol)
    np.testing.assert_allclose(a["mass"], b["mass"], rtol=1e-9)
    np.testing.assert_allclose(a["n_effective"], b["n_effective"], rtol=1e-9)


def test_the_summary_counts_what_went_in_and_out(built: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, summary = built
    assert summary["job"] == "pipeline"
    assert (summary["rows_in"], summary["rows_out"], summary["quarantined"]) == (3_000, 3_000, 0)
    assert summary["users"] == 60
    assert summary["encoded_now"] == summary["distinct_texts"] > 500
    assert set(summary["seconds"]) == {"ingest", "encode", "build", "evaluate"}
    assert workspace.read_manifest(SNAPSHOTS, summary["snapshot"])["n_events"] == 3_000
    assert json.loads(json.dumps(summary)) == summary


def test_every_user_has_a_profile_of_every_kind(built: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, summary = built
    table = profiles_of(workspace, summary["snapshot"])
    assert len(table) == 60 * len(PROFILE_KINDS)
    assert set(table["kind"].to_pylist()) == set(PROFILE_KINDS)
    assert (np.linalg.norm(matrix_of(table["profile"]).astype(float), axis=1) <= 1.001).all()


def test_the_state_on_disk_reads_out_as_the_profile_beside_it(built: tuple[Workspace, dict[str, Any]]) -> None:
    workspace, summary = built
    spec, manifest = read_spec(workspace, summary["snapshot"])
    population = np.asarray(manifest["population_mean"], np.float32)
    n_heavy = 0
    for bucket in range(manifest["n_buckets"]):
        rows = workspace.open_ipc(SNAPSHOTS, summary["snapshot"], "states", f"bucket-{bucket:05d}.arrow").read_all()
        stored = workspace.read_parquet(SNAPSHOTS, summary["snapshot"], "profiles", f"bucket-{bucket:05d}.parquet")
        states = states_from_table(rows, DEFAULT_BANK, spec.dim)
        n_heavy += len(states.heavy)
        prior = priors_from_table(rows, population)
        for kind in PROFILE_KINDS:
            read = states.profile(Decay(kind), spec.as_of_us, prior=prior, prior_weight=spec.prior_weight)
            of_kind = stored.filter(pa.compute.equal(stored["kind"], kind))
            assert of_kind["user_id"].to_pylist() == rows["user_id"].to_pylist()
            error = np.linalg.norm(read.vectors - matrix_of(of_kind["profile"]).astype(float), axis=1)
            assert (error <= read.error_bound + 1e-3).all()
    assert n_heavy > 10


def test_a_second_run_does_nothing_and_says_so(built: tuple[Workspace, dict[str, Any]], run: Run) -> None:
    workspace, first = built
    root = Path(workspace.uri)
    before = {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()}
    second = run(root, "--buckets", "4", "--activity")
    assert second["done_before"] is True
    assert second["encoded_now"] == 0
    assert second["snapshot"] == first["snapshot"]
    assert {p: p.stat().st_mtime_ns for p in root.rglob("*") if p.is_file()} == before


def test_a_lost_shard_and_a_lost_bucket_are_made_again_and_nothing_else(
    built: tuple[Workspace, dict[str, Any]], run: Run, tmp_path: Path
) -> None:
    workspace, first = built
    copy = Workspace(tmp_path / "copy")
    pa.fs.copy_files(workspace.uri, copy.uri)
    expected = profiles_of(workspace, first["snapshot"])
    copy.remove("embeddings", first["fingerprint"], "manifest.json")
    copy.remove("embeddings", first["fingerprint"], copy.files("embeddings", first["fingerprint"])[0])
    copy.remove(SNAPSHOTS, first["snapshot"], "manifest.json")
    copy.remove(SNAPSHOTS, first["snapshot"], "states", "bucket-00002.arrow")
    kept = Path(copy.path(SNAPSHOTS, first["snapshot"], "states", "bucket-00001.arrow"))
    before = kept.stat().st_mtime_ns
    second = run(Path(copy.uri), "--buckets", "4", "--activity")
    assert 0 < second["encoded_now"] < first["distinct_texts"] / 2
    assert kept.stat().st_mtime_ns == before
    assert profiles_of(copy, second["snapshot"]).equals(expected)


def test_order_split_format_and_duplicates_of_the_input_change_no_profile(
    built: tuple[Workspace, dict[str, Any]], run: Run, world: Path, tmp_path: Path
) -> None:
    workspace, first = built
    events = pq.read_table(world / "events-00000.parquet")
    shuffled = events.take(np.random.default_rng(0).permutation(len(events)))
    pq.write_table(shuffled.slice(0, 1_000), tmp_path / "b.parquet", row_group_size=100)
    pacsv.write_csv(shuffled.slice(900, 1_100), tmp_path / "c.csv")  # 100 rows twice
    lines = [{k: v for k, v in row.items() if v is not None} for row in shuffled.slice(2_000).to_pylist()]
    text = "\n".join(json.dumps(line, default=str) for line in lines)
    (tmp_path / "a.jsonl").write_text(text + "\n" + text)  # and all of these twice
    files = [str(tmp_path / name) for name in ("c.csv", "b.parquet", "a.jsonl")]
    second = run(tmp_path / "ws", "--buckets", "8", events=files)
    assert second["duplicates"] == 1_100
    assert second["rows_out"] == 3_000
    again = profiles_of(Workspace(tmp_path / "ws"), second["snapshot"])
    assert_same_profiles(again, profiles_of(workspace, first["snapshot"]))


def test_events_at_or_after_as_of_do_not_matter(run: Run, world: Path, tmp_path: Path) -> None:
    events = pq.read_table(world / "events-00000.parquet")
    cut = events["timestamp"][1_500].as_py()
    pq.write_table(events.filter(pa.compute.less(events["timestamp"], cut)), tmp_path / "past.parquet")
    flags = ["--as-of", cut.isoformat(), "--buckets", "4", "--no-evaluate"]
    whole = run(tmp_path / "whole", *flags)
    past = run(tmp_path / "past", *flags, events=[str(tmp_path / "past.parquet")])
    a = profiles_of(Workspace(tmp_path / "whole"), whole["snapshot"])
    b = profiles_of(Workspace(tmp_path / "past"), past["snapshot"])
    assert_same_profiles(a, b)


def test_likes_and_reposts_get_the_text_of_their_item(built: tuple[Workspace, dict[str, Any]], world: Path) -> None:
    workspace, _ = built
    given = pq.read_table(world / "events-00000.parquet").to_pandas()
    assert given["text"].isna().sum() > 100
    stored = pa.concat_tables(
        [workspace.read_parquet(CORPUS, "events", f) for f in workspace.files(CORPUS, "events")]
    ).to_pandas()
    assert stored["text"].notna().all()
    posts = stored[stored["event_id"] == stored["item_id"]].set_index("item_id")["text"]
    borrowed = stored[stored["event_id"] != stored["item_id"]]
    known = borrowed[borrowed["item_id"].isin(posts.index)]
    assert len(known) > 100
    assert (posts.loc[known["item_id"]].to_numpy() == known["text"].to_numpy()).all()


def test_bad_rows_go_to_quarantine_with_their_reason_and_cost_no_other_row(run: Run, tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["user_id", "timestamp", "text", "weight"],
        ["ann", "1700000000", "seconds", "1"],
        ["ann", "1700000000000", "milliseconds", "1"],
        ["ann", "2023-11-14T22:13:20", "no zone", "1"],
        ["ann", "2023-11-14T23:13:20+01:00", "with a zone", "1"],
        ["bob", "2023-11-15", "😀 שלום ‮ rtl", "-1"],
        ["bob", "2023-11-15", "long " * 20_000, "1"],
        ["bob", "2023-11-15", "https://t.co/only", "1"],
        ["", "2023-11-15", "no user", "1"],
        ["eve", "yesterday", "garbage time", "1"],
        ["eve", "", "no time", "1"],
        ["eve", "0001-01-01", "far past", "1"],
        ["eve", "2190-01-01", "far future", "1"],
        ["eve", "2023-11-15", "bad weight", "nan"],
        ["eve", "2023-11-15", "", "1"],
    ]
    with (tmp_path / "events.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    summary = run(tmp_path / "ws", events=[str(tmp_path / "events.csv")], side=False)
    assert (summary["rows_in"], summary["rows_out"], summary["quarantined"]) == (14, 7, 7)
    assert (summary["users"], summary["tested"]) == (2, 0)
    workspace = Workspace(tmp_path / "ws")
    reasons = workspace.read_parquet(CORPUS, "quarantine", *workspace.files(CORPUS, "quarantine")).to_pylist()
    assert [(r["row"], r["reason"]) for r in reasons] == [
        (8, "user_id_missing"),
        (9, "timestamp_unreadable"),
        (10, "timestamp_missing"),
        (11, "timestamp_too_old"),
        (12, "timestamp_in_future"),
        (13, "weight_not_finite"),
        (14, "text_and_item_missing"),
    ]
    events = pa.concat_tables([workspace.read_parquet(CORPUS, "events", f) for f in workspace.files(CORPUS, "events")])
    ann = events.filter(pa.compute.equal(events["user_id"], "ann"))
    assert len(set(ann["timestamp"].to_pylist())) == 1
    table = profiles_of(workspace, summary["snapshot"])
    assert set(table["n_events"].to_pylist()) == {4, 2}  # the post of only a link carries no vector


@pytest.mark.parametrize("n_rows", [0, 1])
def test_zero_events_and_one_event_make_whole_snapshots(run: Run, world: Path, tmp_path: Path, n_rows: int) -> None:
    pq.write_table(pq.read_table(world / "events-00000.parquet").slice(0, n_rows), tmp_path / "events.parquet")
    summary = run(tmp_path / "ws", events=[str(tmp_path / "events.parquet")], side=False)
    assert (summary["users"], summary["events"], summary["tested"]) == (n_rows, n_rows, 0)
    assert len(profiles_of(Workspace(tmp_path / "ws"), summary["snapshot"])) == 7 * n_rows


def write_wrong(tmp_path: Path, name: str) -> str:
    path = tmp_path / name
    if name == "no_user.parquet":
        pq.write_table(pa.table({"author": ["a"], "created_at": [0], "text": ["t"]}), path)
    elif name == "false.parquet":
        path.write_text("user_id,timestamp,text\n")
    return str(path)


@pytest.mark.parametrize(
    ("file", "flags", "error", "named"),
    [
        ("absent.parquet", [], InputFileError, "absent.parquet"),
        ("false.parquet", [], InputFileError, "false.parquet"),
        ("no_user.parquet", [], MissingColumnError, "user_id=author"),
        ("no_user.parquet", ["--columns", "user=author"], ConfigError, "user"),
        ("no_user.parquet", ["--columns", "user_id=writer,timestamp=created_at"], MissingColumnError, "writer"),
    ],
)
def test_input_that_cannot_be_read_is_one_clear_error_and_leaves_no_snapshot(
    run: Run, tmp_path: Path, file: str, flags: list[str], error: type[DynprofError], named: str
) -> None:
    with pytest.raises(Exception, match=named) as raised:
        run(tmp_path / "ws", *flags, events=[write_wrong(tmp_path, file)], side=False)
    assert isinstance(pipeline_error(raised.value), error)
    assert not Workspace(tmp_path / "ws").folders(SNAPSHOTS)
    assert Workspace(tmp_path / "ws").read_manifest(CORPUS) is None


def pipeline_error(error: Exception) -> DynprofError | None:
    from jobs.command import deliberate

    return deliberate(error)


@pytest.mark.parametrize(
    ("flags", "error", "named"),
    [
        (["--half-life", "30"], ConfigError, "half_life"),
        (["--decays", "exponentail"], ConfigError, "exponentail"),
        (["--as-of", "soon"], ConfigError, "as-of"),
        (["--weights", "like=often"], ConfigError, "like=often"),
        (["--prior-weight", "-1"], ConfigError, "prior"),
        (["--buckets", "-1"], ConfigError, "buckets"),
        (["--test-share", "2"], ConfigError, "test-share"),
        (["--metrics", "luck@10"], ConfigError, "luck"),
        (["--encode-actors", "-1"], ConfigError, "actors"),
        (["--encoder", "/nowhere/at/all"], ModelNotFoundError, "/nowhere/at/all"),
        (["--precision", "int3"], ConfigError, "precision"),
    ],
)
def test_a_flag_that_means_nothing_is_refused_before_anything_is_written(
    run: Run, tmp_path: Path, flags: list[str], error: type[DynprofError], named: str
) -> None:
    with pytest.raises(error, match=named):
        run(tmp_path / "ws", *flags)
    assert not (tmp_path / "ws").exists()


def test_a_workspace_of_other_input_is_refused(built: tuple[Workspace, dict[str, Any]], run: Run) -> None:
    workspace, _ = built
    with pytest.raises(WorkspaceError, match="other files or"):
        run(Path(workspace.uri), "--buckets", "5")


def test_a_replaced_corpus_never_meets_what_was_made_of_the_old_one(run: Run, world: Path, tmp_path: Path) -> None:
    events, file = pq.read_table(world / "events-00000.parquet"), tmp_path / "events.parquet"
    flags = ["--buckets", "4", "--no-evaluate"]
    pq.write_table(events, file)
    first = run(tmp_path / "ws", *flags, events=[str(file)])
    pq.write_table(events.slice(0, 200), file)
    with pytest.raises(WorkspaceError, match="remove that folder"):
        run(tmp_path / "ws", *flags, events=[str(file)])
    workspace = Workspace(tmp_path / "ws")
    workspace.remove(CORPUS)
    second = run(tmp_path / "ws", *flags, events=[str(file)])
    assert second["done_before"] is False
    assert second["encoded_now"] == 0  # every text was known
    assert (second["events"], second["snapshot"] == first["snapshot"]) == (200, False)
    fresh = run(tmp_path / "fresh", *flags, events=[str(file)])
    assert second["distinct_texts"] == fresh["distinct_texts"]
    assert second["snapshot"] == fresh["snapshot"]
    assert_same_profiles(
        profiles_of(workspace, second["snapshot"]), profiles_of(Workspace(tmp_path / "fresh"), fresh["snapshot"])
    )


def test_a_workspace_of_another_version_is_refused(run: Run, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws")
    with workspace.create(CORPUS, "manifest.json") as sink:
        sink.write(b'{"format_version": 99}')
    with pytest.raises(WorkspaceError, match="99"):
        run(tmp_path / "ws")


def test_another_encoder_lives_beside_the_first_and_reuses_the_corpus(
    built: tuple[Workspace, dict[str, Any]], run: Run
) -> None:
    workspace, first = built
    second = run(Path(workspace.uri), "--buckets", "4", "--encoder", "hashing:32", "--no-evaluate")
    assert second["fingerprint"] != first["fingerprint"]
    assert second["snapshot"] != first["snapshot"]
    assert len(workspace.folders("embeddings")) == 2
