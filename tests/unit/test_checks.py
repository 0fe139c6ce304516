"""Checks: each bad row has its reason, each good one our types, and none is lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.checks import MAX_TEXT_CHARS, MAX_USER_ID_BYTES, REASONS, check_rows
from dynprof.schema import RAW_EVENTS, RAW_ITEMS, RAW_USERS

NOW = datetime(2024, 6, 1, tzinfo=UTC).timestamp()
GOOD = {"user_id": "u", "timestamp": "2024-01-01T00:00:00Z", "text": "hello"}

values = st.one_of(st.none(), st.sampled_from(["", "a", "12", "nan", "2024-01-01", "1e999", " "]))


def check(rows: list[dict], kind: str = "events"):
    return check_rows(pa.Table.from_pylist(rows), kind, now=NOW)


def reason(**changes: object) -> str | None:
    verdict = check([{**GOOD, **changes}])
    return verdict.reasons[0] if verdict.reasons else None


def one(**changes: object) -> dict:
    (row,) = check([{**GOOD, **changes}]).rows.to_pylist()
    return row


def strings_that_are_none(data: bytes) -> pa.Array:
    """What a file holds that declares strings and stores other bytes."""
    offsets = pa.array([0, len(data)], pa.int32()).buffers()[1]
    return pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(data)])


@settings(max_examples=60)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(RAW_EVENTS.names, values)), max_size=8), st.integers(0, 8))
def test_rows_and_refused_add_up_and_do_not_depend_on_their_neighbours(rows, cut):
    table = pa.Table.from_pylist(rows, schema=pa.schema({name: pa.string() for name in RAW_EVENTS.names}))
    whole = check_rows(table, "events", now=NOW)
    parts = [check_rows(part, "events", now=NOW) for part in (table.slice(0, cut), table.slice(cut))]
    assert len(whole.rows) + len(whole.refused) == len(rows)
    assert whole.rows.schema == RAW_EVENTS
    assert whole.rows.to_pylist() == [row for part in parts for row in part.rows.to_pylist()]
    assert whole.reasons == [r for part in parts for r in part.reasons]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user_id": None}, "user_id_missing"),
        ({"user_id": ""}, "user_id_missing"),
        ({"user_id": float("nan")}, "user_id_missing"),
        ({"user_id": "é" * (MAX_USER_ID_BYTES // 2 + 1)}, "user_id_too_long"),
        ({"user_id": "é" * (MAX_USER_ID_BYTES // 2)}, None),
        ({"user_id": b"\xff\xfe"}, "text_not_unicode"),
        ({"timestamp": None}, "timestamp_missing"),
        ({"timestamp": "soon"}, "timestamp_unreadable"),
        ({"timestamp": b"\xff"}, "text_not_unicode"),
        ({"timestamp": "1970-01-01"}, "timestamp_too_old"),
        ({"timestamp": NOW + 3600}, "timestamp_in_future"),
        ({"text": None}, "text_and_item_missing"),
        ({"text": ""}, "text_and_item_missing"),
        ({"text": "", "item_id": ""}, "text_and_item_missing"),
        ({"text": None, "item_id": 7}, None),
        ({"text": " \n"}, None),
        ({"text": "مرحبا 👩‍👩‍👧"}, None),
        ({"text": b"\x89PNG\xff"}, "text_not_unicode"),
        ({"text": "👋" * MAX_TEXT_CHARS}, None),
        ({"text": "👋" * (MAX_TEXT_CHARS + 1)}, "text_too_long"),
        ({"weight": float("nan")}, "weight_not_finite"),
        ({"weight": float("inf")}, "weight_not_finite"),
        ({"weight": 1e39}, "weight_not_finite"),
        ({"weight": "heavy"}, "weight_not_finite"),
        ({"weight": True}, "weight_not_finite"),
        ({"weight": [1]}, "weight_not_finite"),
        ({"weight": 0}, None),
        ({"weight": "-2.5"}, None),
    ],
)
def test_each_fault_has_its_reason(changes, expected):
    assert reason(**changes) == expected


def test_the_first_fault_in_the_order_of_the_reasons_is_given():
    faults = {"user_id": None, "timestamp": "x", "text": None, "weight": "x"}
    assert reason(**faults) == "user_id_missing"
    assert reason(**faults, language=b"\xff") == "text_not_unicode"
    assert reason(**{**faults, "user_id": "u"}) == "timestamp_unreadable"


def test_the_reasons_are_those_of_the_formats_page():
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    listed = re.search(r"^Reasons: (.*?)\.$", page, re.DOTALL | re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", listed[1])) == set(REASONS)


def test_strings_that_hold_other_bytes_are_refused_and_do_not_crash():
    row = {"user_id": pa.array(["u"]), "timestamp": pa.array([NOW]), "text": strings_that_are_none(b"caf\xe9")}
    verdict = check_rows(pa.table(row), "events", now=NOW)
    assert verdict.reasons == ["text_not_unicode"]
    assert "text: expected valid UTF-8" in verdict.details[0]


def test_a_detail_says_column_expectation_and_finding():
    verdict = check([{**GOOD, "timestamp": "soon"}, {**GOOD, "text": "x" * (MAX_TEXT_CHARS + 1)}])
    assert verdict.details[0] == "timestamp: expected ISO 8601, RFC 2822 or a number since 1970, found 'soon'"
    assert "found 'xxx" in verdict.details[1]
    assert "(1,000,001 characters)" in verdict.details[1]
    assert max(map(len, verdict.details)) < 300


@pytest.mark.parametrize(
    ("given_id", "expected"),
    [
        (12, "12"),
        (12.0, "12"),
        (1.5, "1.5"),
        (2**63 - 1, str(2**63 - 1)),
        (" a ", " a "),
        ("007", "007"),
        (b"ab", "ab"),
    ],
)
def test_ids_become_strings_without_loss(given_id, expected):
    row = one(user_id=given_id, item_id=given_id, event_id=given_id)
    assert (row["user_id"], row["item_id"], row["event_id"]) == (expected,) * 3


def test_empty_optional_values_are_null_and_an_absent_weight_is_one():
    row = one(event_id="", item_id=None, language="", weight=None)
    assert (row["event_id"], row["item_id"], row["language"], row["weight"]) == (None, None, None, 1.0)
    assert one()["weight"] == one(weight="")["weight"] == 1.0
    assert one(weight="-2.5")["weight"] == -2.5


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("quote_tweet", "quote"),
        ("Tweet", "post"),
        (" RT ", "retweet"),
        ("retweeted", "retweet"),
        ("repost", "retweet"),
        ("favourite", "like"),
        ("favorite", "like"),
        ("replied_to", "reply"),
        ("Bookmark", "bookmark"),
        ("", "post"),
        (None, "post"),
    ],
)
def test_event_types_have_our_names_where_they_have_one(theirs, ours):
    assert one(event_type=theirs)["event_type"] == ours


def test_columns_of_any_arrow_type_are_read():
    table = pa.table(
        {
            "user_id": pa.array(["u", "v"]).dictionary_encode(),
            "timestamp": pa.array([1_600_000_000, 1_600_000_001], pa.timestamp("s")),
            "text": pa.array(["a", "b"], pa.large_string()),
            "language": pa.array(["en", None], pa.string_view()),
            "weight": pa.array([1, 2], pa.int8()),
            "event_id": pa.array([[1], [2]]),
        }
    )
    rows = check_rows(table, "events", now=NOW).rows
    assert rows.column("user_id").to_pylist() == ["u", "v"]
    assert rows.column("weight").to_pylist() == [1.0, 2.0]
    assert rows.column("event_id").null_count == 2


def test_users_need_an_id_and_may_have_an_empty_bio():
    verdict = check([{"user_id": 1, "bio": ""}, {"user_id": None, "bio": "b"}, {"user_id": 2, "bio": "b"}], "users")
    assert verdict.rows.schema == RAW_USERS
    assert verdict.rows.to_pylist() == [{"user_id": "1", "bio": None}, {"user_id": "2", "bio": "b"}]
    assert (verdict.refused.tolist(), verdict.reasons) == ([1], ["user_id_missing"])


def test_items_need_an_id_and_a_readable_time_if_any():
    times = [None, "x", "2024-01-01"]
    rows = [{"item_id": i, "text": "t", "created_at": t} for i, t in zip([1, 2, None], times, strict=True)]
    verdict = check(rows, "items")
    assert verdict.rows.schema == RAW_ITEMS
    assert verdict.rows.column("item_id").to_pylist() == ["1"]
    assert verdict.reasons == ["timestamp_unreadable", "text_and_item_missing"]


def test_no_rows_give_no_rows():
    verdict = check_rows(RAW_EVENTS.empty_table(), "events", now=NOW)
    assert (len(verdict.rows), len(verdict.refused), verdict.rows.schema) == (0, 0, RAW_EVENTS)
