"""The language of every item, as its first event says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.evaluation.log import EventLog, EventNames
from dynprof.segments import read_events
from dynprof.vectors import one_chunk
from dynprof.workspace import Workspace

__all__ = ["UNKNOWN", "Languages", "languages_of_items"]

UNKNOWN = -1
"""Number of the language of an item whose first event names none."""

_UNKNOWN_LAST = np.iinfo(np.int16).max


@dataclass(frozen=True)
class Languages:
    """What the numbers of languages stand for.

    Attributes:
        of_item: (n_items,) int16 number of each item's language, or `UNKNOWN`.
        names: By number, sorted.
    """

    of_item: npt.NDArray[np.int16]
    names: tuple[str, ...]


def languages_of_items(
    workspace: Workspace, log: EventLog, names: EventNames, segments: Sequence[str] = ()
) -> Languages:
    """Read the languages of first events, bucket after bucket: known before any test of the item.

    Of several first events at the same time the first language by name counts. An item whose first event is left out
    (`leave_one_out`) gets the one of the first that is not.
    """
    n_buckets = len(names.bucket_starts) - 1
    spoken = sorted(
        {name for b in range(n_buckets) for name in _read(workspace, b, segments).unique().to_pylist()} - {None}
    )
    number = pa.array(spoken, pa.string())
    found = np.full(log.n_items, _UNKNOWN_LAST, np.int16)
    for bucket in range(n_buckets):
        mine = slice(names.bucket_starts[bucket], names.bucket_starts[bucket + 1])
        numbers = pc.fill_null(pc.index_in(_read(workspace, bucket, segments), value_set=number), _UNKNOWN_LAST)
        items = log.items[mine]
        first = log.event_us[mine] == log.first_us[items]
        np.minimum.at(found, items[first], np.asarray(numbers).astype(np.int16)[first])
    return Languages(np.where(found == _UNKNOWN_LAST, np.int16(UNKNOWN), found), tuple(spoken))


def _read(workspace: Workspace, bucket: int, segments: Sequence[str]) -> pa.Array:
    """The languages of a bucket's events with a text, in the order of the log."""
    ordered_by = ["user_id", "timestamp", "event_id"] if segments else []
    table = read_events(workspace, bucket, [*ordered_by, "language", "text_hash"], segments=segments)
    return one_chunk(table.filter(pc.is_valid(table["text_hash"]))["language"])
