"""Ids of events that bring none: the same content has the same id, other content another."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.identity import CONTENT_ID_PREFIX, event_ids, item_ids
from dynprof.schema import RAW_EVENTS

field = st.one_of(st.none(), st.text(alphabet=["a", "b", "\x00", "é", "1"], max_size=3))
events = st.tuples(field.filter(bool), st.integers(0, 3), field, field, field)


def table(rows: list[tuple]) -> pa.Table:
    names = ("user_id", "timestamp", "event_type", "item_id", "text")
    records = [dict(zip(names, row, strict=True)) for row in rows]
    return pa.Table.from_pylist([{**dict.fromkeys(RAW_EVENTS.names), **r} for r in records], schema=RAW_EVENTS)


@settings(max_examples=50)
@given(st.lists(events, max_size=20))
def test_two_events_share_an_id_exactly_when_they_agree_in_every_field(rows):
    ids = event_ids(table(rows)).to_pylist()
    assert len(set(ids)) == len(set(rows))
    assert [event_ids(table([row]))[0].as_py() for row in rows] == ids


def test_the_id_is_the_hash_that_corpora_on_disk_hold():
    assert event_ids(table([("u", 1_000_000, "post", None, "héllo")])).to_pylist() == [
        "c-7413d9f30667885e8554c0d6f45ac815"
    ]


def test_ids_that_are_there_stay_and_only_the_others_are_hashed():
    rows = table([("u", 1, "post", None, "a"), ("u", 2, "post", None, "b")])
    given_ids = rows.set_column(0, "event_id", pa.array(["mine", None]))
    found = event_ids(given_ids).to_pylist()
    assert found[0] == "mine"
    assert found[1] == event_ids(rows)[1].as_py()
    assert found[1].startswith(CONTENT_ID_PREFIX) and len(found[1]) == len(CONTENT_ID_PREFIX) + 32
    assert event_ids(rows.set_column(0, "event_id", pa.array(["x", "y"]))).to_pylist() == ["x", "y"]


def test_weight_and_language_are_no_part_of_an_identity():
    rows = table([("u", 1, "like", "i", None)])
    other = rows.set_column(6, "weight", pa.array([3.0], pa.float32())).set_column(7, "language", pa.array(["en"]))
    assert event_ids(rows).equals(event_ids(other))


def test_an_event_without_item_is_its_own_item():
    rows = table([("u", 1, "post", None, "a"), ("u", 2, "like", "liked", None)])
    with_ids = rows.set_column(0, "event_id", pa.array(["e1", "e2"]))
    assert item_ids(with_ids).to_pylist() == ["e1", "liked"]


def test_no_events_have_no_ids():
    empty = RAW_EVENTS.empty_table()
    assert len(event_ids(empty)) == len(item_ids(empty)) == 0
