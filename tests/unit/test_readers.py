"""Planning and Parquet: files to splits, each read once and whole, and errors that name the file."""

from __future__ import annotations

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynprof.errors import ConfigError, InputFileError, MissingColumnError
from dynprof.readers import plan_splits, read_split
from dynprof.schema import QUARANTINE, RAW_EVENTS

from .reading import NOW, event, read_all, reasons, write_lines

REAL = Path(__file__).parents[2] / ".." / "shared" / "data" / "ira_retweets.parquet"


def write_parquet(path: Path, n: int = 100, *, row_group_size: int = 10, **changes: object) -> Path:
    pq.write_table(pa.Table.from_pylist([event(i, **changes) for i in range(n)]), path, row_group_size=row_group_size)
    return path


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 40), st.integers(1, 13), st.integers(1, 4_000))
def test_any_split_of_a_parquet_file_gives_the_same_rows(tmp_path, n, row_group_size, max_split_bytes):
    path = write_parquet(tmp_path / "events.parquet", n, row_group_size=row_group_size)
    whole = read_all(path)
    parts = read_all(path, max_split_bytes=max_split_bytes)
    assert parts.rows.equals(whole.rows)
    assert parts.n_read == n
    assert whole.rows["event_id"].to_pylist() == [f"e{i}" for i in range(n)]


def test_parquet_rows_are_numbered_within_the_file_in_every_part(tmp_path):
    rows = [event(i, user_id=None if i in (3, 57) else "u") for i in range(100)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "e.parquet", row_group_size=10)
    read = read_all(tmp_path / "e.parquet", max_split_bytes=1)
    assert len(plan_splits([str(tmp_path / "e.parquet")], max_split_bytes=1)) == 10
    assert reasons(read) == [(3, "user_id_missing"), (57, "user_id_missing")]
    assert read.quarantine.schema == QUARANTINE
    assert read.quarantine["source"].to_pylist() == [str(tmp_path / "e.parquet")] * 2
    assert '"text": "text 57"' in read.quarantine["raw"][1].as_py()


def test_a_plan_is_sorted_numbered_and_the_same_for_any_order_of_patterns(tmp_path):
    for name in ("b", "a", "c"):
        write_parquet(tmp_path / f"{name}.parquet", 20)
    patterns = [str(tmp_path / "b.parquet"), str(tmp_path), str(tmp_path / "*.parquet")]
    plan = plan_splits(patterns, max_split_bytes=1)
    assert plan == plan_splits(patterns[::-1], max_split_bytes=1)
    assert [split.index for split in plan] == list(range(6))
    assert [split.path for split in plan] == sorted(split.path for split in plan)
    assert [(split.part, split.n_parts) for split in plan] == [(0, 2), (1, 2)] * 3


def test_a_folder_stands_for_the_known_visible_files_below_it(tmp_path):
    for name in ("a.parquet", "deep/er/b.parquet", "_temporary/c.parquet", ".hidden.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_parquet(tmp_path / name, 1)
    (tmp_path / "README.md").write_text("no data")
    found = [Path(split.path).relative_to(tmp_path).as_posix() for split in plan_splits([str(tmp_path)])]
    assert found == ["a.parquet", "deep/er/b.parquet"]
    as_uri = [split.path for split in plan_splits([tmp_path.as_uri()])]
    assert as_uri == [str(tmp_path / name) for name in found]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.jsonl", ["a1.jsonl", "a2.jsonl", "b1.jsonl", "odd[1].jsonl"]),
        ("a?.jsonl", ["a1.jsonl", "a2.jsonl"]),
        ("[!b]1.jsonl", ["a1.jsonl"]),
        ("**/*.jsonl", ["a1.jsonl", "a2.jsonl", "b1.jsonl", "d/e/a1.jsonl", "odd[1].jsonl"]),
        ("d/*/a1.jsonl", ["d/e/a1.jsonl"]),
        ("odd[1].jsonl", ["odd[1].jsonl"]),
    ],
)
def test_globs_match_as_in_a_shell(tmp_path, pattern, found):
    (tmp_path / "d" / "e").mkdir(parents=True)
    for name in ("a1", "a2", "b1", ".a3", "d/e/a1", "odd[1]"):
        write_lines(tmp_path / f"{name}.jsonl", [event()])
    plan = plan_splits([f"{tmp_path}/{pattern}"])
    assert [Path(split.path).relative_to(tmp_path).as_posix() for split in plan] == found


@pytest.mark.parametrize("pattern", ["no.parquet", "*.parquet", "no/", "."])
def test_a_pattern_that_matches_nothing_is_an_error_that_names_it(tmp_path, pattern):
    with pytest.raises(InputFileError, match=r"expected at least one .* file, found none") as caught:
        plan_splits([f"{tmp_path}/{pattern}"])
    assert f"{tmp_path}/{pattern}" in str(caught.value)


def test_credentials_in_an_address_are_refused_and_not_repeated():
    with pytest.raises(InputFileError, match="environment variables") as caught:
        plan_splits(["s3://key:secret@bucket/events.parquet"])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"user_id,text\n", "expected Parquet"),
        ("a.parquet", b"", "expected Parquet"),
        ("a.parquet", b"PAR1 and then nothing that belongs there", "readable"),
        ("a.csv", b"PAR1", "a Parquet file"),
        ("a.csv", b"", "line of column names"),
        ("a.csv", b"\n\n", "line of column names"),
        ("a.csv", b"user\xff,text\n", "line of column names"),
        ("a.csv", "user_id,text\n".encode("utf-16"), "UTF-16"),
        ("a.jsonl", b"user_id,text\nu,t\n", "JSON objects"),
        ("a.json", b"[1, 2, 3]", "JSON objects"),
        ("a.json", b'{"a": [1, 2', "cut off"),
        ("a.json", b'[{"a": 1}, {"b"', "cut off"),
        ("a.jsonl", b"\x1f\x8b\x08\x00", "name it .gz"),
        ("a.jsonl.gz", b'{"user_id": 1}\n', "readable"),
        ("a.txt", b"hello", "--format"),
        ("a", b"hello", "--format"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_an_error_that_names_it(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputFileError) as caught:
        plan_splits([str(tmp_path / name)])
    assert words in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_format_that_is_given_overrides_the_name(tmp_path):
    write_lines(tmp_path / "dump.txt", [event()])
    write_parquet(tmp_path / "part-0", 3)
    assert read_all(tmp_path / "dump.txt", format="jsonl").n_read == 1
    assert plan_splits([str(tmp_path / "part-0")])[0].format == "parquet"
    with pytest.raises(InputFileError, match="expected Parquet"):
        plan_splits([str(tmp_path / "dump.txt")], format="parquet")
    with pytest.raises(ConfigError, match="--format: expected auto, parquet"):
        plan_splits([str(tmp_path)], format="xml")


def test_a_parquet_file_that_breaks_in_the_middle_is_an_error_that_names_it(tmp_path):
    path = write_parquet(tmp_path / "e.parquet", 5_000)
    (split,) = plan_splits([str(path)])
    content = bytearray(path.read_bytes())
    content[100 : len(content) // 2] = b"\xff" * (len(content) // 2 - 100)
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"e\.parquet"):
        list(read_split(split, table="events", columns={}, now=NOW))


def test_a_parquet_file_without_rows_is_read_and_its_columns_are_checked(tmp_path):
    pq.write_table(RAW_EVENTS.empty_table(), tmp_path / "none.parquet")
    assert read_all(tmp_path / "none.parquet").n_read == 0
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "other.parquet")
    with pytest.raises(MissingColumnError, match="found: a"):
        read_all(tmp_path / "other.parquet")


def test_chunks_are_bounded_by_rows_and_by_bytes(tmp_path):
    pq.write_table(
        pa.table({"user_id": ["u"] * 70_000, "timestamp": [10**9] * 70_000, "text": ["t"] * 70_000}),
        tmp_path / "n.parquet",
    )
    long = [{"user_id": "u", "timestamp": 10**9, "text": "abc " * 100_000} for _ in range(200)]
    pq.write_table(pa.Table.from_pylist(long), tmp_path / "w.parquet", use_dictionary=False, compression="zstd")
    sizes = {
        name: [len(c.rows) for c in read_split(split, table="events", columns={}, now=NOW)]
        for name in ("n", "w")
        for split in plan_splits([str(tmp_path / f"{name}.parquet")], max_split_bytes=1 << 40)
    }
    assert sizes["n"] == [65_536, 4_464]
    assert sum(sizes["w"]) == 200
    assert max(sizes["w"]) < 100


def test_ids_in_float_columns_are_read_with_a_warning(tmp_path, caplog):
    rows = pa.table({"user_id": [12.0, None], "timestamp": [10**9] * 2, "text": ["a", "b"]})
    pq.write_table(rows, tmp_path / "f.parquet")
    with caplog.at_level(logging.WARNING):
        read = read_all(tmp_path / "f.parquet")
    assert read.rows["user_id"].to_pylist() == ["12"]
    assert reasons(read) == [(1, "user_id_missing")]
    assert "column=user_id" in caplog.text


def test_binary_texts_are_read_as_utf8_and_the_others_shown_in_quarantine(tmp_path):
    rows = pa.table({"user_id": ["u", "v"], "timestamp": [10**9] * 2, "text": ["é".encode(), b"caf\xe9"]})
    pq.write_table(rows, tmp_path / "b.parquet")
    read = read_all(tmp_path / "b.parquet")
    assert read.rows["text"].to_pylist() == ["é"]
    assert reasons(read) == [(1, "text_not_unicode")]
    assert "caf\ufffd" in read.quarantine["raw"][0].as_py()


def test_a_raw_row_is_cut(tmp_path):
    write_parquet(tmp_path / "l.parquet", 1, text="x" * 5_000, user_id="")
    assert len(read_all(tmp_path / "l.parquet").quarantine["raw"][0].as_py()) == 2_000


@pytest.mark.skipif(not REAL.exists(), reason="the real posts are not on this machine")
def test_real_posts_pass_every_check():
    read = read_all(REAL.resolve())
    assert read.n_read == len(read.rows) == pq.read_metadata(REAL).num_rows
    assert read.rows["item_id"].null_count == 0
