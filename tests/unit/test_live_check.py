"""Live events are checked by the rules of ingest, each alone, whatever JSON may hold."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.checks import MAX_TEXT_CHARS, REASONS, check_rows
from dynprof.identity import event_ids
from dynprof.live.check import check_events
from dynprof.live.log import LiveEvent, Outcome
from dynprof.live.record import pack, records_of, unpack
from dynprof.readers.json_columns import to_table
from dynprof.readers.json_lines import parse_records
from dynprof.schema import RAW_EVENTS

NOW = 1_790_000_000.0
GOOD: dict[str, Any] = {"user_id": "ann", "timestamp": 1_700_000_000, "text": "hello"}

JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(st.characters(exclude_categories=()), max_size=8),  # halves of characters too
        st.sampled_from(["", "2024-01-01T10:00:00+02:00", "Wed Oct 10 20:19:24 +0000 2018", "1e3", " 7 ", "nan", "\0"]),
    ),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)
EVENTS = st.fixed_dictionaries({}, optional={name: st.just(v) | JSON for name, v in GOOD.items()}).flatmap(
    lambda event: st.fixed_dictionaries(
        {name: st.just(value) for name, value in event.items()},
        optional=dict.fromkeys(("event_id", "item_id", "event_type", "weight", "language", "other"), JSON),
    )
)


def verdict_of(result: LiveEvent | Outcome) -> Any:
    """Without the wording of what was found, which may spell a number in another way."""
    return (result.event_id, result.status, result.code) if isinstance(result, Outcome) else result


def one(**changes: Any) -> LiveEvent | Outcome:
    (result,) = check_events([GOOD | changes], now=NOW)
    return result


@settings(max_examples=60)
@given(records=st.lists(EVENTS | JSON, max_size=5))
def test_whatever_comes_each_is_checked_and_what_becomes_of_it_depends_on_itself(records: list[Any]) -> None:
    together = check_events(records, now=NOW)
    alone = [check_events([record], now=NOW)[0] for record in records]
    assert [verdict_of(r) for r in together] == [verdict_of(r) for r in alone]
    for result in together:
        if isinstance(result, Outcome):
            assert result.status == "rejected" and result.code in REASONS and "expected" in str(result.reason)
            json.dumps(result.reason, ensure_ascii=False).encode()
        else:
            assert unpack(pack(result)) == result  # it can be stored
            assert result.at_us <= NOW * 1e6 and result.event_id and result.user_id and result.item_id


@settings(max_examples=40)
@given(records=st.lists(EVENTS, min_size=1, max_size=4))
def test_a_line_of_a_file_and_a_live_event_are_accepted_or_refused_alike(records: list[Any]) -> None:
    lines = [json.dumps(record).encode() for record in records]
    for record, line in zip(records, lines, strict=True):
        parsed = parse_records([line])
        (result,) = check_events([json.loads(line)], now=NOW)
        if parsed.refusals:
            # A file refuses a line for half a character anywhere in it, also in a field that nobody reads.
            assert isinstance(result, LiveEvent) == ("other" in record) or result.code == "text_not_unicode"  # type: ignore[union-attr]
            continue
        verdict = check_rows(
            to_table(parsed.objects, dict.fromkeys(RAW_EVENTS.names) | {n: n for n in RAW_EVENTS.names}),
            "events",
            now=NOW,
        )
        if isinstance(result, Outcome):
            assert verdict.reasons == [result.code]
        else:
            assert event_ids(verdict.rows).to_pylist() == [result.event_id]


def test_an_event_without_id_gets_the_id_that_ingest_would_give() -> None:
    row = {"user_id": "ann", "timestamp": 1_700_000_000_000_000, "event_type": "like", "item_id": "7", "text": None}
    table = pa.Table.from_pylist([row], schema=RAW_EVENTS)
    result = one(text=None, item_id=7, event_type="Favourited")
    assert isinstance(result, LiveEvent) and result.event_id == event_ids(table)[0].as_py()
    assert (result.item_id, result.event_type) == ("7", "like")
    own = one()
    assert isinstance(own, LiveEvent) and own.item_id == own.event_id


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"user_id": None}, "user_id_missing"),
        ({"user_id": ""}, "user_id_missing"),
        ({"user_id": float("nan")}, "user_id_missing"),
        ({"user_id": "x" * 513}, "user_id_too_long"),
        ({"timestamp": None}, "timestamp_missing"),
        ({"timestamp": "yesterday"}, "timestamp_unreadable"),
        ({"timestamp": "1999-12-31"}, "timestamp_too_old"),
        ({"timestamp": NOW + 301}, "timestamp_in_future"),
        ({"timestamp": float("inf")}, "timestamp_unreadable"),
        ({"text": ""}, "text_and_item_missing"),
        ({"text": "x" * (MAX_TEXT_CHARS + 1)}, "text_too_long"),
        ({"text": "half of \ud83d"}, "text_not_unicode"),
        ({"item_id": "a\udcff"}, "text_not_unicode"),
        ({"weight": float("nan")}, "weight_not_finite"),
        ({"weight": float("-inf")}, "weight_not_finite"),
        ({"weight": 1e39}, "weight_not_finite"),
        ({"weight": "heavy"}, "weight_not_finite"),
        ({"weight": {"value": 1}}, "weight_not_finite"),
    ],
)
def test_what_ingest_refuses_is_rejected_with_its_reason(changes: dict[str, Any], code: str) -> None:
    result = one(**changes)
    assert isinstance(result, Outcome) and (result.status, result.code) == ("rejected", code)


@pytest.mark.parametrize("ahead_s", [0, 1, 299, 300])
def test_up_to_five_minutes_ahead_counts_as_now(ahead_s: float) -> None:
    result = one(timestamp=NOW + ahead_s)
    assert isinstance(result, LiveEvent) and result.at_us == NOW * 1e6


def test_zero_and_negative_weights_null_bytes_and_other_keys_are_values() -> None:
    for weight in (0, -2.5):
        result = one(weight=weight)
        assert isinstance(result, LiveEvent) and result.weight == weight
    result = one(text="a\0b", event_id="e\0", other={"deep": [1]})
    assert isinstance(result, LiveEvent) and (result.text, result.event_id) == ("a\0b", "e\0")


@pytest.mark.parametrize("depth", [50, 150, 900])
@pytest.mark.parametrize("name", ["timestamp", "text", "weight"])
def test_what_is_nested_deep_is_no_value(name: str, depth: int) -> None:
    deep = json.loads("[" * depth + "]" * depth)
    for record in (GOOD | {name: deep}, GOOD | {"other": deep}):
        alone, (_, beside) = check_events([record], now=NOW), check_events([GOOD, record], now=NOW)
        assert verdict_of(alone[0]) == verdict_of(beside)
        assert isinstance(beside, LiveEvent) == ("other" in record)


@pytest.mark.parametrize("record", [None, 7, "text", [GOOD], True, 1.5])
def test_what_is_no_object_is_rejected(record: Any) -> None:
    (before, result, after) = check_events([GOOD, record, GOOD], now=NOW)
    assert isinstance(result, Outcome) and result.code == "not_an_object"
    assert isinstance(before, LiveEvent) and before == after


def test_a_text_of_which_nothing_is_left_has_no_hash_and_needs_no_vector() -> None:
    results = check_events([GOOD, GOOD | {"text": " https://t.co/x "}, GOOD | {"text": None, "item_id": 1}], now=NOW)
    records = records_of([r for r in results if isinstance(r, LiveEvent)], b"secret")
    assert [r.text_hash is None for r in records] == [False, True, True]
    assert orjson.loads(records[0].packed)[5] == "hello"
