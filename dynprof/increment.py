"""What new rows change in a corpus: new events, events whose text changed, bios and items that are new or differ.

The rules are those of `dynprof.corpus`, applied to new rows beside what is known of the old ones; what was there stands
unless a better source of an item's text turns up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.corpus import TEXT_SOURCES, content_digest, merge_bios, resolve_items, settle_users
from dynprof.schema import BIOS, EVENTS, ITEMS, REVISED, TIMESTAMP
from dynprof.vectors import one_chunk

__all__ = ["Increment", "Known", "settle_increment"]

BoolArray = npt.NDArray[np.bool_]

_LATEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Known:
    """What the corpus has of what new rows name.

    Attributes:
        events: `event_id`, `user_id`, `item_id` of old events whose id is among those of the new rows.
        items: Of ITEMS, the items that new rows name.
        bios: Of BIOS, of the users with a new bio.
    """

    events: pa.Table
    items: pa.Table
    bios: pa.Table


@dataclass(frozen=True)
class Increment:
    """The tables of a segment.

    Attributes:
        events: New ones, of EVENTS, sorted as in a base corpus.
        revised: Old ones whose text is another one now, of REVISED, sorted alike; they stand for the rows before.
        users: Bios that are new or differ, of BIOS, sorted by user.
        items: Items that are new or differ, of ITEMS, sorted by item.
        n_new_items: How many of `items` are new.
        n_new_bios: How many of `users` had no row.
    """

    events: pa.Table
    revised: pa.Table
    users: pa.Table
    items: pa.Table
    n_new_items: int
    n_new_bios: int

    def __len__(self) -> int:
        """Rows of all tables; 0 when nothing is new."""
        return len(self.events) + len(self.revised) + len(self.users) + len(self.items)

    def corpus_id(self, parent: str) -> str:
        """Id of the corpus that a parent becomes with these tables."""
        tables = (self.events, self.revised, self.users, self.items)
        text = json.dumps([parent, [content_digest(table) for table in tables]])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def settle_increment(
    rows: pa.Table, bios: pa.Table, known: Known, events_about: Callable[[pa.Array], pa.Table]
) -> Increment:
    """New rows to the tables of a segment.

    Args:
        rows: Of MERGED, all of an update; rows that the corpus has already may be among them.
        bios: `user_id`, `bio`, `read_order` as for `merge_bios`.
        known: What the corpus has of what they name.
        events_about: Old events, of EVENTS, of the items given; asked only when the text of an old item changes.
    """
    items, events = resolve_items(_without_known(rows, known.events))
    merged, revised_items, differs = _merge_items(items, known.items)
    of_item = pc.index_in(one_chunk(events["item_id"]), value_set=one_chunk(merged["item_id"]))
    for name in ("text", "text_hash"):
        at = EVENTS.get_field_index(name)
        events = events.set_column(at, EVENTS.field(at), one_chunk(merged[name]).take(of_item))
    old = events_about(revised_items) if len(revised_items) else EVENTS.empty_table()
    is_new_item = np.asarray(pc.is_in(one_chunk(merged["item_id"]), value_set=one_chunk(known.items["item_id"])))
    users, n_new_bios = _changed_bios(merge_bios(bios), known.bios)
    return Increment(
        settle_users(events),
        _revise(old, merged),
        users,
        merged.filter(pa.array(differs)).combine_chunks(),
        int(np.count_nonzero(~is_new_item)),
        n_new_bios,
    )


def _without_known(rows: pa.Table, known: pa.Table) -> pa.Table:
    """Without the events that the corpus has: those whose id their item, or their user, has already."""
    if not len(known):
        return rows
    maybe = pc.and_(rows["is_event"], pc.is_in(rows["event_id"], value_set=one_chunk(known["event_id"])))
    candidates = np.flatnonzero(np.asarray(maybe))
    drop = np.zeros(len(rows), np.bool_)
    for within in ("item_id", "user_id"):
        keys = set(zip(known["event_id"].to_pylist(), known[within].to_pylist(), strict=True))
        mine = rows.select(["event_id", within]).take(pa.array(candidates))
        pairs = zip(mine["event_id"].to_pylist(), mine[within].to_pylist(), strict=True)
        drop[candidates] |= np.fromiter((pair in keys for pair in pairs), np.bool_, len(candidates))
    return rows.filter(pa.array(~drop))


def _merge_items(new: pa.Table, known: pa.Table) -> tuple[pa.Table, pa.Array, BoolArray]:
    """All items of `new` as they are with what was known; old ones with another text; (n,) whether a row is new."""
    where = pc.index_in(one_chunk(new["item_id"]), value_set=one_chunk(known["item_id"]))
    old = known.take(where).combine_chunks()
    is_old = where.is_valid()
    better = pa.array(_is_better(new, old))
    columns = {name: one_chunk(new[name]) for name in ITEMS.names}
    before = {name: one_chunk(old[name]) for name in ITEMS.names}
    for name in ("text", "text_hash", "text_source", "text_at"):
        columns[name] = pc.if_else(better, columns[name], before[name])
    for name in ("language", "author_id"):
        columns[name] = pc.coalesce(before[name], columns[name])
    times = [of["created_at"].cast(pa.int64()) for of in (columns, before)]
    columns["created_at"] = pc.min_element_wise(*times, skip_nulls=True).cast(TIMESTAMP)
    columns["n_events"] = pc.add(columns["n_events"], pc.fill_null(before["n_events"], 0))
    merged = pa.Table.from_arrays([columns[name] for name in ITEMS.names], schema=ITEMS)
    same = np.asarray(is_old)
    for name in ITEMS.names:
        same = same & _equal(columns[name], before[name])
    retold = np.asarray(is_old) & ~_equal(columns["text"], before["text"])
    retold &= np.asarray(pc.greater(pc.fill_null(before["n_events"], 0), 0))
    return merged, columns["item_id"].filter(pa.array(retold)), ~same


def _is_better(new: pa.Table, old: pa.Table) -> BoolArray:
    """(n,) whether the new row's text comes from a better source, or from an earlier row of the same."""
    ranks, times = [], []
    for items in (new, old):
        rank = pc.index_in(one_chunk(items["text_source"]), value_set=pa.array(TEXT_SOURCES))
        ranks.append(np.asarray(pc.fill_null(rank, len(TEXT_SOURCES))))
        times.append(np.asarray(pc.fill_null(one_chunk(items["text_at"]).cast(pa.int64()), _LATEST)))
    better: BoolArray = (ranks[0] < ranks[1]) | ((ranks[0] == ranks[1]) & (times[0] < times[1]))
    return better


def _revise(old: pa.Table, items: pa.Table) -> pa.Table:
    """Old events with the text that their item has now."""
    of_item = pc.index_in(one_chunk(old["item_id"]), value_set=one_chunk(items["item_id"]))
    columns = {name: one_chunk(old[name]) for name in EVENTS.names} | {"old_text_hash": one_chunk(old["text_hash"])}
    columns |= {name: one_chunk(items[name]).take(of_item) for name in ("text", "text_hash")}
    revised = pa.Table.from_arrays([columns[name] for name in REVISED.names], schema=REVISED)
    return revised.sort_by([(name, "ascending") for name in ("user_id", "timestamp", "event_id")]).combine_chunks()


def _changed_bios(bios: pa.Table, known: pa.Table) -> tuple[pa.Table, int]:
    """The bios that are new or say something else, and how many users had none."""
    where = pc.index_in(one_chunk(bios["user_id"]), value_set=one_chunk(known["user_id"]))
    same = np.asarray(where.is_valid()) & _equal(one_chunk(bios["bio"]), one_chunk(known["bio"]).take(where))
    changed = bios.filter(pa.array(~same)).cast(BIOS).combine_chunks()
    return changed, int(where.null_count)


def _equal(a: pa.Array, b: pa.Array) -> BoolArray:
    """(n,) equal, null to null too."""
    both_null = pc.and_(pc.is_null(a), pc.is_null(b))
    return np.asarray(pc.or_(pc.fill_null(pc.equal(a, b), False), both_null))
