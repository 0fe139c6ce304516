"""Every row is looked at: good ones get our types, bad ones a reason. Nothing is dropped in silence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.coercion import as_event_types, as_strings, as_weights
from dynprof.schema import RAW_EVENTS, RAW_ITEMS, RAW_USERS, TIMESTAMP
from dynprof.timestamps import TIMESTAMP_PROBLEMS, parse_timestamps

__all__ = ["MAX_TEXT_CHARS", "MAX_USER_ID_BYTES", "REASONS", "TableName", "Verdict", "check_rows", "raw_schema"]

TableName = Literal["events", "users", "items"]

MAX_USER_ID_BYTES = 512
MAX_TEXT_CHARS = 1_000_000

REASONS = (
    "not_json",
    "not_an_object",
    "wrong_number_of_fields",
    "text_not_unicode",
    "user_id_missing",
    "user_id_too_long",
    *TIMESTAMP_PROBLEMS,
    "text_too_long",
    "text_and_item_missing",
    "weight_not_finite",
)
"""Why a row is refused, in the order in which it is tested: the first that holds is given. Readers give the first
three; an id of an item that is missing from the items is `text_and_item_missing` too."""

_EXPECTED = {
    "text_not_unicode": "valid UTF-8",
    "user_id_missing": "an id",
    "user_id_too_long": f"at most {MAX_USER_ID_BYTES} bytes",
    "timestamp_missing": "a time",
    "timestamp_unreadable": "ISO 8601, RFC 2822 or a number since 1970",
    "timestamp_too_old": "2000-01-01 or later",
    "timestamp_in_future": "at most 5 minutes after now",
    "text_too_long": f"at most {MAX_TEXT_CHARS} characters",
    "text_and_item_missing": "a text or an item id",
    "weight_not_finite": "a finite number",
}
_SHOWN_CHARS = 80
_SCHEMAS = {"events": RAW_EVENTS, "users": RAW_USERS, "items": RAW_ITEMS}


@dataclass(frozen=True)
class Verdict:
    """What became of n rows.

    Attributes:
        rows: Good rows, in order, in the raw schema of their table.
        refused: Positions of the others, ascending.
        reasons: One of `REASONS` for each refused row.
        details: Column, what was expected and what was found, for each refused row.
    """

    rows: pa.Table
    refused: npt.NDArray[np.int64]
    reasons: list[str]
    details: list[str]


def raw_schema(kind: TableName) -> pa.Schema:
    """RAW_EVENTS, RAW_USERS or RAW_ITEMS."""
    return _SCHEMAS[kind]


def check_rows(table: pa.Table, kind: TableName, *, now: float) -> Verdict:
    """Check and type the rows of a source.

    Args:
        table: (n,) rows, columns under our names but of any type. Absent columns are null.
        kind: Which table the rows are for.
        now: Unix seconds; later times are refused.
    """
    rows = _Rows(table)
    columns = {"events": _events, "users": _users, "items": _items}[kind](rows, now)
    checked = pa.table(columns, schema=raw_schema(kind))
    refused = np.array(sorted(rows.faults), np.int64)
    if len(refused):
        good = np.ones(len(checked), bool)
        good[refused] = False
        checked = checked.filter(pa.array(good))
    found = [rows.faults[int(i)] for i in refused]
    return Verdict(checked, refused, [reason for reason, _ in found], [detail for _, detail in found])


class _Rows:
    """Rows under check: the first fault of each row is kept."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.faults: dict[int, tuple[str, str]] = {}
        self._strings: dict[str, pa.StringArray] = {}

    def column(self, name: str) -> pa.Array:
        if name not in self.table.column_names:
            return pa.nulls(len(self.table))
        return self.table.column(name).combine_chunks()

    def refuse(self, reason: str, name: str, mask: pa.Array | npt.NDArray[np.bool_]) -> None:
        """Refuse the rows where `mask` is true because of column `name`; null in the mask is false."""
        flags = pc.fill_null(mask, False).to_numpy(zero_copy_only=False) if isinstance(mask, pa.Array) else mask
        for i in np.flatnonzero(flags).tolist():
            if i not in self.faults:
                self.faults[i] = (reason, f"{name}: expected {_EXPECTED[reason]}, found {self._show(name, i)}")

    def strings(self, name: str) -> pa.StringArray:
        if name not in self._strings:
            self._strings[name], broken = as_strings(self.column(name))
            self.refuse("text_not_unicode", name, broken)
        return self._strings[name]

    def times(self, name: str, *, now: float, required: bool) -> pa.Array:
        column = self.column(name)
        if pa.types.is_binary(column.type) or pa.types.is_string(column.type):
            column = self.strings(name)
        parsed = parse_timestamps(column, now=now)
        for position, reason in enumerate(TIMESTAMP_PROBLEMS):
            if required or reason != "timestamp_missing":
                self.refuse(reason, name, parsed.problems == position)
        return parsed.values

    def texts(self, name: str) -> pa.StringArray:
        values = self.strings(name)
        self.refuse("text_too_long", name, pc.greater(pc.utf8_length(values), MAX_TEXT_CHARS))
        return values

    def user_ids(self) -> pa.StringArray:
        values = self.strings("user_id")
        self.refuse("user_id_missing", "user_id", values.is_null())
        self.refuse("user_id_too_long", "user_id", pc.greater(pc.binary_length(values), MAX_USER_ID_BYTES))
        return values

    def _show(self, name: str, row: int) -> str:
        try:
            value = self.column(name)[row].as_py()
        except (ValueError, OverflowError):  # bytes that are no text, years beyond Python's calendar
            return "bytes or a number that cannot be shown"
        if isinstance(value, str | bytes) and len(value) > _SHOWN_CHARS:
            return f"{value[:_SHOWN_CHARS]!r}... ({len(value):,} {'characters' if isinstance(value, str) else 'bytes'})"
        return "nothing" if value is None or value == "" else repr(value)[: 2 * _SHOWN_CHARS]


def _events(rows: _Rows, now: float) -> dict[str, pa.Array]:
    # Every string is decoded first: bytes that are no text are the first fault of a row.
    opaque = {name: rows.strings(name) for name in ("event_id", "item_id", "event_type", "language", "text", "user_id")}
    user_id = rows.user_ids()
    timestamp = rows.times("timestamp", now=now, required=True)
    text = rows.texts("text")
    rows.refuse("text_and_item_missing", "text", pc.and_(text.is_null(), opaque["item_id"].is_null()))
    weight, not_finite = as_weights(rows.column("weight"))
    rows.refuse("weight_not_finite", "weight", not_finite)
    return {
        **opaque,
        "user_id": user_id,
        "timestamp": timestamp,
        "event_type": as_event_types(opaque["event_type"]),
        "text": text,
        "weight": weight,
    }


def _users(rows: _Rows, now: float) -> dict[str, pa.Array]:  # noqa: ARG001 - bios have no time
    rows.strings("bio")
    return {"user_id": rows.user_ids(), "bio": rows.texts("bio")}


def _items(rows: _Rows, now: float) -> dict[str, pa.Array]:
    opaque = {name: rows.strings(name) for name in ("item_id", "author_id", "language", "text")}
    created_at = rows.times("created_at", now=now, required=False)
    text = rows.texts("text")
    rows.refuse("text_and_item_missing", "item_id", opaque["item_id"].is_null())
    return {**opaque, "text": text, "created_at": created_at.cast(TIMESTAMP)}
