"""New rows beside known ones give the tables that all rows at once give."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.corpus import CORPUS, merge_bios, mixed_events, mixed_items, resolve_items, settle_users
from dynprof.increment import Increment, Known, settle_increment
from dynprof.keys import bucket_name, buckets
from dynprof.lineage import present_corpus, segment_folder
from dynprof.schema import BIOS, EVENTS, ITEMS, RAW_EVENTS, RAW_ITEMS
from dynprof.segments import find_rows, read_bios, read_events, read_items, write_segment_table
from dynprof.workspace import Workspace

N_BUCKETS = 2
BIO_ROWS = pa.schema([*BIOS][:2]).append(pa.field("read_order", pa.int64()))
WORDS = [None, "one", "two", "three", "https://t.co/x"]
TEXTS = st.sampled_from(WORDS)

# Where an update may differ is left out: an id stands for one row, and a moment for one text.
event_rows = st.builds(
    lambda number, user, at, item: {
        "event_id": f"e{number}",
        "user_id": f"u{user}",
        "timestamp": at,
        "event_type": "post",
        "item_id": item,
        "text": WORDS[at % 5],
        "weight": 1.0,
        "language": None,
    },
    st.integers(0, 25),
    st.integers(0, 3),
    st.integers(0, 40),
    st.sampled_from([None, None, "e1", "e2", "e3", "x"]),
).filter(lambda row: row["text"] or row["item_id"])
item_rows = st.builds(
    lambda item, at: {
        "item_id": item,
        "text": WORDS[(at or 1) % 5],
        "created_at": at,
        "author_id": None,
        "language": None,
    },
    st.sampled_from(["e1", "e2", "x", "y"]),
    st.one_of(st.none(), st.integers(0, 40)),
)
bio_rows = st.builds(lambda u, bio: {"user_id": f"u{u}", "bio": bio}, st.integers(0, 4), TEXTS)
pieces = st.tuples(st.lists(event_rows, max_size=8), st.lists(item_rows, max_size=2), st.lists(bio_rows, max_size=2))
Piece = tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]


def merged(piece: Piece) -> pa.Table:
    events, items, _ = piece
    return pa.concat_tables(
        [
            mixed_events(pa.Table.from_pylist(events, schema=RAW_EVENTS), N_BUCKETS),
            mixed_items(pa.Table.from_pylist(items, schema=RAW_ITEMS), N_BUCKETS),
        ]
    )


def told(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{**row, "read_order": i} for i, row in enumerate(rows)], schema=BIO_ROWS)


def write_base(workspace: Workspace, piece: Piece) -> None:
    """As ingest does."""
    items, events = resolve_items(merged(piece))
    tables = {"items": (items, "item_id"), "events": (settle_users(events), "user_id")}
    tables["users"] = (merge_bios(told(piece[2])), "user_id")
    for name, (table, key) in tables.items():
        of = buckets(table[key], N_BUCKETS)
        for b in range(N_BUCKETS):
            workspace.write_parquet(table.filter(pa.array(of == b)), CORPUS, name, bucket_name(b))
    counts = dict.fromkeys(["n_rows_read", "n_ignored", "n_quarantined", "n_duplicates", "n_events"], 0)
    counts |= dict.fromkeys(["n_events_with_text", "n_bios", "n_items"], 0)
    times = {"first_event_us": None, "last_event_us": None}
    workspace.write_manifest({"corpus_id": "base", "n_buckets": N_BUCKETS, "n_users": 0, **counts, **times}, CORPUS)


def update(workspace: Workspace, piece: Piece) -> Increment:
    """As the job does, without Ray."""
    view, rows, bios = present_corpus(workspace), merged(piece), told(piece[2])

    def find(table: str, values: pa.Array, columns: list[str]) -> pa.Table:
        found = [find_rows(workspace, table, b, values, columns, segments=view.segments) for b in range(N_BUCKETS)]
        return pa.concat_tables(found)

    known = Known(
        find("events", pc.unique(rows["event_id"]).drop_null(), ["event_id", "user_id", "item_id"]),
        find("items", pc.unique(rows["item_id"]), ITEMS.names),
        find("users", pc.unique(bios["user_id"]), BIOS.names),
    )

    def events_about(items: pa.Array) -> pa.Table:
        old = pa.concat_tables(
            [read_events(workspace, b, EVENTS.names, segments=view.segments) for b in range(N_BUCKETS)]
        )
        return old.filter(pc.is_in(old["item_id"], value_set=items))

    new = settle_increment(rows, bios, known, events_about)
    if len(new):
        name = f"{len(view.segments):05d}-test"
        for table, key in (("events", "user_id"), ("revised", "user_id"), ("users", "user_id"), ("items", "item_id")):
            content = getattr(new, table)
            write_segment_table(workspace, name, table, content, buckets(content[key], N_BUCKETS))
        counts = dict.fromkeys(["n_rows_read", "n_ignored", "n_quarantined", "n_duplicates", "n_events"], 0)
        counts |= dict.fromkeys(["n_events_with_text", "n_new_bios", "n_new_items"], 0)
        ids = {"parent_corpus_id": view.corpus_id, "corpus_id": new.corpus_id(view.corpus_id)}
        times = {"first_event_us": None, "last_event_us": None}
        workspace.write_manifest({**counts, **ids, **times}, segment_folder(name))
    return new


def contents(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    """All tables, whatever part a row stands in."""
    segments = present_corpus(workspace).segments
    readers = {"events": (read_events, EVENTS), "users": (read_bios, BIOS), "items": (read_items, ITEMS)}
    return {
        name: [
            row
            for b in range(N_BUCKETS)
            for row in reader(workspace, b, schema.names, segments=segments)
            .drop_columns([c for c in ("language", "author_id") if c in schema.names])
            .to_pylist()
        ]
        for name, (reader, schema) in readers.items()
    }


def of_one_id_one_row(piece_of: list[Piece]) -> list[Piece]:
    """The first row of an event id stands for the others, which then come again as they were; and of an item row."""
    events: dict[str, dict[str, Any]] = {}
    return [([events.setdefault(e["event_id"], e) for e in es], items, bios) for es, items, bios in piece_of]


@settings(max_examples=60)
@given(st.lists(pieces, min_size=2, max_size=4))
def test_any_split_into_updates_gives_the_tables_of_one_ingest(split: list[Piece]) -> None:
    split = of_one_id_one_row(split)
    with TemporaryDirectory() as folder:
        updated, whole = Workspace(Path(folder) / "updated"), Workspace(Path(folder) / "whole")
        write_base(updated, split[0])
        for piece in split[1:]:
            update(updated, piece)
        write_base(whole, tuple([row for piece in split for row in piece[i]] for i in range(3)))  # type: ignore[arg-type]
        assert contents(updated) == contents(whole)


@settings(max_examples=15)
@given(st.lists(pieces, min_size=1, max_size=3))
def test_what_comes_again_is_nothing_new(split: list[Piece]) -> None:
    split = of_one_id_one_row(split)
    with TemporaryDirectory() as folder:
        workspace = Workspace(folder)
        write_base(workspace, split[0])
        for piece in split[1:]:
            update(workspace, piece)
        for piece in split:
            again = update(workspace, (piece[0], piece[1], []))
            assert len(again) == 0
