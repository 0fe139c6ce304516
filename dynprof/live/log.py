"""What a log of live events is, whatever keeps it: the promises that both stores make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Change", "ChangeKind", "EventLog", "LiveEvent", "Outcome"]

ChangeKind = Literal["event", "vector", "erase_event", "erase_user"]


@dataclass(frozen=True)
class LiveEvent:
    """One checked event.

    Attributes:
        event_id: Never empty: given, or the hash of the content (`dynprof.identity`).
        user_id: Whose.
        at_us: Microseconds since 1970, at most five minutes ahead of the clock when it was checked.
        event_type: Such as post, like.
        item_id: What it is about; the event's own id where it is its own item.
        text: Of the item, as it was given; None where the event names an item and brings no text.
        weight: The event's own factor, finite.
        language: Of the text, or None.
    """

    event_id: str
    user_id: str
    at_us: int
    event_type: str
    item_id: str
    text: str | None = None
    weight: float = 1.0
    language: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of one event that was handed over.

    Attributes:
        event_id: Of the event; None where it was rejected before it had one.
        status: `duplicate`: known before, and counted once.
        reason: Why it was rejected: where, expected, found.
        code: The same in a word: one of `dynprof.checks.REASONS`, or `user_erased`.
    """

    event_id: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    reason: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Change:
    """One entry of the log.

    Attributes:
        number: Position, rising, >= 1.
        kind: Which of the next fields says what.
        event: Of `event`; its erased successors have no content left.
        text_hash: 16 bytes: of the event's prepared text (None without one), or of the text that got a vector.
        erased: 16 bytes: keyed hash of the id of the event or user that was erased (`EventLog.keyed`).
    """

    number: int
    kind: ChangeKind
    event: LiveEvent | None = None
    text_hash: bytes | None = None
    erased: bytes | None = None


class EventLog(Protocol):
    """A durable sequence of changes. Safe to use from several threads and processes at once."""

    def append(self, events: Sequence[LiveEvent]) -> list[Outcome]:
        """Make events durable: on the disk, or acknowledged by the store, when this returns.

        Of several with one id the first counts, within a call and across calls. Events of an erased user are rejected.
        All or nothing: where it raises, none of them is in the log, or all of them are and come back as duplicates.
        """

    def read(self, after: int, limit: int) -> list[Change]:
        """Changes with a number above `after`, in order, at most `limit`. What was erased since is not among them."""

    def last_number(self) -> int:
        """Number of the latest change; 0 in an empty log."""

    def put_vectors(self, fingerprint: str, hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Keep the vectors of some texts, (n, dim), by one encoder; one that is there stays.

        A vector whose text no event of the log has (any more) is not kept: its user may have been erased meanwhile.
        """

    def vectors(self, fingerprint: str, hashes: Sequence[bytes]) -> Mapping[bytes, npt.NDArray[np.float16]]:
        """Vectors of those texts that have one. A vector may be older than an event that has the same text."""

    def without_vector(self, fingerprint: str, limit: int) -> list[tuple[bytes, str]]:
        """Distinct texts of accepted events that have no vector by this encoder: hash and text, oldest first."""

    def events_of(self, user_id: str) -> list[LiveEvent]:
        """A user's events that the log still has, in order."""

    def erase_user(self, user_id: str) -> int:
        """Remove a user's events for good and refuse later ones; the number of events removed. Again: 0.

        When it returns, no byte of the events is left in the files of the log, nor a vector of a text that nobody else
        wrote. Where it raises, the user may be erased while bytes are left: call it again.
        """

    def erase_event(self, event_id: str) -> bool:
        """Remove one event for good; False where the log does not have it. Its id is a duplicate from here on.

        An id that the log never saw is erased too: the event may be in the corpus. Bytes: as in `erase_user`.
        """

    def keyed(self, identity: str) -> bytes:
        """16 bytes that stand for an id and tell nobody which: BLAKE2b with a secret key of this log."""

    @property
    def secret(self) -> bytes:
        """The key of `keyed`, for tasks of a job that must recognise ids; never shown, logged or kept elsewhere."""

    def erased_users(self) -> frozenset[bytes]:
        """Tombstones: `keyed` of every erased user."""

    def erased_events(self) -> frozenset[bytes]:
        """`keyed` of every erased event."""

    def trim(self, up_to: int) -> int:
        """Drop events up to a number, which a corpus has taken in, and vectors that only they needed.

        Ids, tombstones and the changes that say what was erased stay. Every reader must be past that number.

        Returns:
            How many events were dropped.
        """

    def close(self) -> None:
        """Let go of files and connections."""
