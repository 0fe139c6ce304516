"""Taking erased users and events out of the tables of a corpus: what goes, what stays because others have it too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.live.tombstones import Tombstones
from dynprof.schema import ITEMS
from dynprof.vectors import one_chunk

__all__ = ["Removed", "erase_bios", "erase_events", "erase_items", "removed_from", "still_used"]


@dataclass
class Removed:
    """What erasing takes out of one part of a corpus, the base or a segment.

    Attributes:
        items: Ids that the removed events were about, and those whose author was erased.
        texts: How often each text hash counts in the vectors' sum of this part less than before.
        bio_texts: Text hashes of removed bios.
        bio_users: Their users.
        users: Erased users that this part knows.
        n_events: Removed events.
        n_with_text: Of these with a text, as the counts of the part have it.
        n_users: Users without an event in this part since.
        n_other: Removed rows of other kinds, and authors no longer named.
    """

    items: set[str] = field(default_factory=set)
    texts: dict[bytes, int] = field(default_factory=dict)
    bio_texts: set[bytes] = field(default_factory=set)
    bio_users: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)
    n_events: int = 0
    n_with_text: int = 0
    n_users: int = 0
    n_other: int = 0

    def __bool__(self) -> bool:
        return bool(self.n_events or self.n_other or self.bio_users)

    def add(self, other: Removed) -> None:
        """Those of another bucket of the same part."""
        self.items |= other.items
        self.bio_texts |= other.bio_texts
        self.bio_users |= other.bio_users
        self.users |= other.users
        for text, n in other.texts.items():
            self.texts[text] = self.texts.get(text, 0) + n
        for name in ("n_events", "n_with_text", "n_users", "n_other"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def removed_from(
    events: pa.Table, revised: pa.Table | None, bios: pa.Table, items: pa.Table, tombstones: Tombstones
) -> Removed:
    """What erasing would take out of some tables; reads `event_id`, `user_id`, `item_id`, `text_hash`, `author_id`."""
    gone = events.filter(pa.array(tombstones.has_events(events["event_id"], events["user_id"])))
    left = len(pc.unique(erase_events(events, tombstones)["user_id"]))
    removed = Removed(set(gone["item_id"].to_pylist()), n_events=len(gone))
    removed.n_users = len(pc.unique(events["user_id"])) - left
    _count(removed, gone["text_hash"], 1)
    if revised is not None:
        again = revised.filter(pa.array(tombstones.has_events(revised["event_id"], revised["user_id"])))
        removed.items |= set(again["item_id"].to_pylist())
        removed.n_other += len(again)
        _count(removed, again["text_hash"], 1)
        _count(removed, again["old_text_hash"], -1)
    told = bios.filter(pa.array(tombstones.has_users(bios["user_id"])))
    removed.bio_users = set(told["user_id"].to_pylist())
    removed.bio_texts = set(told["text_hash"].drop_null().to_pylist())
    erased = gone["user_id"].filter(pa.array(tombstones.has_users(gone["user_id"])))
    removed.users = removed.bio_users | set(erased.to_pylist())
    written = items.filter(pa.array(tombstones.has_users(items["author_id"])))
    removed.items |= set(written["item_id"].to_pylist())
    removed.n_other += len(written)
    return removed


def still_used(tables: Iterable[pa.Table], column: str, values: pa.Array) -> dict[object, int]:
    """How often some values stand in a column of some tables; those that do not are not named."""
    counts: dict[object, int] = {}
    for table in tables:
        column_of = table[column]
        for found in pc.value_counts(one_chunk(column_of.filter(pc.is_in(column_of, value_set=values)))).to_pylist():
            counts[found["values"]] = counts.get(found["values"], 0) + found["counts"]
    return counts


def erase_events(events: pa.Table, tombstones: Tombstones) -> pa.Table:
    """Events, or revised ones, without those that were erased."""
    gone = tombstones.has_events(events["event_id"], events["user_id"])
    return events.filter(pa.array(~gone)) if gone.any() else events


def erase_bios(bios: pa.Table, tombstones: Tombstones) -> pa.Table:
    """Bios without those of erased users."""
    gone = tombstones.has_users(bios["user_id"])
    return bios.filter(pa.array(~gone)) if gone.any() else bios


def erase_items(items: pa.Table, tombstones: Tombstones, dropped: pa.Array, n_events: Mapping[str, int]) -> pa.Table:
    """Items without some, without the names of erased authors, with new counts of events.

    Args:
        items: Of ITEMS.
        tombstones: Erased users.
        dropped: Ids of the items to leave out.
        n_events: Counts of those that have another one now.
    """
    ids = one_chunk(items["item_id"])
    touched = pc.or_(pc.is_in(ids, value_set=dropped), pc.is_in(ids, value_set=pa.array(list(n_events), pa.string())))
    erased = tombstones.has_users(items["author_id"])
    if not (erased.any() or pc.any(touched, min_count=0).as_py()):
        return items
    author = pc.if_else(pa.array(erased), pa.scalar(None, pa.string()), one_chunk(items["author_id"]))
    old = zip(ids.to_pylist(), items["n_events"].to_pylist(), strict=True)
    counts = pa.array([n_events.get(item_id, n) for item_id, n in old], pa.int64())
    items = items.set_column(ITEMS.get_field_index("author_id"), ITEMS.field("author_id"), author)
    items = items.set_column(ITEMS.get_field_index("n_events"), ITEMS.field("n_events"), counts)
    return items.filter(pc.invert(pc.is_in(ids, value_set=dropped))).combine_chunks()


def _count(removed: Removed, hashes: pa.ChunkedArray, sign: int) -> None:
    texts = one_chunk(hashes).drop_null()
    removed.n_with_text += sign * len(texts)
    for found in pc.value_counts(texts).to_pylist():
        text = found["values"]
        removed.texts[text] = removed.texts.get(text, 0) + sign * int(np.int64(found["counts"]))
