"""Live events as they come, in JSON, to checked ones: by the rules and functions of ingest, so both refuse the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from dynprof.checks import check_rows
from dynprof.identity import event_ids, item_ids
from dynprof.live.log import LiveEvent, Outcome
from dynprof.readers.json_columns import to_table
from dynprof.schema import RAW_EVENTS, TIMESTAMP

__all__ = ["check_events"]

_COLUMNS = {name: name for name in RAW_EVENTS.names}


def check_events(records: Sequence[Any], *, now: float) -> list[LiveEvent | Outcome]:
    """Check and type events under our names (`docs/formats.md`, Events); other keys are ignored.

    What becomes of one does not depend on the others. An event without `event_id` gets the hash of its content, one
    without `item_id` is its own item.

    Args:
        records: (n,) values as a JSON parser gives them; each should be an object.
        now: Unix seconds. Times up to five minutes later count as now, later ones are refused.

    Returns:
        (n,) in order: the event, or an outcome that says why it was rejected.
    """
    results: dict[int, LiveEvent | Outcome] = {}
    readable: dict[int, Mapping[str, Any]] = {}
    for position, record in enumerate(records):
        if isinstance(record, Mapping):
            readable[position] = record
        else:
            results[position] = _rejected({}, "not_an_object", f"event: expected an object, found {_kind(record)}")
    for position, record in list(readable.items()):
        if _is_no_text(record):
            del readable[position]
            found = "event: expected valid UTF-8 without lone surrogates, found other text"
            results[position] = _rejected(record, "text_not_unicode", found)
    checked = _checked(list(readable.values()), now)
    results |= dict(zip(readable, checked, strict=True))
    return [results[position] for position in range(len(records))]


def _checked(records: list[Mapping[str, Any]], now: float) -> list[LiveEvent | Outcome]:
    if not records:
        return []
    verdict = check_rows(to_table(records, _COLUMNS), "events", now=now)
    why = zip(verdict.reasons, verdict.details, strict=True)
    refused = dict(zip(verdict.refused.tolist(), why, strict=True))
    good = iter(_live_events(verdict.rows))
    return [_rejected(r, *refused[i]) if i in refused else next(good) for i, r in enumerate(records)]


def _live_events(rows: pa.Table) -> list[LiveEvent]:
    """Rows of RAW_EVENTS as events, ids filled in."""
    rows = rows.set_column(0, "event_id", event_ids(rows))
    rows = rows.set_column(rows.column_names.index("item_id"), "item_id", item_ids(rows))
    at_us = rows["timestamp"].cast(TIMESTAMP).cast(pa.int64())
    rows = rows.set_column(rows.column_names.index("timestamp"), "timestamp", at_us).rename_columns(
        {"timestamp": "at_us"}
    )
    return [LiveEvent(**row) for row in rows.to_pylist()]


def _is_no_text(record: Mapping[str, Any]) -> bool:
    """Whether a field that we read holds half a character, which no store and no encoder takes."""
    values = [record.get(name) for name in _COLUMNS]
    if all((isinstance(v, str) and v.isascii()) or v is None or isinstance(v, int | float) for v in values):
        return False
    try:
        json.dumps(values, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    except RecursionError:  # deep beyond use: no field takes it, and its check says so
        return False
    return False


def _rejected(record: Mapping[str, Any], code: str, reason: str) -> Outcome:
    given = record.get("event_id")
    event_id = given if isinstance(given, str) and given.isprintable() else None
    return Outcome(event_id, "rejected", reason, code)


def _kind(value: Any) -> str:
    names = {type(None): "null", list: "an array", str: "a string", bool: "a truth value", int: "a number"}
    return names.get(type(value), "a number" if isinstance(value, float) else type(value).__name__)
