"""What live events ask of the corpus under a snapshot: is an event there, what is an item's text, which vector has it.

Nothing is read before it is asked for; what was read stays, as hashes where that will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.corpus import TEXT_SOURCES
from dynprof.keys import bucket_of, buckets
from dynprof.lineage import CorpusView
from dynprof.live.id_index import IdIndex, hashes_of_ids, hashes_of_keys
from dynprof.schema import ITEMS
from dynprof.segments import find_rows, read_bios, read_events, read_items
from dynprof.vectors import one_chunk
from dynprof.workspace import Workspace

__all__ = ["CorpusLookup", "KnownItem"]

_ITEM_COLUMNS = [name for name in ITEMS.names if name != "text"]
_EVENT_COLUMNS = ["event_id", "user_id", "timestamp", "event_type", "item_id", "text", "text_hash", "weight"]

Keyed = Callable[[str], bytes]


@dataclass(frozen=True)
class KnownItem:
    """What the corpus says of an item.

    Attributes:
        text_hash: 16 bytes; None without a text, or where nothing is left of it.
        source: Place of the text's source in `TEXT_SOURCES`; `len(TEXT_SOURCES)` without a text.
        text_us: Time of the text's row, microseconds since 1970; None where it had none.
        created_us: When the item appeared, None where nothing tells.
        n_events: Events about it.
        author_id: Or None.
        language: Or None.
    """

    text_hash: bytes | None
    source: int
    text_us: int | None
    created_us: int | None
    n_events: int
    author_id: str | None
    language: str | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> KnownItem:
        """From a row of `_items_table`."""
        source = len(TEXT_SOURCES) if row["text_source"] is None else TEXT_SOURCES.index(row["text_source"])
        described = (row["text_at"], row["created_at"], row["n_events"], row["author_id"], row["language"])
        return cls(row["text_hash"], source, *described)


class CorpusLookup:
    """A corpus as a snapshot has seen it. Safe to ask from several threads; a first question may read a bucket.

    Args:
        workspace: Where.
        view: The corpus.
    """

    def __init__(self, workspace: Workspace, view: CorpusView) -> None:
        self.workspace, self.view = workspace, view
        self._items: dict[int, tuple[pa.Table, IdIndex]] = {}
        self._by_key: dict[str, IdIndex] = {}
        self._reading = RLock()

    def known_events(
        self, event_ids: Sequence[str], user_ids: Sequence[str], item_ids: Sequence[str]
    ) -> npt.NDArray[np.bool_]:
        """(n,) whether the corpus has each event: its id with its user, or with its item, as in `dynprof.increment`."""
        known = np.zeros(len(event_ids), np.bool_)
        with self._reading:
            wanted, places = self._event_index.find(hashes_of_ids(event_ids))
        for bucket in np.unique(places).tolist():
            mine = np.unique(wanted[places == bucket]).tolist()
            rows = self._find("events", bucket, [event_ids[i] for i in mine], ["event_id", "user_id", "item_id"])
            there = {(row["event_id"], row[name]) for row in rows.to_pylist() for name in ("user_id", "item_id")}
            for i in mine:
                known[i] |= (event_ids[i], user_ids[i]) in there or (event_ids[i], item_ids[i]) in there
        return known

    def items(self, item_ids: Sequence[str]) -> dict[str, KnownItem]:
        """Those of some items that the corpus has."""
        found = {}
        for bucket, ids in self._by_bucket(item_ids):
            with self._reading:
                table, index = self._item_bucket(bucket)
            _, rows = index.find(hashes_of_ids(ids))
            wanted = set(ids)
            for row in table.take(pa.array(rows)).to_pylist():
                if row["item_id"] in wanted:
                    found[row["item_id"]] = KnownItem.of(row)
        return found

    def items_with(self, text_hashes: Set[bytes | None]) -> dict[bytes, set[str]]:
        """All items that have some texts. Reads every bucket of items once."""
        found: dict[bytes, set[str]] = {}
        wanted = pa.array([text for text in text_hashes if text is not None], pa.binary(16))
        for bucket in range(self.view.n_buckets if len(wanted) else 0):
            with self._reading:
                table, _ = self._item_bucket(bucket)
            for row in table.filter(pc.is_in(table["text_hash"], value_set=wanted)).to_pylist():
                found.setdefault(row["text_hash"], set()).add(row["item_id"])
        return found

    def item_texts(self, item_ids: Sequence[str]) -> dict[str, str]:
        """Texts of items that have one."""
        tables = [self._find("items", b, ids, ["item_id", "text"]) for b, ids in self._by_bucket(item_ids)]
        return {row["item_id"]: row["text"] for t in tables for row in t.to_pylist() if row["text"] is not None}

    def events_of(self, user_id: str) -> pa.Table:
        """All events of a user: `_EVENT_COLUMNS` of EVENTS."""
        segments = self.view.segments
        return read_events(self.workspace, self._bucket(user_id), _EVENT_COLUMNS, segments=segments, user_id=user_id)

    def has_bio(self, user_id: str) -> bool:
        """Whether the users' table has a row of a user."""
        bios = read_bios(self.workspace, self._bucket(user_id), ["user_id"], segments=self.view.segments)
        return bool(pc.any(pc.equal(bios["user_id"], user_id), min_count=0).as_py())

    def users_of_items(self, item_ids: Sequence[str]) -> set[str]:
        """Users with an event about some items. Reads a column of every bucket."""
        values, users = pa.array(item_ids, pa.string()), set()
        for bucket in range(self.view.n_buckets):
            rows = find_rows(
                self.workspace, "events", bucket, values, ["item_id", "user_id"], segments=self.view.segments
            )
            users.update(rows["user_id"].to_pylist())
        return users

    def users_by_key(self, keys: Sequence[bytes], keyed: Keyed) -> set[str]:
        """Users whose keyed hash is among some. The first question hashes every user of the corpus."""
        columns = {"events": "user_id", "users": "user_id"}
        return {row["user_id"] for row in self._rows_by_key("users", columns, keys, keyed)}

    def events_by_key(self, keys: Sequence[bytes], keyed: Keyed) -> list[tuple[str, str]]:
        """(event_id, user_id) of events whose keyed hash is among some. The first question hashes every id."""
        rows = self._rows_by_key("events", {"events": "event_id"}, keys, keyed)
        return [(row["event_id"], row["user_id"]) for row in rows]

    def _rows_by_key(
        self, name: str, columns: Mapping[str, str], keys: Sequence[bytes], keyed: Keyed
    ) -> Iterator[dict[str, Any]]:
        with self._reading:
            if name not in self._by_key:
                self._by_key[name] = self._index(columns, lambda ids: hashes_of_keys(map(keyed, ids)))
            _, places = self._by_key[name].find(hashes_of_keys(keys))
        wanted = set(keys)
        for bucket in np.unique(places).tolist():
            for table, key in columns.items():
                for row in self._table(table, bucket, [*dict.fromkeys([key, "user_id"])]).to_pylist():
                    if keyed(row[key]) in wanted:
                        yield row

    def _index(self, columns: Mapping[str, str], hashed: Callable[[list[str]], npt.NDArray[np.int64]]) -> IdIndex:
        """The bucket of every id in some columns."""
        hashes, places = [np.empty(0, np.int64)], [np.empty(0, np.int32)]
        for bucket in range(self.view.n_buckets):
            for table, column in columns.items():
                ids = pc.unique(self._table(table, bucket, [column])[column]).to_pylist()
                hashes.append(hashed(ids))
                places.append(np.full(len(ids), bucket, np.int32))
        return IdIndex(np.concatenate(hashes), np.concatenate(places))

    @cached_property
    def _event_index(self) -> IdIndex:
        """12 bytes an event of the corpus."""
        return self._index({"events": "event_id"}, hashes_of_ids)

    def _item_bucket(self, bucket: int) -> tuple[pa.Table, IdIndex]:
        """Items of a bucket without their texts, times as integers."""
        if bucket not in self._items:
            table = read_items(self.workspace, bucket, _ITEM_COLUMNS, segments=self.view.segments)
            for name in ("text_at", "created_at"):
                at = table.schema.get_field_index(name)
                table = table.set_column(at, name, table[name].cast(pa.int64()))
            ids = one_chunk(table["item_id"]).to_pylist()
            self._items[bucket] = table, IdIndex(hashes_of_ids(ids), np.arange(len(ids)))
        return self._items[bucket]

    def _table(self, table: str, bucket: int, columns: list[str]) -> pa.Table:
        read = read_events if table == "events" else read_bios
        return read(self.workspace, bucket, columns, segments=self.view.segments)

    def _find(self, table: str, bucket: int, ids: Sequence[str], columns: list[str]) -> pa.Table:
        values = pa.array(ids, pa.string())
        return find_rows(self.workspace, table, bucket, values, columns, segments=self.view.segments)

    def _bucket(self, user_id: str) -> int:
        return bucket_of(user_id, self.view.n_buckets)

    def _by_bucket(self, ids: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """Ids by the bucket that they are in."""
        of = buckets(pa.array(ids, pa.string()), self.view.n_buckets)
        order = np.argsort(of, kind="stable")
        present, starts = np.unique(of[order], return_index=True)
        for bucket, (start, stop) in zip(present.tolist(), pairwise([*starts.tolist(), len(of)]), strict=True):
            yield bucket, [ids[i] for i in order[start:stop].tolist()]
