"""A log of live events in memory: the protocol's promises but for durability, for tests of what reads a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.keys import text_hashes
from dynprof.live.log import Change, LiveEvent, Outcome
from dynprof.live.record import keyed
from dynprof.text import prepare_texts


class MemoryLog:
    """See `dynprof.live.log.EventLog`."""

    def __init__(self, key: bytes = b"a secret") -> None:
        self._key = key
        self._changes: list[Change] = []
        self._ids: set[bytes] = set()
        self._vectors: dict[str, dict[bytes, npt.NDArray[np.float16]]] = {}
        self._erased_users: set[bytes] = set()
        self._erased_events: set[bytes] = set()
        self._last = 0

    def append(self, events: Sequence[LiveEvent]) -> list[Outcome]:
        outcomes = []
        hashes = text_hashes(prepare_texts(pa.array([e.text for e in events], pa.string()))).to_pylist()
        for event, text_hash in zip(events, hashes, strict=True):
            key = self.keyed(event.event_id)
            if self.keyed(event.user_id) in self._erased_users:
                outcomes.append(Outcome(event.event_id, "rejected", "user_id: the user was erased."))
            elif key in self._ids:
                outcomes.append(Outcome(event.event_id, "duplicate"))
            else:
                self._ids.add(key)
                self._put("event", event=event, text_hash=text_hash)
                outcomes.append(Outcome(event.event_id, "accepted"))
        return outcomes

    def read(self, after: int, limit: int) -> list[Change]:
        return [change for change in self._changes if change.number > after][:limit]

    def last_number(self) -> int:
        return self._last

    def put_vectors(self, fingerprint: str, hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        known, needed = self._vectors.setdefault(fingerprint, {}), {c.text_hash for c in self._changes if c.event}
        for text_hash, vector in zip(hashes, vectors, strict=True):
            if text_hash not in known and text_hash in needed:
                known[text_hash] = vector.astype(np.float16)
                self._put("vector", text_hash=text_hash)

    def vectors(self, fingerprint: str, hashes: Sequence[bytes]) -> Mapping[bytes, npt.NDArray[np.float16]]:
        known = self._vectors.get(fingerprint, {})
        return {text: known[text] for text in hashes if text in known}

    def without_vector(self, fingerprint: str, limit: int) -> list[tuple[bytes, str]]:
        known, out = self._vectors.get(fingerprint, {}), {}
        for change in self._changes:
            event, text = change.event, change.text_hash
            if event is not None and event.text is not None and text is not None and text not in known:
                out.setdefault(text, event.text)
        return list(out.items())[:limit]

    def erase_user(self, user_id: str) -> int:
        key = self.keyed(user_id)
        if key in self._erased_users:
            return 0
        self._erased_users.add(key)
        n_before = len(self._changes)
        self._changes = [c for c in self._changes if c.event is None or c.event.user_id != user_id]
        n_gone = n_before - len(self._changes)
        self._put("erase_user", erased=key)
        return n_gone

    def erase_event(self, event_id: str) -> bool:
        key = self.keyed(event_id)
        there = any(c.event is not None and c.event.event_id == event_id for c in self._changes)
        self._changes = [c for c in self._changes if c.event is None or c.event.event_id != event_id]
        self._ids.add(key)
        if key not in self._erased_events:
            self._erased_events.add(key)
            self._put("erase_event", erased=key)
        return there

    def keyed(self, identity: str) -> bytes:
        return keyed(identity, self._key)

    @property
    def secret(self) -> bytes:
        return self._key

    def events_of(self, user_id: str) -> list[LiveEvent]:
        return [c.event for c in self._changes if c.event is not None and c.event.user_id == user_id]

    def erased_users(self) -> frozenset[bytes]:
        return frozenset(self._erased_users)

    def erased_events(self) -> frozenset[bytes]:
        return frozenset(self._erased_events)

    def trim(self, up_to: int) -> int:
        n_before = len(self._changes)
        self._changes = [c for c in self._changes if c.number > up_to or c.event is None]
        return n_before - len(self._changes)

    def close(self) -> None:
        pass

    def _put(self, kind: str, **what: object) -> None:
        self._last += 1
        self._changes.append(Change(self._last, kind, **what))  # type: ignore[arg-type]
