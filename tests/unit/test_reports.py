"""Reports of whoever wrote them: what cannot be shown is named with the reason, and the rest is shown."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from dynprof.workspace import Workspace
from serve.reports import REPORTS, read_report

FILES = {
    "report.json": b'{"alarms": ["auc"], "best": NaN}',
    "results.csv": "method,value\nmüsli,0.5\n".encode(),
}


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("latin.csv", "method,value\nmüsli,0.5\n".encode("latin-1"), "method: expected text in UTF-8"),
        ("latin.csv", "müsli,value\na,0.5\n".encode("latin-1"), "utf-8"),
        ("twice.csv", b"method,value,method\na,1,b\n", "'method' twice"),
        ("ragged.csv", b"a,b\n1\n2,3,4\n", "Expected 2 columns"),
        ("empty.csv", b"", "Empty CSV file"),
        ("broken.json", b'{"alarms": [', "Expecting value"),
        ("latin.json", '"müsli"'.encode("latin-1"), "utf-8"),
        ("half.json", b'{"name": "\\ud800"}', "surrogates"),
        ("large.json", b"[18446744073709551616]", "64-bit"),
        ("deep.json", b"[" * 253 + b"]" * 253, "Recursion limit"),
        ("deeper.json", b"[" * 100_000, "recursion"),
    ],
)
def test_a_file_that_cannot_be_shown_is_named_with_the_reason(
    tmp_path: Path, file: str, content: bytes, said: str
) -> None:
    folder = tmp_path / REPORTS / "study"
    folder.mkdir(parents=True)
    for name, written in {**FILES, file: content}.items():
        (folder / name).write_bytes(written)
    found = read_report(Workspace(tmp_path), "study")
    assert found is not None
    shown = orjson.loads(orjson.dumps(found))
    assert shown["documents"] == {"report": {"alarms": ["auc"], "best": None}}
    assert shown["tables"] == {"results": {"n_rows": 1, "columns": {"method": ["müsli"], "value": [0.5]}}}
    assert list(shown["unread"]) == [file] and said in shown["unread"][file]
