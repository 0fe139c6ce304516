"""A built snapshot and the layers that updates put over it, read as if they were one.

A layer's row is the state of a user's new events; states of one user add. Rows are merged when they are read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.bank import Bank
from dynprof.event_list import EventList
from dynprof.state import NEVER_US, ProfileStates
from dynprof.state_io import states_from_table, states_to_batch
from dynprof.state_rows import StateRows
from dynprof.vectors import matrix_of

__all__ = ["CHANGES", "LayeredRows", "ReadBatch", "merge_rows"]

CHANGES = "changes.arrow"
"""Name of a layer's file; a record batch a user bucket, of `changes_schema`."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ReadBatch:
    """Some consecutive users.

    Attributes:
        rows: As stored, of `states_schema`; without what layers say of the users of `changed`.
        changed: (m,) positions in `rows`, rising.
        merged: The rows to read instead of those, (m,).
    """

    rows: pa.RecordBatch
    changed: IntArray
    merged: pa.RecordBatch | None


class LayeredRows:
    """The users of one bucket. Rows of the base come first, then those that each layer was the first to know.

    Args:
        base: Rows of the built snapshot.
        layers: One record batch of `changes_schema` a layer, oldest first, each sorted by user.
        bank: Of the snapshot.
        dim: Length of a vector.
    """

    def __init__(self, base: StateRows, layers: Sequence[pa.RecordBatch], bank: Bank, dim: int) -> None:
        self._base, self._bank, self._dim = base, bank, dim
        self._layers = [StateRows([layer]) for layer in layers]
        self._batches = list(layers)
        self._new: list[IntArray] = [np.flatnonzero(np.asarray(layer["is_new"])) for layer in layers]
        self._starts = list(accumulate((len(new) for new in self._new), initial=len(base)))

    def __len__(self) -> int:
        return self._starts[-1]

    def find(self, user_id: str) -> int | None:
        """Row of a user; None where there is none."""
        row = self._base.find(user_id)
        for number, layer in enumerate(self._layers):
            if row is not None:
                break
            found = layer.find(user_id)  # the first layer that knows the user is the one where the user is new
            row = None if found is None else self._starts[number] + int(np.searchsorted(self._new[number], found))
        return row

    def slice(self, row: int) -> pa.RecordBatch:
        """One user's row of `states_schema`; as it lies on disk where no layer knows the user."""
        if row < len(self._base):
            stored, since = self._base.slice(row), 0
        else:
            since = bisect_right(self._starts, row) - 1
            stored = self._layers[since].slice(int(self._new[since][row - self._starts[since]]))
            since += 1
        user_id = stored["user_id"][0].as_py()
        found = [(layer, layer.find(user_id)) for layer in self._layers[since:]]
        parts = [stored, *(layer.slice(at) for layer, at in found if at is not None)]
        if len(parts) == 1 and row < len(self._base):
            return stored
        return merge_rows(stored["user_id"], parts, self._bank, self._dim)

    def user(self, row: int) -> tuple[ProfileStates, npt.NDArray[np.float16] | None]:
        """One user's states and (dim,) vector of the bio; None without one."""
        if row < len(self._base) and not self._layers:
            return self._base.user(row, self._bank, self._dim)
        merged = self.slice(row)
        bio = matrix_of(merged["prior"])[0] if merged["prior"][0].is_valid else None
        return states_from_table(merged, self._bank, self._dim), bio

    def read(self) -> Iterator[ReadBatch]:
        """All users in the order of their rows."""
        nobody = np.empty(0, np.int64)
        for batch in self._base.batches:
            touched = np.zeros(len(batch), np.bool_)
            for layer in self._batches:
                touched |= np.asarray(pc.is_in(batch["user_id"], value_set=layer["user_id"]))
            changed = np.flatnonzero(touched)
            ids = batch["user_id"].take(pa.array(changed))
            parts = [batch, *self._batches]
            merged = merge_rows(ids, parts, self._bank, self._dim) if len(changed) else None
            yield ReadBatch(batch, changed, merged)
        for number, (layer, new) in enumerate(zip(self._batches, self._new, strict=True)):
            if len(new):
                ids = layer["user_id"].take(pa.array(new))
                yield ReadBatch(merge_rows(ids, self._batches[number:], self._bank, self._dim), nobody, None)

    def columns(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of all users, in the order of their rows."""
        for part in self.read():
            chosen = part.rows.select(names)
            if part.merged is not None:  # what updates changed takes the place of what was built
                place = np.arange(len(chosen))
                place[part.changed] = len(chosen) + np.arange(len(part.changed))
                both = pa.Table.from_batches([chosen, part.merged.select(names)])
                chosen = both.take(pa.array(place)).combine_chunks().to_batches()[0]
            yield chosen

    def knows(self, user_ids: pa.Array) -> npt.NDArray[np.bool_]:
        """(n,) whether the bucket has each of some users."""
        known = np.zeros(len(user_ids), np.bool_)
        for batch in [*self._base.batches, *self._batches]:
            known |= np.asarray(pc.is_in(user_ids, value_set=batch["user_id"]))
        return known


def merge_rows(user_ids: pa.Array, parts: Sequence[pa.RecordBatch], bank: Bank, dim: int) -> pa.RecordBatch:
    """The rows of some users, of a snapshot and its layers, added up.

    Args:
        user_ids: (n,) sorted.
        parts: Oldest first, each sorted by user, of `states_schema` or `changes_schema`; other users may be in them.
        bank: Of the states.
        dim: Length of a vector.
    """
    n = len(user_ids)
    states = ProfileStates.empty(n, dim, bank=bank)
    priors, has_prior = np.zeros((n, dim), np.float16), np.zeros(n, np.bool_)
    for part in parts:
        where = pc.index_in(user_ids, value_set=part["user_id"])
        positions = np.flatnonzero(np.asarray(where.is_valid()))
        rows = np.asarray(where.drop_null(), np.int64)
        if not len(rows):
            continue
        told = positions, rows
        if "replaces" in part.schema.names:
            states = _forget(states, positions[np.asarray(part["replaces"])[rows]])
            known = np.asarray(part["bio_known"])[rows]
            told = positions[known], rows[known]
        states = states.merge(_place(states_from_table(part, bank, dim), rows, positions, n))
        priors[told[0]] = matrix_of(part["prior"])[told[1]]
        has_prior[told[0]] = np.asarray(part["prior"].is_valid())[told[1]]
    return states_to_batch(states, user_ids, priors, has_prior)


def _place(states: ProfileStates, rows: IntArray, positions: IntArray, n_users: int) -> ProfileStates:
    """The states of the users `rows`, rising, as users `positions`, rising, of `n_users`."""
    events = states.events
    starts, stops = np.searchsorted(events.users, rows), np.searchsorted(events.users, rows, "right")
    lengths = stops - starts
    index = np.arange(lengths.sum()) + np.repeat(starts - (np.cumsum(lengths) - lengths), lengths)
    is_heavy = np.isin(rows, states.heavy)
    mine = np.searchsorted(states.heavy, rows[is_heavy])
    n_events, first_us, last_us = np.zeros(n_users, np.int64), *np.full((2, n_users), NEVER_US)
    n_events[positions], first_us[positions] = states.n_events[rows], states.first_us[rows]
    last_us[positions] = states.last_us[rows]
    return ProfileStates(
        states.bank,
        n_events,
        first_us,
        last_us,
        EventList(np.repeat(positions, lengths), events.at_us[index], events.weights[index], events.vectors[index]),
        positions[is_heavy],
        states.sums[mine],
        states.masses[mine],
        states.square_masses[mine],
    )


def _forget(states: ProfileStates, users: IntArray) -> ProfileStates:
    """The same without any event of some users."""
    if not len(users):
        return states
    gone = np.zeros(states.n_users, np.bool_)
    gone[users] = True
    stay = ~gone[states.heavy]
    return replace(
        states,
        n_events=np.where(gone, 0, states.n_events),
        first_us=np.where(gone, NEVER_US, states.first_us),
        last_us=np.where(gone, NEVER_US, states.last_us),
        events=states.events.take(~gone[states.events.users]),
        heavy=states.heavy[stay],
        sums=states.sums[stay],
        masses=states.masses[stay],
        square_masses=states.square_masses[stay],
    )
