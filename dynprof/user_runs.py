"""A bucket's events in runs of whole users: bounds the memory of a build, however many events one user has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.vectors import one_chunk

__all__ = ["UserRun", "runs_of_users"]


class UserRun(NamedTuple):
    """Some users of a bucket.

    Attributes:
        events: Theirs.
        bios: Theirs; of a user whose events take several runs, in the last of them.
        goes_on: The run is of one user, and the next run has more of its events.
    """

    events: pa.Table
    bios: pa.Table
    goes_on: bool = False


def runs_of_users(slices: Iterable[pa.Table], bios: pa.Table, schema: pa.Schema) -> Iterator[UserRun]:
    """Slices of events, cut again where users end.

    A run has at most the events of two slices: a user with more gets runs of its own. Users come in the order of
    their ids, also those with a bio alone; a bucket without users has one run, an empty one.

    Args:
        slices: Events with a column user_id, sorted by user; none is empty.
        bios: With a column user_id, sorted by user, each user once.
        schema: Of the slices.
    """
    held, goes_on = schema.empty_table(), False  # the last user's events so far: all of them, or the last of many
    for rows in slices:
        one_user_waits = len(held) > 0
        held = pa.concat_tables([held, rows])
        starts = _starts(held)
        cuts = {0, *starts[1:2], starts[-1]} if goes_on else {0, starts[-1]}
        for first, stop in pairwise(sorted(cuts)):
            mine, bios = _cut(bios, pc.less_equal, held["user_id"][stop - 1])
            yield UserRun(held[first:stop], mine)
            goes_on = False
        held = held[starts[-1] :]
        if one_user_waits and len(starts) == 1:
            before, bios = _cut(bios, pc.less, held["user_id"][0])
            if len(before):
                yield UserRun(held[:0], before)
            yield UserRun(held[:-1], bios[:0], goes_on=True)
            held, goes_on = held[-1:], True
    if goes_on:
        mine, bios = _cut(bios, pc.less_equal, held["user_id"][0])
        yield UserRun(held, mine)
        held = held[:0]
    yield UserRun(held, bios)


def _starts(events: pa.Table) -> list[int]:
    """The first row of each user."""
    lengths = one_chunk(events["user_id"]).value_counts().field("counts")
    return [0, *np.cumsum(np.asarray(lengths))[:-1].tolist()]


def _cut(bios: pa.Table, comparison: Callable[..., pa.ChunkedArray], user_id: pa.Scalar) -> tuple[pa.Table, pa.Table]:
    """The bios of the users that compare so, and the rest."""
    n = pc.sum(comparison(bios["user_id"], user_id), min_count=0).as_py()
    return bios[:n], bios[n:]
