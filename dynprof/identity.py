"""Ids for events that bring none: the hash of what they say. Never change: ids on disk depend on it."""

from __future__ import annotations

from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc

from dynprof.schema import TIMESTAMP

__all__ = ["CONTENT_ID_PREFIX", "event_ids", "item_ids"]

CONTENT_ID_PREFIX = "c-"
"""Marks an id that is a hash, so that it cannot be an id of a source by chance."""

_IDENTIFYING = ("user_id", "event_type", "item_id", "text")
_NULL = b"\xff" * 8  # no field is 2^64 - 1 bytes long


def event_ids(table: pa.Table) -> pa.StringArray:
    """Event ids, the missing ones filled with a hash of user, time, type, item and text.

    The hash is BLAKE2b-128 in hex. Every field is preceded by its length, so that ("ab", "c") and ("a", "bc") differ,
    and null differs from empty. Two events without ids that agree in all five are one event.

    Args:
        table: (n,) rows of RAW_EVENTS, before `item_id` is filled.

    Returns:
        (n,) strings without nulls; ids that were there are unchanged.
    """
    given = table.column("event_id").combine_chunks()
    if given.null_count == 0:
        return given
    filled = pa.array(_content_hashes(table.filter(given.is_null())), pa.string())
    return pc.replace_with_mask(given, given.is_null(), filled)


def item_ids(table: pa.Table) -> pa.StringArray:
    """Item ids, the missing ones filled with the event's own id: a post is its own item.

    Args:
        table: (n,) rows of RAW_EVENTS whose `event_id` has no nulls (see `event_ids`).
    """
    return pc.coalesce(table.column("item_id"), table.column("event_id")).combine_chunks()


def _content_hashes(table: pa.Table) -> list[str]:
    fields = [table.column(name).to_pylist() for name in _IDENTIFYING]
    micros = table.column("timestamp").cast(TIMESTAMP).cast(pa.int64()).to_pylist()
    return [_hash(when, row) for when, *row in zip(micros, *fields, strict=True)]


def _hash(micros: int, fields: list[str | None]) -> str:
    digest = blake2b(micros.to_bytes(8, "little", signed=True), digest_size=16)
    for field in fields:
        encoded = None if field is None else field.encode()
        digest.update(_NULL if encoded is None else len(encoded).to_bytes(8, "little") + encoded)
    return CONTENT_ID_PREFIX + digest.hexdigest()
