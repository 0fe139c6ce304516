"""Columns of any type to ours: ids and texts to strings, weights to numbers, event types to our words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["as_event_types", "as_strings", "as_weights", "event_type_name"]

Mask = npt.NDArray[np.bool_]

DEFAULT_EVENT_TYPE = "post"
_EVENT_TYPE_ALIASES = {
    "tweet": "post",
    "status": "post",
    "replied_to": "reply",
    "replied": "reply",
    "quote_tweet": "quote",
    "quote_post": "quote",
    "quoted": "quote",
    "retweeted": "retweet",
    "repost": "retweet",
    "reposted": "retweet",
    "reblog": "retweet",
    "rt": "retweet",
    "favorite": "like",
    "favourite": "like",
    "favorited": "like",
    "favourited": "like",
    "liked": "like",
}


def event_type_name(name: str) -> str:
    """Our word for an event type: lower case, trimmed, aliases of other platforms replaced."""
    plain = name.strip().lower()
    return _EVENT_TYPE_ALIASES.get(plain, plain)


def as_strings(column: pa.Array | pa.ChunkedArray) -> tuple[pa.StringArray, Mask]:
    """Ids or texts as strings, and which rows are no Unicode.

    Whole numbers become decimal digits, also those a nullable column turned into floats (12.0 is "12"). Strings are
    taken as they are; bytes are read as UTF-8. Nothing is an empty string: that is null, and so are NaN and values
    that are no scalar (lists, objects).

    Args:
        column: (n,) of any type.

    Returns:
        (n,) strings, and an (n,) mask of values that are not valid UTF-8 (null among the strings). A file may declare
        a column as strings and hold other bytes, so strings are looked at too.
    """
    array = _flat(column)
    if pa.types.is_floating(array.type):
        array = _digits(array)
    strings, broken = _decoded(array) if _is_bytes(array.type) else (_cast(array), np.zeros(len(array), bool))
    return pc.if_else(pc.equal(strings, ""), pa.scalar(None, pa.string()), strings), broken


def as_weights(column: pa.Array | pa.ChunkedArray) -> tuple[pa.FloatArray, Mask]:
    """Weights as float32 with 1 for null, and which rows are no finite number (in float32)."""
    array = _flat(column)
    kind = array.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = array.cast(pa.float64())
        missing = array.is_null()
    else:
        strings, broken = as_strings(array)
        numbers = _parsed_numbers(strings)
        missing = pc.or_(array.is_null(), pc.and_(strings.is_null(), pa.array(~broken & _is_bytes(kind))))
    values = np.where(missing.to_numpy(zero_copy_only=False), 1.0, numbers.to_numpy(zero_copy_only=False))
    bad = ~(np.abs(values) <= np.finfo(np.float32).max)  # true for NaN too
    return pa.array(np.where(bad, 1.0, values).astype(np.float32)), bad


def as_event_types(column: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Event types in lower case, under our words where they are known by another; null becomes `post`."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(as_strings(column)[0])).dictionary_encode()
    ours = [_EVENT_TYPE_ALIASES.get(w.replace("-", "_").replace(" ", "_"), w) for w in words.dictionary.to_pylist()]
    found = pa.array([w or None for w in ours], pa.string()).take(words.indices)
    return pc.fill_null(found, DEFAULT_EVENT_TYPE)


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _is_bytes(kind: pa.DataType) -> bool:
    of_bytes = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    of_text = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(kind) for is_kind in (*of_bytes, *of_text))


def _digits(floats: pa.Array) -> pa.Array:
    """Floats as decimal strings: integral ones without a fraction, NaN and infinities as null."""
    finite = pc.if_else(pc.is_finite(floats), floats.cast(pa.float64()), pa.scalar(None, pa.float64()))
    whole = pc.and_(pc.equal(pc.floor(finite), finite), pc.less(pc.abs(finite), 2.0**63))
    integers = pc.if_else(whole, finite, pa.scalar(None, pa.float64())).cast(pa.int64())
    return pc.coalesce(integers.cast(pa.string()), finite.cast(pa.string()))


def _cast(array: pa.Array) -> pa.StringArray:
    try:
        return array.cast(pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.nulls(len(array), pa.string())


def _decoded(array: pa.Array) -> tuple[pa.StringArray, Mask]:
    """Bytes or unchecked strings as valid strings: in bulk when all are valid, else one by one."""
    try:
        strings = array.cast(pa.binary()).cast(pa.string())  # only the cast from bytes checks them
    except pa.ArrowInvalid:
        decoded = [_decode(value) for value in array.cast(pa.binary()).to_pylist()]
        strings = pa.array(decoded, pa.string())
        return strings, (
            strings.is_null().to_numpy(zero_copy_only=False) & array.is_valid().to_numpy(zero_copy_only=False)
        )
    return strings, np.zeros(len(array), bool)


def _decode(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _parsed_numbers(strings: pa.StringArray) -> pa.DoubleArray:
    """Strings as float64; NaN for those that are no number."""
    trimmed = pc.utf8_trim_whitespace(strings)
    numeric = pc.match_substring_regex(trimmed, r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$")
    clean = pc.if_else(numeric, pc.utf8_ltrim(trimmed, characters="+"), "nan")
    return pc.fill_null(clean, "nan").cast(pa.float64())
