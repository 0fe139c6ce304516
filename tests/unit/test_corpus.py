"""Laws of the corpus: order, split and repetition of the input change nothing; which text, time and author win."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.corpus import (
    MERGED,
    content_digest,
    drop_duplicates,
    merge_bios,
    mixed_events,
    mixed_items,
    resolve_items,
    settle_users,
)
from dynprof.keys import buckets, text_hashes
from dynprof.schema import BIOS, EVENTS, ITEMS, RAW_EVENTS, RAW_ITEMS
from dynprof.text import prepare_texts

N_BUCKETS = 3
FEW = st.sampled_from

event_rows = st.fixed_dictionaries(
    {
        "event_id": st.one_of(st.none(), FEW(["e1", "e2", "e3"])),
        "user_id": FEW(["ann", "bob"]),
        "timestamp": st.integers(0, 4),
        "event_type": FEW(["post", "like"]),
        "item_id": st.one_of(st.none(), FEW(["e1", "i1"])),
        "text": st.one_of(st.none(), FEW(["one", "two", "http://a.b"])),
        "weight": FEW([1.0, 0.5]),
        "language": st.one_of(st.none(), FEW(["en"])),
    }
)
ITEM_OF = {"e1": None, "e2": "i1", "e3": "e1"}
sound_event_rows = event_rows.map(lambda r: {**r, "item_id": ITEM_OF.get(r["event_id"], r["item_id"])})
"""An id names one event, so it names one item."""

item_rows = st.fixed_dictionaries(
    {
        "item_id": FEW(["e1", "i1", "i2"]),
        "text": st.one_of(st.none(), FEW(["theirs", "other"])),
        "created_at": st.one_of(st.none(), st.integers(0, 4)),
        "author_id": st.one_of(st.none(), FEW(["cyd"])),
        "language": st.one_of(st.none(), FEW(["de"])),
    }
)


def raw(rows: list[dict], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([{**dict.fromkeys(schema.names), **r} for r in rows], schema=schema)


def event(**columns) -> dict:
    return {"user_id": "ann", "timestamp": 1, "event_type": "post", "weight": 1.0, **columns}


def mix(events: list[dict], items: list[dict] = ()) -> pa.Table:
    return pa.concat_tables(
        [mixed_events(raw(list(events), RAW_EVENTS), N_BUCKETS), mixed_items(raw(list(items), RAW_ITEMS), N_BUCKETS)]
    )


def settle(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """All that ingest does without Ray: by item bucket, then by user."""
    parts = [resolve_items(rows.filter(pa.compute.equal(rows["item_bucket"], b))) for b in range(N_BUCKETS)]
    items = pa.concat_tables([i for i, _ in parts])
    return items, settle_users(pa.concat_tables([e for _, e in parts]))


def resolve(events: list[dict], items: list[dict] = ()) -> tuple[dict[str, dict], dict[str, dict]]:
    found_items, found_events = settle(mix(events, items))
    return (
        {r["item_id"]: r for r in found_items.to_pylist()},
        {r["event_id"]: r for r in found_events.to_pylist()},
    )


def us(column) -> int:
    return None if column is None else int(column.timestamp() * 1e6)


@settings(max_examples=30)
@given(st.lists(event_rows, max_size=10), st.lists(item_rows, max_size=4), st.randoms(use_true_random=False))
def test_any_order_any_split_and_any_repetition_of_the_input_give_the_same_tables(events, items, random):
    rows = mix(events, items)
    expected = settle(rows)
    order = list(range(len(rows)))
    order += random.choices(order, k=len(order) // 2) if order else []
    random.shuffle(order)
    pieces = [rows.take(order[i : i + 3]) for i in range(0, len(order), 3)]
    found = settle(pa.concat_tables([rows.slice(0, 0), *pieces]))
    for a, b in zip(found, expected, strict=True):
        assert a.schema == b.schema
        assert a.to_pylist() == b.to_pylist()


@settings(max_examples=60)
@given(st.lists(sound_event_rows, max_size=10), st.lists(item_rows, max_size=4))
def test_the_tables_are_whole_typed_and_in_the_order_of_the_files(events, items):
    rows = mix(events, items)
    found_items, found_events = settle(rows)
    assert found_items.schema == ITEMS
    assert found_events.schema == EVENTS
    ids = found_items["item_id"].to_pylist()
    assert sorted(ids) == sorted(set(rows["item_id"].to_pylist()))
    for b in range(N_BUCKETS):
        mine = [i for i in ids if buckets(pa.array([i]), N_BUCKETS)[0] == b]
        assert mine == sorted(mine)
    keys = [(r["user_id"], r["timestamp"], r["event_id"]) for r in found_events.to_pylist()]
    assert keys == sorted(keys)
    assert {k[2] for k in keys} == set(mix(events)["event_id"].to_pylist())
    of_item = {r["item_id"]: r for r in found_items.to_pylist()}
    for r in found_events.to_pylist():
        assert (r["text"], r["text_hash"]) == (of_item[r["item_id"]]["text"], of_item[r["item_id"]]["text_hash"])
        assert of_item[r["item_id"]]["created_at"] <= r["timestamp"]
    texts = found_items["text"]
    assert found_items["text_hash"].to_pylist() == text_hashes(prepare_texts(texts)).to_pylist()


def test_the_earliest_of_several_events_with_one_id_wins_whichever_comes_first():
    late, early = event(event_id="e", timestamp=5, text="late"), event(event_id="e", timestamp=3, text="early")
    for order in ([late, early], [early, late], [late, early, late, early]):
        items, events = resolve(order)
        assert us(events["e"]["timestamp"]) == 3
        assert events["e"]["text"] == "early"
        assert items["e"]["n_events"] == 1


def test_an_id_that_a_source_gives_to_events_of_two_items_counts_once_for_its_user():
    rows = [event(event_id="e", item_id=item, timestamp=t, text=item) for t, item in ((2, "i"), (1, "j"), (3, "k"))]
    assert len(set(buckets(pa.array(["i", "j", "k"]), N_BUCKETS))) > 1
    for order in (rows, rows[::-1]):
        _, events = settle(mix(order))
        assert events.select(["event_id", "item_id"]).to_pylist() == [{"event_id": "e", "item_id": "j"}]


def test_two_likes_of_one_item_by_one_user_are_two_events_unless_they_are_the_same():
    like = event(event_type="like", item_id="i")
    items, events = resolve([like, {**like, "timestamp": 2}, like])
    assert len(events) == items["i"]["n_events"] == 2


def test_events_without_duplicates_are_returned_as_they_are():
    rows = mix([event(text="b"), event(text="a")])
    assert drop_duplicates(rows, within="user_id") is rows


OWN = event(event_id="i", item_id="i", user_id="bob", timestamp=7, text="own", language="ru")
EARLY = event(event_id="x", item_id="i", timestamp=2, text="early", language="de")
LATE = event(event_id="y", item_id="i", timestamp=9, text="late")
MUTE = event(event_id="z", item_id="i", timestamp=1, event_type="like")
FILE = {"item_id": "i", "text": "file", "author_id": "cyd", "language": "en"}


@pytest.mark.parametrize(
    ("events", "items", "text", "author", "language"),
    [
        ([MUTE, LATE, EARLY, OWN], [FILE], "file", "cyd", "en"),
        ([MUTE, LATE, EARLY, OWN], [{"item_id": "i"}], "own", "bob", "ru"),
        ([MUTE, LATE, EARLY, OWN], [], "own", "bob", "ru"),
        ([MUTE, LATE, EARLY], [], "early", None, "de"),
        ([MUTE, LATE], [], "late", None, None),
        ([MUTE], [], None, None, None),
        ([{**OWN, "text": None}, LATE], [], "late", "bob", "ru"),
        ([], [FILE], "file", "cyd", "en"),
    ],
)
def test_the_items_file_comes_before_the_post_itself_before_the_earliest_event(events, items, text, author, language):
    found_items, found_events = resolve(events, items)
    item = found_items["i"]
    assert (item["text"], item["author_id"], item["language"]) == (text, author, language)
    assert item["n_events"] == len(events) == len(found_events)
    assert {e["text"] for e in found_events.values()} <= {text}


def test_a_like_gets_the_text_of_its_item_and_keeps_its_own_user_time_type_and_weight():
    _, events = resolve([{**MUTE, "weight": 0.5}, OWN])
    like = events["z"]
    assert (like["text"], like["text_hash"]) == ("own", text_hashes(pa.array(["own"])).to_pylist()[0])
    assert (like["user_id"], us(like["timestamp"]), like["event_type"], like["weight"]) == ("ann", 1, "like", 0.5)
    assert like["language"] == "ru"


def test_a_text_of_which_nothing_is_left_is_kept_and_has_no_hash():
    items, events = resolve([event(event_id="e", text="https://t.co/x")])
    assert items["e"]["text"] == events["e"]["text"] == "https://t.co/x"
    assert items["e"]["text_hash"] is None
    assert events["e"]["text_hash"] is None


@pytest.mark.parametrize(("stated", "found"), [(None, 2), (1, 1), (5, 2)])
def test_an_item_appears_when_its_file_says_but_not_after_its_first_event(stated, found):
    items, _ = resolve([LATE, EARLY], [{**FILE, "created_at": stated}])
    assert us(items["i"]["created_at"]) == found


def test_an_item_that_nobody_touched_keeps_its_own_time_or_none():
    items, events = resolve([], [{**FILE, "created_at": 4}, {"item_id": "j", "text": "t"}])
    assert us(items["i"]["created_at"]) == 4
    assert items["j"]["created_at"] is None
    assert [items[i]["n_events"] for i in "ij"] == [0, 0]
    assert events == {}


def test_of_several_rows_for_one_item_the_earliest_with_a_value_wins_column_by_column():
    rows = [
        {"item_id": "i", "created_at": 3, "text": "third"},
        {"item_id": "i", "created_at": 2, "text": "second"},
        {"item_id": "i", "created_at": 1, "language": "fr"},
    ]
    for order in (rows, rows[::-1]):
        items, _ = resolve([], order)
        assert (items["i"]["text"], items["i"]["language"], us(items["i"]["created_at"])) == ("second", "fr", 1)


def test_a_row_goes_to_the_bucket_of_its_item():
    rows = mix([event(event_id="e"), event(event_id="f", item_id="i")], [{"item_id": "i"}])
    assert rows.schema == MERGED
    assert rows["item_id"].to_pylist() == ["e", "i", "i"]
    assert rows["item_bucket"].to_pylist() == buckets(rows["item_id"], N_BUCKETS).tolist()
    assert rows["is_event"].to_pylist() == [True, True, False]


def test_no_rows_are_no_items_no_events_and_no_bios():
    items, events = resolve_items(MERGED.empty_table())
    assert (items.schema, events.schema) == (ITEMS, EVENTS)
    assert len(items) == len(events) == len(settle_users(events)) == 0
    none = pa.table({"user_id": pa.array([], pa.string()), "bio": pa.array([], pa.string()), "read_order": []})
    assert merge_bios(none).equals(BIOS.empty_table())


@settings(max_examples=40)
@given(
    st.lists(st.tuples(FEW(["ann", "bob", "cyd"]), st.one_of(st.none(), FEW(["I write", "", "I read"]))), max_size=8),
    st.randoms(use_true_random=False),
)
def test_the_bio_read_last_wins_in_any_order_of_rows(read, random):
    last = dict(read)
    rows = [{"user_id": u, "bio": b, "read_order": i} for i, (u, b) in enumerate(read)]
    random.shuffle(rows)
    schema = pa.schema({"user_id": pa.string(), "bio": pa.string(), "read_order": pa.int64()})
    found = merge_bios(pa.Table.from_pylist(rows, schema=schema))
    assert found.schema == BIOS
    assert found["user_id"].to_pylist() == sorted(last)
    assert found["bio"].to_pylist() == [last[u] for u in sorted(last)]
    assert found["text_hash"].to_pylist() == text_hashes(prepare_texts(found["bio"])).to_pylist()


def test_weights_stay_as_they_came():
    _, events = resolve([event(event_id=str(w), text="t", weight=w) for w in (-1.0, 0.0, 2.5)])
    assert [events[str(w)]["weight"] for w in (-1.0, 0.0, 2.5)] == [-1.0, 0.0, 2.5]
    assert np.signbit(events["-1.0"]["weight"])


@pytest.mark.parametrize("n_buckets", [1, 4, 64])
def test_an_id_that_two_users_give_to_two_items_is_two_events_in_any_number_of_buckets(n_buckets: int) -> None:
    ids = [{"event_id": f"e{i % 50}", "user_id": f"u{i}", "item_id": f"i{i}", "text": f"t{i}"} for i in range(100)]
    rows = raw([event(**row) for row in ids], RAW_EVENTS)
    items, events = resolve_items(mixed_events(rows, n_buckets))
    assert len(items) == 100
    assert len(settle_users(events)) == 100


def test_the_digest_of_a_table_sees_every_value_and_null_and_not_its_chunks() -> None:
    table = pa.table({"a": ["x", None, "yz"], "b": [1.0, 2.0, None]})
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert content_digest(chunked) == content_digest(table)
    others = [
        pa.table({"a": ["xy", None, "z"], "b": [1.0, 2.0, None]}),
        pa.table({"a": ["x", "", "yz"], "b": [1.0, 2.0, None]}),
        pa.table({"a": ["x", None, "yz"], "b": [1.0, None, 2.0]}),
        pa.table({"a": ["x", None, "yz"], "c": [1.0, 2.0, None]}),
        table.slice(0, 2),
    ]
    assert len({content_digest(t) for t in [table, *others]}) == 6
