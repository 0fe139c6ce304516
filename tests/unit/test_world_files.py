from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.errors import ConfigError, WorkspaceError
from dynprof.workspace import Workspace
from dynprof.world import World, WorldSpec, read_world, write_world
from dynprof.world.files import SCHEMAS, SplitParquet
from jobs import command, generate

SPEC = WorldSpec(n_users=200, n_events=2_500, seed=4, days=60)


def read(folder: Path, table: str) -> pa.Table:
    return pa.concat_tables(pq.read_table(path) for path in sorted(folder.glob(f"{table}-?????.parquet")))


def test_every_table_is_written_with_its_schema_and_counted(tmp_path: Path) -> None:
    manifest = write_world(SPEC, Workspace(tmp_path))
    assert json.loads((tmp_path / "world.json").read_text()) == manifest
    assert manifest["rows"].keys() == SCHEMAS.keys()
    for table, schema in SCHEMAS.items():
        assert read(tmp_path, table).schema.equals(schema), table
        assert len(read(tmp_path, table)) == manifest["rows"][table], table
    assert manifest["rows"]["events"] == SPEC.n_events
    assert manifest["rows"]["users"] == manifest["rows"]["truth-users"] == SPEC.n_users
    assert manifest["spec"]["seed"] == SPEC.seed


def test_the_rows_do_not_depend_on_the_rows_of_a_file(tmp_path: Path) -> None:
    write_world(SPEC, Workspace(tmp_path / "one"))
    write_world(SPEC, Workspace(tmp_path / "many"), rows_per_file=700)
    assert len(list((tmp_path / "many").glob("events-*"))) == 4
    for table in SCHEMAS:
        assert read(tmp_path / "one", table).equals(read(tmp_path / "many", table)), table


def test_the_same_spec_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_world(SPEC, Workspace(tmp_path / name))
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@settings(max_examples=20)
@given(parts=st.lists(st.integers(0, 40), max_size=6), limit=st.integers(1, 50))
def test_files_do_not_depend_on_how_the_rows_arrive(
    parts: list[int], limit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("split")
    rows = pa.table({"user_id": [str(i) for i in range(sum(parts))], "bio": [None] * sum(parts)}, SCHEMAS["users"])
    with SplitParquet(Workspace(folder), "users", limit) as files:
        for i, n in enumerate(parts):
            files.write(rows.slice(sum(parts[:i]), n))
    lengths = [pq.read_metadata(path).num_rows for path in sorted(folder.iterdir())]
    whole, rest = divmod(sum(parts), limit)
    assert lengths == ([limit] * whole + [rest] * (rest > 0) or [0])
    assert read(folder, "users").equals(rows)


def test_the_truth_says_who_changes_when_as_the_interests_do(tmp_path: Path) -> None:
    write_world(SPEC, Workspace(tmp_path))
    users, interests = read(tmp_path, "truth-users").to_pandas(), read(tmp_path, "truth-interests").to_pandas()
    assert set(users.change) == {"stable", "abrupt", "drift"}
    by_user = interests.groupby("user_id").from_time.agg(["nunique", "max"]).loc[users.user_id]
    n_phases = users.change.map({"stable": 1, "abrupt": 2, "drift": 8})
    assert (by_user["nunique"].to_numpy() == n_phases.to_numpy()).all()
    changing = (users.change != "stable").to_numpy()
    assert users.changes_from.isna().to_numpy().tolist() == (~changing).tolist()
    assert (by_user["max"].to_numpy() == users.changes_until.to_numpy())[changing].all()
    shares = interests.groupby(["user_id", "from_time"]).share.sum()
    assert shares.between(0.99999, 1.00001).all()
    assert not interests.duplicated(["user_id", "from_time", "topic"]).any()
    assert users.languages.str.len().isin([1, 2]).all()
    assert users.events_a_day.sum() == pytest.approx(SPEC.n_events / SPEC.days)


def test_zero_events_leave_empty_files_with_columns(tmp_path: Path) -> None:
    manifest = write_world(WorldSpec(n_users=3, n_events=0), Workspace(tmp_path))
    assert manifest["rows"]["events"] == manifest["rows"]["items"] == 0
    assert read(tmp_path, "events").schema.equals(SCHEMAS["events"])
    assert len(read(tmp_path, "users")) == 3


def test_a_folder_that_holds_something_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match=r"absent or empty folder, found 1 entries such as 'mine.txt'.*--force"):
        write_world(SPEC, Workspace(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_force_replaces_a_world_and_keeps_other_files(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "events-of-mine.parquet").write_text("mine")
    write_world(SPEC, Workspace(tmp_path), rows_per_file=700, force=True)
    write_world(SPEC, Workspace(tmp_path), force=True)
    assert {"mine.txt", "events-of-mine.parquet", "world.json"} < {p.name for p in tmp_path.iterdir()}
    assert len(list(tmp_path.glob("events-0*"))) == 1


def test_a_world_that_fails_half_way_leaves_no_half_file_and_no_manifest(tmp_path: Path) -> None:
    def fail(_: int) -> None:
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write_world(SPEC, Workspace(tmp_path), rows_per_file=1_000, on_events=fail)
    assert not (tmp_path / "world.json").exists()
    assert not list(tmp_path.glob(".*"))
    assert sorted(p.name for p in tmp_path.glob("events-*")) == ["events-00000.parquet", "events-00001.parquet"]


def test_rows_per_file_must_be_positive(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rows_per_file: expected a whole number > 0, found 0"):
        write_world(SPEC, Workspace(tmp_path), rows_per_file=0)


def test_the_job_ends_with_one_json_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--out", str(tmp_path / "w"), "--users", "20", "--events", "300", "--seed", "9", "--days", "30"]
    with pytest.raises(SystemExit) as end:
        command.run(generate.main, [*flags, "--start", "2023-05-01T00:00:00+02:00"])
    assert end.value.code == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary["job"], summary["rows_out"], summary["users"]) == ("generate", 300, 20)
    assert summary["items"] == len(read(tmp_path / "w", "items"))
    assert summary["seconds"].keys() == {"generate"}
    spec = json.loads((tmp_path / "w/world.json").read_text())["spec"]
    assert World(WorldSpec(20, 300, 9, days=30)).spec.to_dict() == {**spec, "start": "2024-01-01T00:00:00+00:00"}
    assert spec["start"] == "2023-05-01T00:00:00+02:00"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--users", "0", "--events", "5"], "ConfigError: n_users"),
        (["--users", "5", "--events", "-5"], "ConfigError: n_events"),
        (["--users", "5", "--events", "5", "--start", "soon"], "ConfigError: --start: expected an ISO 8601 time"),
        (["--users", "5", "--events", "5", "--rows-per-file", "0"], "ConfigError: rows_per_file"),
    ],
)
def test_a_wrong_flag_is_one_line_on_stderr_and_exit_code_two(
    flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command.run(generate.main, ["--out", str(tmp_path / "w"), "--log-level", "ERROR", *flags])
    assert end.value.code == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""
    assert not (tmp_path / "w").exists()


def test_the_same_world_is_recognised_and_an_unfinished_one_made_again(tmp_path: Path) -> None:
    spec, folder = WorldSpec(n_users=5, n_events=50, seed=1), Workspace(tmp_path)
    made = write_world(spec, folder, rows_per_file=20)
    assert read_world(spec, folder, rows_per_file=20) == json.loads(json.dumps(made))
    assert read_world(WorldSpec(n_users=5, n_events=50, seed=2), folder, rows_per_file=20) is None
    assert read_world(spec, folder, rows_per_file=30) is None
    (tmp_path / "world.json").unlink()  # as a killed run leaves it
    assert read_world(spec, folder, rows_per_file=20) is None
    write_world(spec, folder, rows_per_file=50)
    assert folder.files(suffix=".parquet") == sorted(f"{name}-00000.parquet" for name in made["rows"])
