"""Times of any spelling to microseconds UTC, value by value: no value changes how another one is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.schema import TIMESTAMP

__all__ = ["EARLIEST", "FUTURE_TOLERANCE_S", "TIMESTAMP_PROBLEMS", "ParsedTimestamps", "parse_timestamps"]

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Anything before is an error of the source (a zero, a lost digit), not a post."""

FUTURE_TOLERANCE_S = 300.0
"""Clocks differ: up to this far ahead an event counts as now."""

TIMESTAMP_PROBLEMS = ("timestamp_missing", "timestamp_unreadable", "timestamp_too_old", "timestamp_in_future")
"""Reasons, in the order in which they are tested; `ParsedTimestamps.problems` holds positions in here."""

_MISSING, _UNREADABLE, _TOO_OLD, _IN_FUTURE = range(4)
_FINE = -1
_MICROS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Largest absolute value of each unit: years 5138 in s, ms and us. No two units share a time after 1973, and times
# before 2000 are refused anyway, so the size decides.
_UNIT_LIMITS = ((1e11, 1_000_000), (1e14, 1_000), (1e17, 1))

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_ISO = r"^[1-9]\d{3}-\d{2}-\d{2}"
_CLOCK = r"[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?"
# What Arrow parses exactly as Python does: the two may share the work.
_FAST_PATTERNS = (
    (rf"{_ISO}({_CLOCK})?$", pa.timestamp("us")),
    (rf"{_ISO}{_CLOCK}(Z|[+-][01]\d:?[0-5]\d)$", TIMESTAMP),
)
_ISO_LIKE = re.compile(r"\d{4}-?\d{2}-?\d{2}(?:[Tt ][0-9:.,]+ ?(?:[Zz]|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?)?")
_TWITTER = re.compile(r"([A-Z][a-z]{2}) ([A-Z][a-z]{2}) (\d{1,2}) (\d{2}:\d{2}:\d{2}) ([+-]\d{4}) (\d{4})")
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2}, ?)?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(?::\d{2})?(?: (?:[+-]\d{4}|GMT|UTC|UT|Z))?"
)


@dataclass(frozen=True)
class ParsedTimestamps:
    """Times and what is wrong with the others.

    Attributes:
        values: (n,) timestamp[us, tz=UTC], null where there is a problem.
        problems: (n,) int8, position in `TIMESTAMP_PROBLEMS`, -1 where there is none.
    """

    values: pa.Array
    problems: npt.NDArray[np.int8]


def parse_timestamps(column: pa.Array | pa.ChunkedArray, *, now: float) -> ParsedTimestamps:
    """Read times of any Arrow type.

    Timestamps of any unit and zone, dates (midnight UTC), ISO 8601 with or without zone (then UTC), Twitter's classic
    "Wed Oct 10 20:19:24 +0000 2018", RFC 2822, and numbers (also as strings) of seconds, milliseconds, microseconds or
    nanoseconds since 1970, told apart by size. Digits below a microsecond are dropped; day-first and month-first dates
    ("10/2/2018") are ambiguous and therefore unreadable.

    Args:
        column: (n,) of any type, may hold nulls.
        now: Unix seconds. Up to `FUTURE_TOLERANCE_S` after it counts as it.
    """
    array = _plain(column)
    micros, readable = _micros(array)
    missing = _missing(array)
    earliest = int(EARLIEST.timestamp()) * _MICROS
    now_us = int(now * _MICROS)
    problems = np.full(len(array), _FINE, np.int8)
    problems[micros > now_us + int(FUTURE_TOLERANCE_S * _MICROS)] = _IN_FUTURE
    problems[micros < earliest] = _TOO_OLD
    problems[~readable] = _UNREADABLE
    problems[missing] = _MISSING
    values = pa.array(np.minimum(micros, now_us), pa.int64(), mask=problems != _FINE)
    return ParsedTimestamps(values.cast(TIMESTAMP), problems)


def _plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One array; the ways in which Arrow holds strings (large, views, dictionaries) become one."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
    texts = pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type)
    return array.cast(pa.string()) if texts else array


def _missing(array: pa.Array) -> npt.NDArray[np.bool_]:
    """Null, NaN, and strings of nothing but white space."""
    if pa.types.is_string(array.type):
        trimmed = pc.utf8_trim_whitespace(array)
        return _bools(pc.fill_null(pc.equal(trimmed, ""), True))
    return _bools(array.is_null(nan_is_null=pa.types.is_floating(array.type)))


def _micros(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """(n,) microseconds since 1970 and (n,) whether they could be read; 0 where they could not."""
    kind = array.type
    if pa.types.is_timestamp(kind):
        return _from_ticks(array, kind.unit)
    if pa.types.is_date(kind):
        return _from_ticks(array.cast(pa.timestamp("s")), "s")
    if pa.types.is_integer(kind):
        return _from_integers(array)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _from_floats(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    if pa.types.is_string(kind):
        return _from_strings(pc.utf8_trim_whitespace(array))
    return np.zeros(len(array), np.int64), np.zeros(len(array), bool)


def _from_ticks(array: pa.Array, unit: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    ticks = pc.fill_null(array.cast(pa.timestamp(unit)).cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    valid = _bools(array.is_valid())
    if unit == "ns":
        return ticks // 1_000, valid
    factor = {"s": 1_000_000, "ms": 1_000, "us": 1}[unit]
    readable = valid & (np.abs(ticks) < 2**62 // factor)
    return np.where(readable, ticks, 0) * factor, readable


def _from_integers(array: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    if array.type == pa.uint64():
        array = pc.if_else(pc.less(array, pa.scalar(2**63, pa.uint64())), array, None)
    valid = _bools(array.is_valid())
    numbers = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    size = np.abs(numbers.astype(np.float64))
    micros = numbers // 1_000
    for limit, factor in reversed(_UNIT_LIMITS):
        small = size < limit
        micros[small] = numbers[small] * factor
    return micros, valid


def _from_floats(numbers: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    readable = np.abs(numbers) < 2.0**63  # false for NaN and infinities too
    numbers = np.where(readable, numbers, 0.0)
    micros = np.floor(numbers / 1_000.0)
    for limit, factor in reversed(_UNIT_LIMITS):
        small = np.abs(numbers) < limit
        micros[small] = np.rint(numbers[small] * factor)
    return micros.astype(np.int64), readable


def _from_strings(texts: pa.StringArray) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Arrow parses what it can in bulk; the rest is read one by one."""
    micros = np.zeros(len(texts), np.int64)
    readable = np.zeros(len(texts), bool)
    for pattern, target in _FAST_PATTERNS:
        hits = np.flatnonzero(_bools(pc.fill_null(pc.match_substring_regex(texts, pattern), False)))
        try:
            micros[hits] = texts.take(pa.array(hits)).cast(target).cast(pa.int64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:  # one of them is no date (2018-02-30)
            continue
        readable[hits] = True
    _read_numbers(texts, micros, readable)
    _read_one_by_one(texts, micros, readable)
    return micros, readable


def _read_numbers(texts: pa.StringArray, micros: npt.NDArray[np.int64], readable: npt.NDArray[np.bool_]) -> None:
    numeric = np.flatnonzero(_bools(pc.fill_null(pc.match_substring_regex(texts, _NUMBER), False)))
    found = texts.take(pa.array(numeric))
    # A float64 holds no 19 digits: whole numbers stay whole.
    whole = _bools(pc.match_substring_regex(found, r"^-?\d{1,18}$"))
    for rows, subset, target in (
        (numeric[whole], found.filter(pa.array(whole)), pa.int64()),
        (numeric[~whole], pc.utf8_ltrim(found.filter(pa.array(~whole)), characters="+"), pa.float64()),
    ):
        micros[rows], readable[rows] = _micros(subset.cast(target))


def _read_one_by_one(texts: pa.StringArray, micros: npt.NDArray[np.int64], readable: npt.NDArray[np.bool_]) -> None:
    numeric = _bools(pc.fill_null(pc.match_substring_regex(texts, _NUMBER), True))
    rows = np.flatnonzero(~readable & ~numeric)
    for row, text in zip(rows, texts.take(pa.array(rows)).to_pylist(), strict=True):
        when = _read_text(text)
        if when is not None:
            since = when - _EPOCH
            micros[row] = (since.days * 86_400 + since.seconds) * _MICROS + since.microseconds
            readable[row] = True


def _read_text(text: str) -> datetime | None:
    """The time that one string names, zone-less ones as UTC; None when it names none."""
    try:
        if _ISO_LIKE.fullmatch(text):
            when = datetime.fromisoformat(
                text.removesuffix("UTC").removesuffix("GMT").replace(" ", "T", 1).replace(" ", "")
            )
        elif twitter := _TWITTER.fullmatch(text):
            weekday, month, day, clock, zone, year = twitter.groups()
            when = parsedate_to_datetime(f"{weekday}, {day} {month} {year} {clock} {zone}")
        elif _MAIL.fullmatch(text):
            when = parsedate_to_datetime(text)
        else:
            return None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def _bools(array: pa.Array) -> npt.NDArray[np.bool_]:
    flags: npt.NDArray[np.bool_] = array.to_numpy(zero_copy_only=False).astype(bool)
    return flags
