"""A file appears whole or not at all, a folder is finished or is not; locally and in an object store."""

from __future__ import annotations

import pickle
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs
import pytest

from dynprof.errors import ConfigError, InputFileError, WorkspaceError
from dynprof.filesystems import resolve_filesystem
from dynprof.workspace import FORMAT_VERSION, Workspace

TABLE = pa.table({"a": pa.array([1, 2, 3], pa.int64()), "b": ["x", None, "é"]})


@pytest.fixture(params=["local", "object store"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Workspace:
    """A workspace on disk, and one on Arrow's file system in memory, which like S3 has no files to map."""
    return Workspace(tmp_path / "ws" if request.param == "local" else "mock:///ws")


@pytest.fixture
def small_files() -> Iterator[None]:
    """Make the kernel refuse to grow a file beyond 64 KiB: writing fails as on a disk that fills."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write(workspace: Workspace, content: bytes, *parts: str) -> None:
    with workspace.create(*parts) as sink:
        sink.write(content)


def read(workspace: Workspace, *parts: str) -> bytes:
    with workspace.filesystem.open_input_stream(workspace.path(*parts)) as source:
        return source.read()


def all_files(workspace: Workspace) -> list[str]:
    selector = pa.fs.FileSelector(workspace.path(), allow_not_found=True, recursive=True)
    infos = workspace.filesystem.get_file_info(selector)
    return sorted(i.path for i in infos if i.type == pa.fs.FileType.File)


def test_a_file_appears_when_its_block_ends_and_not_before(workspace):
    with workspace.create("deep", "folder", "file") as sink:
        sink.write(b"half")
        sink.flush()
        assert not workspace.exists("deep", "folder", "file")
        assert workspace.files("deep", "folder") == []
    assert read(workspace, "deep", "folder", "file") == b"half"
    assert all_files(workspace) == [workspace.path("deep", "folder", "file")]


@pytest.mark.parametrize("error", [KeyError("boom"), KeyboardInterrupt(), SystemExit(1)])
def test_an_error_in_the_block_leaves_nothing_and_is_the_one_that_is_raised(workspace, error):
    with pytest.raises(type(error)), workspace.create("folder", "file") as sink:
        sink.write(b"half")
        raise error
    assert all_files(workspace) == []


def test_an_error_in_the_block_leaves_the_file_that_stood_there(workspace):
    write(workspace, b"whole", "file")
    with pytest.raises(KeyError), workspace.create("file") as sink:
        sink.write(b"half")
        raise KeyError
    assert read(workspace, "file") == b"whole"
    write(workspace, b"second", "file")
    assert read(workspace, "file") == b"second"
    assert len(all_files(workspace)) == 1


def test_an_unreadable_input_is_not_told_as_a_file_that_cannot_be_written(workspace):
    with pytest.raises(InputFileError, match=r"^posts\.csv is broken"), workspace.create("file"):
        raise InputFileError("posts.csv is broken")
    assert all_files(workspace) == []


@pytest.mark.usefixtures("small_files")
def test_a_disk_that_fills_is_an_error_that_names_the_file_and_leaves_nothing(tmp_path):
    workspace = Workspace(tmp_path)
    noise = np.random.default_rng(0).integers(0, 2**60, 50_000)  # which no codec makes small
    big = pa.table({"a": noise})
    for write_big in (
        lambda: write(workspace, bytes(1_000_000), "file"),
        lambda: workspace.write_parquet(big, "file"),
        lambda: workspace.write_ipc(big.to_batches(), big.schema, "file"),
        lambda: workspace.write_manifest({"many": list(range(50_000))}),
    ):
        with pytest.raises(WorkspaceError, match=rf"{tmp_path}/\w+.*Make room"):
            write_big()
        assert list(tmp_path.iterdir()) == []
    write(workspace, b"small", "file")
    assert read(workspace, "file") == b"small"


def test_a_folder_where_none_can_be_made_is_an_error_that_names_the_file(tmp_path):
    (tmp_path / "occupied").write_text("a file")
    with pytest.raises(WorkspaceError, match="occupied/file"):
        write(Workspace(tmp_path), b"", "occupied", "file")


def test_writing_and_reading_tables_is_the_identity_with_their_metadata(workspace):
    metadata = {"counts": {"n": 3}, "name": "é"}
    workspace.write_parquet(TABLE, "t.parquet", metadata=metadata)
    assert workspace.read_parquet("t.parquet").equals(TABLE)
    assert workspace.read_parquet("t.parquet", columns=["b"]).equals(TABLE.select(["b"]))
    assert workspace.read_parquet("t.parquet", filters=[("a", ">", 2)]).to_pylist() == [{"a": 3, "b": "é"}]
    assert workspace.parquet_metadata("t.parquet") == {**metadata, "n_rows": 3}
    workspace.write_ipc(TABLE.to_batches(max_chunksize=2), TABLE.schema, "t.arrow", metadata=metadata)
    assert workspace.open_ipc("t.arrow").read_all().equals(TABLE)
    assert workspace.open_ipc("t.arrow").num_record_batches == 2
    assert workspace.ipc_metadata("t.arrow") == metadata


def test_tables_without_metadata_have_none(workspace):
    workspace.write_parquet(TABLE, "t.parquet")
    workspace.write_ipc([], TABLE.schema, "t.arrow")
    assert workspace.parquet_metadata("t.parquet") == {"n_rows": 3}
    assert workspace.ipc_metadata("t.arrow") == {}
    assert workspace.open_ipc("t.arrow").read_all().num_rows == 0


def test_a_batch_of_another_type_is_cast_to_the_schema_of_its_file(workspace):
    narrow = pa.record_batch({"a": pa.array([1], pa.int32()), "b": ["x"]})
    workspace.write_ipc([narrow], TABLE.schema, "t.arrow")
    assert workspace.open_ipc("t.arrow").read_all().equals(TABLE.slice(0, 0).from_pylist([{"a": 1, "b": "x"}]))


def test_a_manifest_is_read_back_with_its_version_and_absent_means_unfinished(workspace):
    assert workspace.read_manifest("corpus") is None
    write(workspace, b"", "corpus", "bucket")
    assert workspace.read_manifest("corpus") is None
    workspace.write_manifest({"n": 1, "name": "é"}, "corpus")
    assert workspace.read_manifest("corpus") == {"format_version": FORMAT_VERSION, "n": 1, "name": "é"}
    assert workspace.require_manifest("corpus", made_by="ingest")["n"] == 1


@pytest.mark.parametrize("raw", [b"", b'{"format_vers', b"[1]", b'"text"', b"{}", b"\xff\xfe"])
def test_a_manifest_that_is_none_is_an_error_that_names_the_file(workspace, raw):
    write(workspace, raw, "corpus", "manifest.json")
    with pytest.raises(WorkspaceError, match=r"corpus/manifest\.json: expected a JSON object"):
        workspace.read_manifest("corpus")


@pytest.mark.parametrize("version", [FORMAT_VERSION + 1, 0, "1", None])
def test_a_manifest_of_another_version_is_refused_with_both_numbers(workspace, version):
    workspace.write_manifest({"format_version": version}, "corpus")
    with pytest.raises(WorkspaceError, match=rf"version {FORMAT_VERSION}, found {version!r}"):
        workspace.read_manifest("corpus")


def test_a_missing_manifest_names_the_job_that_writes_it(workspace):
    with pytest.raises(WorkspaceError, match=r"found nothing. Run `python -m jobs\.ingest` first"):
        workspace.require_manifest("corpus", made_by="ingest")
    write(workspace, b"", "corpus", "bucket")
    with pytest.raises(WorkspaceError, match="found an unfinished one"):
        workspace.require_manifest("corpus", made_by="ingest")


def test_listings_are_sorted_and_hide_what_is_being_written(workspace):
    assert workspace.files("f") == workspace.folders("f") == []
    for name in ("b.arrow", "a.arrow", "c.parquet"):
        write(workspace, b"123", "f", name)
    write(workspace, b"12345", "f", "sub", "x")
    with workspace.create("f", "d.arrow"):
        assert workspace.files("f") == ["a.arrow", "b.arrow", "c.parquet"]
    assert workspace.files("f", suffix=".arrow") == ["a.arrow", "b.arrow", "d.arrow"]
    assert workspace.folders("f") == ["sub"]
    assert workspace.size_bytes("f") == 14
    assert workspace.size_bytes("f", "a.arrow") == 3
    assert workspace.size_bytes("nowhere") == 0


def test_removing_takes_a_file_or_a_folder_and_forgives_nothing_there(workspace):
    write(workspace, b"", "f", "a")
    workspace.write_manifest({}, "f")
    workspace.remove("f", "a")
    assert workspace.files("f") == ["manifest.json"]
    workspace.remove("f")
    workspace.remove("f")
    assert not workspace.exists("f")


def test_a_folder_that_cannot_be_removed_whole_is_unfinished(tmp_path):
    workspace = Workspace(tmp_path)
    write(workspace, b"", "f", "inner", "a")
    workspace.write_manifest({}, "f")
    original = workspace.filesystem
    deleted = []

    class Killed:
        """Stand in for a file system that goes away once the first deletion is done."""

        def __getattr__(self, name):
            return getattr(original, name)

        def delete_file(self, path):
            deleted.append(path)
            original.delete_file(path)

        def delete_dir(self, _path):
            raise KeyboardInterrupt

    workspace.__dict__["_resolved"] = (Killed(), str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        workspace.remove("f")
    assert deleted == [f"{tmp_path}/f/manifest.json"]
    assert Workspace(tmp_path).read_manifest("f") is None


def test_a_workspace_travels_by_its_address(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path)
    workspace.write_manifest({"n": 1}, "f")
    again = pickle.loads(pickle.dumps(workspace))  # noqa: S301 - our own bytes
    assert again.uri == workspace.uri
    assert again.read_manifest("f") == workspace.read_manifest("f")
    assert Workspace(tmp_path.as_uri()).read_manifest("f") == workspace.read_manifest("f")
    monkeypatch.chdir(tmp_path)
    relative = Workspace("ws")
    monkeypatch.chdir("/")
    assert relative.path() == f"{tmp_path}/ws"
    assert relative.is_local
    assert str(tmp_path) in repr(relative)


def test_an_address_of_an_unknown_kind_is_refused_with_what_to_write():
    with pytest.raises(ConfigError, match=r"ftp://host/folder: expected a path or a URI such as s3://"):
        resolve_filesystem("ftp://host/folder")


def test_a_sweep_takes_what_a_killed_job_left_and_nothing_else(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name in (".0123456789abcdef0123456789abcdef-shard.arrow", "shard.arrow", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    workspace.sweep()
    workspace.sweep("no such folder")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".hidden", "shard.arrow"]
