"""How an event lies in a store, whichever it is: one JSON array, the text's hash beside it, ids as keyed hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import orjson
import pyarrow as pa

from dynprof.keys import text_hashes
from dynprof.live.log import LiveEvent
from dynprof.text import prepare_texts

__all__ = ["KEY_BYTES", "SECRET_BYTES", "Record", "keyed", "pack", "records_of", "unpack"]

KEY_BYTES = 16
SECRET_BYTES = 32


@dataclass(frozen=True)
class Record:
    """An event on its way into a store.

    Attributes:
        event_id: As it came, for the outcome.
        id_key: `keyed` of the event's id.
        user_key: `keyed` of its user.
        text_hash: Of its prepared text; None where nothing of it is left, or it has none.
        packed: The event, see `pack`.
    """

    event_id: str
    id_key: bytes
    user_key: bytes
    text_hash: bytes | None
    packed: bytes


def keyed(identity: str, secret: bytes) -> bytes:
    """BLAKE2b-128 of an id under a secret key: whoever lacks the key cannot test a guess."""
    return blake2b(identity.encode(errors="surrogatepass"), key=secret, digest_size=KEY_BYTES).digest()


def records_of(events: Sequence[LiveEvent], secret: bytes) -> list[Record]:
    """What a store keeps of some events."""
    hashes = text_hashes(prepare_texts(pa.array([e.text for e in events], pa.string()))).to_pylist()
    return [
        Record(e.event_id, keyed(e.event_id, secret), keyed(e.user_id, secret), text_hash, pack(e))
        for e, text_hash in zip(events, hashes, strict=True)
    ]


def pack(event: LiveEvent) -> bytes:
    """An event as a JSON array, its fields in the order in which `LiveEvent` names them."""
    values = (event.event_id, event.user_id, event.at_us, event.event_type, event.item_id, event.text)
    return orjson.dumps((*values, event.weight, event.language))


def unpack(packed: bytes) -> LiveEvent:
    """The inverse of `pack`."""
    return LiveEvent(*orjson.loads(packed))
