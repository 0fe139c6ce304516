"""What was erased and must not come back: keyed hashes that recognise an id and tell nobody which it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.live.log import EventLog
from dynprof.live.record import keyed
from dynprof.vectors import one_chunk

__all__ = ["Tombstones"]

BoolArray = npt.NDArray[np.bool_]

_WORDS = re.compile(r'"(?:[^"\\]|\\.)*"?|-?\d+')
"""Strings and whole numbers of a JSON text that may be cut off in the middle."""


@dataclass(frozen=True)
class Tombstones:
    """Of users and events. Cheap to pickle: tasks of a job get one.

    Attributes:
        secret: Key of the hashes.
        users: 16 bytes each.
        events: 16 bytes each.
    """

    secret: bytes
    users: frozenset[bytes]
    events: frozenset[bytes]

    @classmethod
    def of(cls, log: EventLog) -> Tombstones:
        """Those of a log, as of now."""
        return cls(log.secret, log.erased_users(), log.erased_events())

    def __repr__(self) -> str:
        return f"Tombstones({len(self.users)} users, {len(self.events)} events)"  # never the secret

    def __bool__(self) -> bool:
        return bool(self.users or self.events)

    @property
    def digest(self) -> str:
        """Tells one set of tombstones from another: 16 hex digits."""
        text = b"".join([*sorted(self.users), b"|", *sorted(self.events)])
        return blake2b(text, digest_size=8, key=self.secret).hexdigest()

    def has_users(self, ids: pa.Array | pa.ChunkedArray) -> BoolArray:
        """(n,) whether each user was erased; null is not."""
        return self._among(ids, self.users)

    def has_events(self, event_ids: pa.Array | pa.ChunkedArray, user_ids: pa.Array | pa.ChunkedArray) -> BoolArray:
        """(n,) whether each event was erased, or its user."""
        return self._among(event_ids, self.events) | self.has_users(user_ids)

    def is_named_in(self, raw: pa.Array | pa.ChunkedArray) -> BoolArray:
        """(n,) whether a row as JSON, perhaps cut off, has an erased id for a value."""
        rows = one_chunk(raw).to_pylist()
        return np.fromiter((row is not None and self._names(row) for row in rows), np.bool_, len(rows))

    def _names(self, row: str) -> bool:
        if not self:
            return False
        return any(keyed(word, self.secret) in self.users | self.events for word in map(_plain, _WORDS.findall(row)))

    def _among(self, ids: pa.Array | pa.ChunkedArray, wanted: frozenset[bytes]) -> BoolArray:
        if not wanted:
            return np.zeros(len(ids), np.bool_)
        encoded = one_chunk(ids).dictionary_encode()
        hits = [keyed(identity, self.secret) in wanted for identity in encoded.dictionary.to_pylist()]
        places = np.asarray(encoded.indices.fill_null(len(hits)), np.int64)
        return np.array([*hits, False], np.bool_)[places]


def _plain(word: str) -> str:
    """A string or number of JSON as the id that it may be."""
    try:
        return str(json.loads(word))
    except ValueError:  # cut off
        return word.strip('"')
