"""CSV and JSON: a broken row costs that row, a broken file is an error, and lines can be found again."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynprof.errors import InputFileError, MissingColumnError
from dynprof.readers import plan_splits, read_split

from .reading import NOW, event, read_all, reasons, write_lines

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
HEADER = "user_id,timestamp,text\n"
COMPRESS = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda b: pa.compress(b, "zstd", asbytes=True),
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
junk = st.one_of(
    st.binary(max_size=30),
    json_values.map(lambda v: json.dumps(v).encode()),
    st.dictionaries(st.sampled_from(list(event())), json_values).map(lambda v: json.dumps(v).encode()),
).map(lambda b: b.replace(b"\n", b" "))


def write_csv(path: Path, *rows: str | bytes, header: str = HEADER) -> Path:
    path.write_bytes(b"".join(r.encode() if isinstance(r, str) else r for r in (header, *rows)))
    return path


@FEW
@given(st.lists(junk, max_size=8))
def test_whatever_stands_in_json_lines_the_good_ones_are_read_and_the_rest_accounted_for(tmp_path, lines):
    path = write_lines(tmp_path / "e.jsonl", [event(1), *lines, event(2)])
    read = read_all(path)
    assert read.n_read == 2 + sum(bool(line.strip()) for line in lines)
    assert {"e1", "e2"} <= set(read.rows["event_id"].to_pylist())
    by_line = [read_all(write_lines(tmp_path / "one.jsonl", [event(0), line])) for line in lines]
    assert [r for one in by_line for _, r in reasons(one)] == [r for _, r in reasons(read)]


@FEW
@given(st.binary(max_size=60), st.sampled_from(["a.jsonl", "a.json", "a.csv"]))
def test_random_bytes_are_an_error_that_names_the_file_or_rows_in_quarantine(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    try:
        read_all(tmp_path / name)
    except (InputFileError, MissingColumnError) as error:
        assert name in str(error)


@FEW
@given(
    st.lists(st.sampled_from([b"x" * 90, b"", b"{", b'{"a":"' + b"y" * 300 + b'"}']), min_size=1), st.integers(1, 400)
)
def test_any_byte_ranges_of_json_lines_give_the_same_rows_and_line_numbers(tmp_path, lines, max_split_bytes):
    path = write_lines(tmp_path / "e.jsonl", [event(0), *lines, event(1)])
    whole, parts = read_all(path), read_all(path, max_split_bytes=max_split_bytes)
    assert parts.rows.equals(whole.rows)
    assert parts.quarantine.equals(whole.quarantine)
    assert parts.n_read == whole.n_read


@pytest.mark.parametrize("ending", list(COMPRESS))
def test_compressed_text_reads_like_plain_text(tmp_path, ending):
    lines = write_lines(tmp_path / "plain", [event(i) for i in range(50)]).read_bytes()
    (tmp_path / f"e.jsonl{ending}").write_bytes(COMPRESS[ending](lines))
    rows = "".join(f"u,{10**9 + i},text {i}\n" for i in range(50))
    (tmp_path / f"e.csv{ending}").write_bytes(COMPRESS[ending]((HEADER + rows).encode()))
    assert len(read_all(tmp_path / f"e.jsonl{ending}", max_split_bytes=100).rows) == 50
    assert len(read_all(tmp_path / f"e.csv{ending}", max_split_bytes=100).rows) == 50


@pytest.mark.parametrize("ending", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_compressed_file_that_is_cut_off_is_an_error_that_names_it(tmp_path, ending, kind):
    noise = [event(i, text=json.dumps([i * 7919 % 104_729] * 9)) for i in range(2_000)]
    lines = write_lines(tmp_path / "plain", noise).read_bytes()
    content = (
        lines if kind == "jsonl" else HEADER.encode() + b"".join(b"u,2020-01-01,%d\n" % (i * i) for i in range(10_000))
    )
    path = tmp_path / f"e.{kind}{ending}"
    whole = COMPRESS[ending](content)
    path.write_bytes(whole)
    (split,) = plan_splits([str(path)])
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(InputFileError, match=rf"e\.{kind}{ending}.*expected a"):
        list(read_split(split, table="events", columns={}, now=NOW))


def test_each_broken_line_has_its_reason_and_its_number(tmp_path):
    lines = [
        event(0),
        b"",
        b"{not json",
        b"[1]",
        b"5",
        b'{"user_id": "u", "timestamp": 1600000000, "text": "caf\xe9"}',
        b'{"user_id": "u", "timestamp": 1600000000, "text": "\\ud800"}',
        b'{"user_id": "u", "timestamp": 1600000000, "text": "t", "weight": NaN}',
        b'{"user_id": NaN, "timestamp": 1600000000, "text": "t"}',
        event(9),
    ]
    read = read_all(write_lines(tmp_path / "e.jsonl", lines))
    assert reasons(read) == [
        (2, "not_json"),
        (3, "not_an_object"),
        (4, "not_an_object"),
        (5, "text_not_unicode"),
        (6, "text_not_unicode"),
        (7, "weight_not_finite"),
        (8, "user_id_missing"),
    ]
    assert read.rows["event_id"].to_pylist() == ["e0", "e9"]
    assert read.quarantine["raw"][0].as_py() == "{not json"


def test_values_of_mixed_types_mean_what_they_mean_alone(tmp_path):
    ids = [1, "1", 1.0, 2**64 - 1, True, {"a": 1}, [1], None, 1.5]
    lines = [event(i, item_id=value, timestamp=["2020-01-01", 1577836800][i % 2]) for i, value in enumerate(ids)]
    read = read_all(write_lines(tmp_path / "e.jsonl", lines))
    assert read.rows["item_id"].to_pylist() == [
        "1",
        "1",
        "1",
        str(2**64 - 1),
        "true",
        None,
        None,
        None,
        "1.5",
    ]
    assert len(set(read.rows["timestamp"].to_pylist())) == 1


def test_optional_keys_may_appear_late(tmp_path):
    lines = [event(i) for i in range(20_000)] + [event(20_000, weight=2, language="en")]
    last = read_all(write_lines(tmp_path / "e.jsonl", lines)).rows.to_pylist()[-1]
    assert (last["weight"], last["language"]) == (2.0, "en")


def test_an_empty_json_lines_file_has_no_rows_and_a_byte_order_mark_is_no_row(tmp_path):
    (tmp_path / "none.jsonl").write_bytes(b"")
    (tmp_path / "blank.json").write_bytes(b"\n  \n")
    assert read_all(tmp_path / "none.jsonl").n_read == read_all(tmp_path / "blank.json").n_read == 0
    (tmp_path / "bom.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(event()).encode() + b"\r\n")
    assert read_all(tmp_path / "bom.jsonl").rows["event_id"].to_pylist() == ["e0"]


@pytest.mark.parametrize("layout", ["array", "indented array", "lines", "documents", "one object"])
def test_a_json_file_may_be_an_array_lines_or_documents(tmp_path, layout):
    records = [event(i, text='tricky ]},{"[ é') for i in range(1 if layout == "one object" else 5)]
    texts = {
        "array": json.dumps(records),
        "indented array": "\ufeff \n" + json.dumps(records, indent=2, ensure_ascii=False) + "\n\n",
        "lines": "\n".join(map(json.dumps, records)),
        "documents": "\n".join(json.dumps(record, indent=1) for record in records),
        "one object": json.dumps(records[0], indent=4),
    }
    (tmp_path / "e.json").write_text(texts[layout], encoding="utf-8")
    read = read_all(tmp_path / "e.json", max_split_bytes=64)
    assert read.rows["event_id"].to_pylist() == [r["event_id"] for r in records]
    assert set(read.rows["text"].to_pylist()) == {records[0]["text"]}


def test_an_array_is_read_in_pieces_and_its_bad_elements_are_refused_by_position(tmp_path):
    elements = [json.dumps(event(i, text="x" * 3_000)).encode() for i in range(900)]
    elements[700] = b'{"text": "caf\xe9"}'
    elements[800] = b"7"
    (tmp_path / "e.json").write_bytes(b"[" + b",\n".join(elements) + b"]")
    read = read_all(tmp_path / "e.json")
    assert reasons(read) == [(700, "text_not_unicode"), (800, "not_an_object")]
    assert len(read.rows) == 898


def test_an_array_that_breaks_off_is_an_error_that_names_the_file(tmp_path):
    text = json.dumps([event(i, text="x" * 3_000) for i in range(4_000)])
    for broken in (text[:-500], text + "]"):
        (tmp_path / "e.json").write_text(broken)
        with pytest.raises(InputFileError, match=r"e\.json.*(cut off|after the array)"):
            read_all(tmp_path / "e.json")


def test_csv_rows_keep_their_lines_through_quotes_and_blanks(tmp_path):
    rows = [
        'a,1600000000,"two\nlines, ""quoted"""\n',
        "\n",
        "b,1600000000\n",
        "c,1600000000,x,y\n",
        '"d"x,1,t\n',
        ",1600000000,t\n",
        "f,1600000000,\n",
        "g,1600000000,é\r\n",
    ]
    read = read_all(write_csv(tmp_path / "e.csv", *rows))
    assert read.rows["text"].to_pylist() == ['two\nlines, "quoted"', "é"]
    wrong = "wrong_number_of_fields"
    assert reasons(read) == [(4, wrong), (5, wrong), (6, wrong), (7, "user_id_missing"), (8, "text_and_item_missing")]
    assert read.quarantine["raw"].to_pylist()[:2] == ['"b,1600000000"', '"c,1600000000,x,y"']
    assert json.loads(read.quarantine["raw"][3].as_py()) == {"user_id": "", "timestamp": "1600000000", "text": "t"}


def test_csv_bytes_that_are_no_utf8_cost_their_row_only(tmp_path):
    path = write_csv(tmp_path / "e.csv", b"a,1600000000,caf\xe9\n", "b,1600000000,café\n")
    read = read_all(path)
    assert read.rows["text"].to_pylist() == ["café"]
    assert reasons(read) == [(1, "text_not_unicode")]


@pytest.mark.parametrize(
    ("name", "header", "row"),
    [
        ("e.tsv", "user_id\ttimestamp\ttext\n", "u\t1600000000\ta, b\n"),
        ("e.csv", "\ufeffuser_id,timestamp,text\n", 'u,1600000000,"a, b"\n'),
        ("e.csv", "user_id;timestamp;text\r\n", "u;1600000000;a, b\r\n"),
        ("e.csv", '"user_id", timestamp ,text\n', 'u,1600000000,"a, b"\n'),
    ],
)
def test_csv_dialects_are_understood(tmp_path, name, header, row):
    rows = read_all(write_csv(tmp_path / name, row, header=header)).rows.to_pylist()
    assert [(r["user_id"], r["text"]) for r in rows] == [("u", "a, b")]


def test_a_header_alone_is_zero_rows_and_its_columns_are_checked(tmp_path):
    assert read_all(write_csv(tmp_path / "e.csv")).n_read == 0
    with pytest.raises(MissingColumnError, match="found: a, b"):
        read_all(write_csv(tmp_path / "e.csv", header="a,b\n"))


def test_a_quotation_mark_that_is_never_closed_is_an_error_that_says_where(tmp_path):
    path = write_csv(tmp_path / "e.csv", "a,1600000000,t\n", 'b,1600000000,"open\n', *["c,1600000000,t\n"] * 50)
    with pytest.raises(InputFileError, match=r"e\.csv.*begins at line 2"):
        read_all(path)
