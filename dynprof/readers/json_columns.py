"""From JSON objects to columns, however their values are typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

__all__ = ["column_names", "to_table"]

_NUMERIC = ("timestamp", "created_at", "weight")


def column_names(records: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> list[str]:
    """Keys of the records in order of appearance, and those dotted paths of `wanted` that lead somewhere."""
    names = list(dict.fromkeys(key for record in records for key in record))
    paths = [path for path in wanted if "." in path and path not in names]
    return names + [path for path in paths if any(_walk(record, path) is not None for record in records)]


def to_table(records: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pa.Table:
    """Columns of n records.

    Args:
        records: (n,) objects; absent keys are null.
        columns: Our name to key, or to a path such as "user.id".

    Returns:
        (n,) rows; a column has the type that all its values share, else it is strings.
    """
    return pa.table({ours: _array(_values(records, theirs), ours) for ours, theirs in columns.items()})


def _values(records: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    if "." not in key or any(key in record for record in records):
        return [record.get(key) for record in records]
    return [_walk(record, key) for record in records]


def _walk(record: Any, path: str) -> Any:
    for key in path.split("."):
        record = record.get(key) if isinstance(record, dict) else None
    return record


def _array(values: list[Any], ours: str) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([_text(value, numeric=ours in _NUMERIC) for value in values], pa.string())


def _text(value: Any, *, numeric: bool) -> str | None:
    """A value as the string that its own type would have become, so that its neighbours do not matter."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        if value != value and not numeric:
            return None
        return f"{value:.0f}" if value.is_integer() and abs(value) < 2**63 else repr(value)
    if isinstance(value, int):
        return str(value)
    return type(value).__name__ if numeric else None  # a list or an object: no number, and not missing either
