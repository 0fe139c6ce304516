"""The text of an item that live events are about: the rules of `dynprof.corpus`, one event at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from dynprof.corpus import TEXT_SOURCES
from dynprof.live.corpus_lookup import KnownItem
from dynprof.live.log import LiveEvent

__all__ = ["ItemState", "Told"]

_OWN, _EVENT = TEXT_SOURCES.index("own"), TEXT_SOURCES.index("event")
_LATEST = 1 << 63


class Told(NamedTuple):
    """A text that a live event gave its item; the smallest one counts, as in a sort by time, id, text."""

    at_us: int
    event_id: str
    text: str
    text_hash: bytes | None
    event: LiveEvent


@dataclass(slots=True)
class ItemState:
    """An item and its live events.

    Attributes:
        item_id: Its id.
        known: What the corpus says; None where it has no such item.
        rows: Live events about it, the first `n_ready` of which count.
        n_ready: See above.
        own: Text of the event that is the item itself.
        other: Earliest text among all live events.
        author: User of the event that is the item itself.
        first_us: Time of the earliest live event; far away without events.
    """

    item_id: str
    known: KnownItem | None
    rows: list[int] = field(default_factory=list)
    n_ready: int = 0
    own: Told | None = None
    other: Told | None = None
    author: str | None = None
    first_us: int = _LATEST

    def add(self, row: int, event: LiveEvent, text_hash: bytes | None) -> None:
        """One more event."""
        self.rows.append(row)
        self._consider(event, text_hash)

    def remove(self, gone: set[int], left: Iterable[tuple[LiveEvent, bytes | None]]) -> None:
        """Some events less; `left`: the others, with the hashes of their texts."""
        self.n_ready = sum(row not in gone for row in self.rows[: self.n_ready])
        self.rows = [row for row in self.rows if row not in gone]
        self.own = self.other = self.author = None
        self.first_us = _LATEST
        for event, text_hash in left:
            self._consider(event, text_hash)

    @property
    def live(self) -> Told | None:
        """The text of a live event that the item has; None where the corpus' text stands, or there is none."""
        source, told = (_OWN, self.own) if self.own is not None else (_EVENT, self.other)
        if told is None or self.known is None:
            return told
        known_us = _LATEST if self.known.text_us is None else self.known.text_us
        return told if (source, told.at_us) < (self.known.source, known_us) else None

    @property
    def text_hash(self) -> bytes | None:
        """Of the text that the item has."""
        live = self.live
        if live is not None:
            return live.text_hash
        return None if self.known is None else self.known.text_hash

    @property
    def is_changed(self) -> bool:
        """Whether events of the corpus have another text now than a snapshot of it saw."""
        return self.known is not None and self.known.n_events > 0 and self.text_hash != self.known.text_hash

    def _consider(self, event: LiveEvent, text_hash: bytes | None) -> None:
        self.first_us = min(self.first_us, event.at_us)
        is_own = event.event_id == self.item_id
        if is_own:
            self.author = event.user_id
        if event.text is None:
            return
        told = Told(event.at_us, event.event_id, event.text, text_hash, event)
        if is_own and (self.own is None or told[:3] < self.own[:3]):
            self.own = told
        if self.other is None or told[:3] < self.other[:3]:
            self.other = told
