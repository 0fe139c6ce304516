"""The live events of every user, as lists that fold into states when somebody reads them. No files, no threads.

An event waits while its item has no text or its text no vector. Lists stay, so an event can be taken out exactly; an
event costs its user one append, and once, at the next read, O(K d).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynprof.live.corpus_lookup import KnownItem
from dynprof.live.growing import GrowingArray
from dynprof.live.item_state import ItemState
from dynprof.live.log import LiveEvent
from dynprof.snapshot import SnapshotSpec
from dynprof.state import ProfileStates

__all__ = ["Counted", "Deltas", "Fold"]

_NO_VECTOR = -1


@dataclass(slots=True)
class _User:
    """Rows of a user's events; those that count, in the order in which they came to; what was folded of them."""

    rows: list[int] = field(default_factory=list)
    ready: list[int] = field(default_factory=list)
    n_folded: int = 0
    folded: ProfileStates | None = None
    version: int = 0  # of `ready`: raised when something else than an append happened to it


@dataclass(frozen=True)
class Fold:
    """A user's events that count: a state of some, and the others. Nothing in here changes."""

    before: ProfileStates
    at_us: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float16]
    version: int
    n_folded: int

    def states(self) -> ProfileStates:
        """Of one user."""
        if not len(self.at_us):
            return self.before
        return self.before.add(np.zeros(len(self.at_us), np.int64), self.at_us, self.weights, self.vectors)


class Counted(NamedTuple):
    """Live events of a user that have a vector: (n,) times, weights before decay, (n, dim) vectors, and themselves."""

    at_us: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float16]
    events: list[LiveEvent]


class Deltas:
    """What live events add to a snapshot.

    Args:
        spec: Meaning of the snapshot's profiles.

    Attributes:
        vector_sum: (dim,) float64 sum of the vectors of the events that count.
        n_ready: How many those are.
        last_us: Time of the latest event, waiting ones too; None without events.
        items: Those that live events are about.
        arrived: Items in the order in which they got a vector.
        item_epoch: Raised when one of those lost its vector or its author; `arrived` begins anew then.
    """

    def __init__(self, spec: SnapshotSpec) -> None:
        self.spec = spec
        self.vector_sum = np.zeros(spec.dim)
        self.n_ready = 0
        self.last_us: int | None = None
        self.items: dict[str, ItemState] = {}
        self.arrived: list[str] = []
        self.item_epoch = 0
        self._users: dict[str, _User] = {}
        self._row_of: dict[str, int] = {}
        self._events: list[LiveEvent | None] = []
        self._text_hashes: list[bytes | None] = []
        self._at_us, self._weights = GrowingArray(np.int64), GrowingArray(np.float64)
        self._is_ready, self._vector_rows = GrowingArray(np.bool_), GrowingArray(np.int64)
        self._vectors = GrowingArray(np.float16, (spec.dim,))
        self._row_of_text: dict[bytes, int] = {}
        self._waiting: dict[bytes, set[str]] = {}

    def __len__(self) -> int:
        return len(self._row_of)

    def __contains__(self, event_id: str) -> bool:
        return event_id in self._row_of

    def add(self, events: Sequence[tuple[LiveEvent, bytes | None]], known: Mapping[str, KnownItem]) -> set[str]:
        """Add events with the hashes of their own texts; those that are there already change nothing.

        Args:
            events: In any order.
            known: What the corpus says of the items that are named for the first time.

        Returns:
            Items that have more events than before.
        """
        before: dict[str, bytes | None] = {}
        first = len(self._events)
        for event, text_hash in events:
            if event.event_id in self._row_of:
                continue
            row = self._row_of[event.event_id] = len(self._events)
            self._events.append(event)
            self._text_hashes.append(text_hash)
            item = self.items.get(event.item_id)
            if item is None:
                item = self.items[event.item_id] = ItemState(event.item_id, known.get(event.item_id))
            before.setdefault(event.item_id, item.text_hash)
            user = self._users.get(event.user_id)
            if user is None:
                user = self._users[event.user_id] = _User()
            user.rows.append(row)
            item.add(row, event, text_hash)
        self._fill_columns([e for e in self._events[first:] if e is not None])
        self._settle(before)
        return set(before)

    def put_vectors(self, vectors: Mapping[bytes, npt.NDArray[np.float16]]) -> set[str]:
        """Vectors of texts; the items that waited for one of them."""
        new = {text: vector for text, vector in vectors.items() if text not in self._row_of_text}
        if not new:
            return set()
        start = len(self._vectors)
        self._vectors.extend(np.stack(list(new.values())))
        self._row_of_text |= dict(zip(new, range(start, len(self._vectors)), strict=True))
        items = set().union(*(self._waiting.pop(text, ()) for text in new))
        self._settle({item_id: self.items[item_id].text_hash for item_id in items})
        return items

    def remove_events(self, event_ids: Iterable[str]) -> set[str]:
        """Take events out; those that are not there change nothing. Returns the items that they were about."""
        gone = {self._row_of.pop(event_id) for event_id in set(event_ids) & self._row_of.keys()}
        if not gone:
            return set()
        events = [event for event in (self._events[row] for row in gone) if event is not None]
        before = {event.item_id: self.items[event.item_id].text_hash for event in events}
        authors = {item_id: self.items[item_id].author for item_id in before}
        self._set_ready(sorted(gone), ready=False)
        for row in gone:
            self._events[row] = None
        for item_id in before:
            item = self.items[item_id]
            left = [(self._events[row], self._text_hashes[row]) for row in item.rows]
            item.remove(gone, ((event, text) for event, text in left if event is not None))
        for user_id in {event.user_id for event in events}:
            user = self._users[user_id]
            user.rows = [row for row in user.rows if row not in gone]
            if not user.rows:
                del self._users[user_id]
        self._settle(before, renamed=any(self.items[i].author != author for i, author in authors.items()))
        if self.last_us in {event.at_us for event in events}:
            self.last_us = max((event.at_us for event in self._events if event is not None), default=None)
        return set(before)

    def users(self) -> list[str]:
        """Everybody with a live event."""
        return list(self._users)

    def events_of(self, user_id: str) -> list[LiveEvent]:
        """All live events of a user, waiting ones too."""
        user = self._users.get(user_id)
        return [] if user is None else [e for e in (self._events[row] for row in user.rows) if e is not None]

    def waiting(self) -> dict[bytes, str]:
        """Hashes of texts that items have and that have no vector yet, each with one of the items."""
        return {text: next(iter(items)) for text, items in self._waiting.items()}

    def vector(self, text_hash: bytes | None) -> npt.NDArray[np.float16] | None:
        """(dim,) of a text that came through `put_vectors`; None of others."""
        row = None if text_hash is None else self._row_of_text.get(text_hash)
        return None if row is None else np.asarray(self._vectors.values[row], np.float16)

    def fold(self, user_id: str) -> Fold | None:
        """What a read needs of a user; None where there are no live events of it."""
        user = self._users.get(user_id)
        if user is None:
            return None
        before = user.folded or ProfileStates.empty(1, self.spec.dim, bank=self.spec.bank)
        rows = np.array(user.ready[user.n_folded :], np.int64)
        vectors = self._vectors.values[self._vector_rows.values[rows]]
        at_us, weights = self._at_us.values[rows], self._weights.values[rows]
        return Fold(before, at_us, weights, vectors, user.version, len(user.ready))

    def counted_of(self, user_id: str) -> Counted:
        """The events of a user that count."""
        user = self._users.get(user_id)
        rows = np.array([] if user is None else user.ready, np.int64)
        events = [e for e in (self._events[row] for row in rows.tolist()) if e is not None]
        vectors = self._vectors.values[self._vector_rows.values[rows]]
        return Counted(self._at_us.values[rows], self._weights.values[rows], vectors, events)

    def keep(self, user_id: str, fold: Fold, states: ProfileStates) -> None:
        """Remember what a fold came to, unless something was taken out meanwhile or somebody was further."""
        user = self._users.get(user_id)
        if user is not None and user.version == fold.version and user.n_folded < fold.n_folded:
            user.folded, user.n_folded = states, fold.n_folded

    def _fill_columns(self, new: Sequence[LiveEvent]) -> None:
        types, times = self.spec.type_weights, [e.at_us for e in new]
        weights = [float(np.float32(e.weight)) * types.get(e.event_type, 1.0) for e in new]
        self._at_us.extend(times)
        self._weights.extend(np.array(weights, np.float32))  # as tables of states have them
        self._is_ready.extend(np.zeros(len(new), np.bool_))
        self._vector_rows.extend(np.full(len(new), _NO_VECTOR))
        self.last_us = max(times if self.last_us is None else [self.last_us, *times], default=None)

    def _settle(self, before: Mapping[str, bytes | None], *, renamed: bool = False) -> None:
        """Let the events of items count, with the vectors of the texts that those have now.

        Args:
            before: The items, with the hashes of their texts before.
            renamed: Whether one of them has another author: whoever read it has to read it anew.
        """
        n_lost = sum(self._take_back(item_id, text_hash) for item_id, text_hash in before.items())
        fresh: list[int] = []
        vector_rows: list[int] = []
        for item_id in before:
            item = self.items[item_id]
            text_hash = item.text_hash
            vector_row = _NO_VECTOR if text_hash is None else self._row_of_text.get(text_hash, _NO_VECTOR)
            if not item.rows:
                del self.items[item_id]
            elif vector_row != _NO_VECTOR:
                if not item.n_ready:
                    self.arrived.append(item_id)
                fresh += item.rows[item.n_ready :]
                vector_rows += [vector_row] * (len(item.rows) - item.n_ready)
                item.n_ready = len(item.rows)
            else:
                self._wait(item_id, text_hash, begins=True)
        if n_lost or renamed:
            self.arrived = [item_id for item_id, item in self.items.items() if item.n_ready]
            self.item_epoch += 1
        self._vector_rows.values[np.array(fresh, np.int64)] = vector_rows
        self._set_ready(fresh, ready=True)

    def _take_back(self, item_id: str, before: bytes | None) -> bool:
        """Where an item has another text than before, or no event, nothing of it counts; whether something did."""
        item = self.items[item_id]
        if item.text_hash == before and item.rows:
            return False
        counted = item.n_ready > 0 or not item.rows
        self._set_ready(item.rows[: item.n_ready], ready=False)
        item.n_ready = 0
        self._wait(item_id, before, begins=False)
        return counted

    def _wait(self, item_id: str, text_hash: bytes | None, *, begins: bool) -> None:
        if text_hash is None:
            return
        if begins:
            self._waiting.setdefault(text_hash, set()).add(item_id)
        elif text_hash in self._waiting:
            self._waiting[text_hash].discard(item_id)
            if not self._waiting[text_hash]:
                del self._waiting[text_hash]

    def _set_ready(self, rows: Sequence[int], *, ready: bool) -> None:
        """Count events, or no longer."""
        index = np.array(rows, np.int64)
        index = index[self._is_ready.values[index] != ready]
        if not len(index):
            return
        self._is_ready.values[index] = ready
        total = self._vectors.values[self._vector_rows.values[index]].sum(0, dtype=np.float64)
        self.vector_sum += total if ready else -total
        self.n_ready += len(index) if ready else -len(index)
        users = [event.user_id for event in (self._events[row] for row in index.tolist()) if event is not None]
        if ready:
            for user_id, row in zip(users, index.tolist(), strict=True):
                self._users[user_id].ready.append(row)
            return
        for user in {user_id: self._users[user_id] for user_id in users}.values():
            user.ready = [row for row in user.ready if self._is_ready.values[row]]
            user.n_folded, user.folded = 0, None
            user.version += 1
