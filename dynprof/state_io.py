"""States on disk: `profiles/<snapshot>/states/bucket-*.arrow`, memory-mapped when read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.bank import Bank
from dynprof.event_list import EventList
from dynprof.schema import states_schema
from dynprof.state import NEVER_US, ProfileStates
from dynprof.vectors import matrix_of, one_chunk, vector_array

__all__ = ["priors_from_table", "states_from_table", "states_to_batch"]


def states_to_batch(
    states: ProfileStates,
    user_ids: Sequence[str] | pa.Array,
    priors: npt.NDArray[np.floating],
    has_prior: npt.NDArray[np.bool_],
) -> pa.RecordBatch:
    """One row a user, as in `docs/formats.md`.

    Args:
        states: Of n users.
        user_ids: (n,) in the order of the states.
        priors: (n, dim) vector of each user's bio.
        has_prior: (n,) False where there is none.
    """
    events, n = states.events, states.n_users
    offsets = np.searchsorted(events.users, np.arange(n + 1))
    schema = states_schema(states.dim)
    vectors = pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), vector_array(events.vectors), type=schema.field("event_vector").type
    )
    n_sums = states.bank.size * states.dim
    columns = [
        pa.array(user_ids, pa.string()),
        pa.array(states.n_events),
        pa.array(np.where(states.n_events > 0, states.first_us, 0)),
        pa.array(np.where(states.n_events > 0, states.last_us, 0)),
        vector_array(priors, valid=has_prior),
        _lists(events.at_us, offsets),
        _lists(events.weights.astype(np.float32), offsets),
        vectors,
        _lists(states.sums.reshape(-1), _heavy_offsets(states, n_sums)),
        _lists(states.masses.reshape(-1), _heavy_offsets(states, states.bank.size)),
        _lists(states.square_masses.reshape(-1), _heavy_offsets(states, states.bank.size)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def states_from_table(table: pa.Table | pa.RecordBatch, bank: Bank, dim: int) -> ProfileStates:
    """The inverse of `states_to_batch`. Reads only the rows given: slice first to load a few users.

    Args:
        table: Of `states_schema(dim)`.
        bank: Of the snapshot.
        dim: Length of a vector.
    """
    n_events = np.asarray(table["n_events"])
    counts = _lengths(table["event_at"])
    heavy = np.flatnonzero(_lengths(table["masses"]))
    events = EventList(
        np.repeat(np.arange(len(counts)), counts),
        np.asarray(_flat(table["event_at"])),
        np.asarray(_flat(table["event_weight"]), np.float64),
        matrix_of(_flat(table["event_vector"])),
    )
    never = n_events == 0
    return ProfileStates(
        bank,
        n_events,
        np.where(never, NEVER_US, np.asarray(table["first_event_at"])),
        np.where(never, NEVER_US, np.asarray(table["last_event_at"])),
        events,
        heavy,
        np.asarray(_flat(table["sums"])).reshape(-1, bank.size, dim),
        np.asarray(_flat(table["masses"])).reshape(-1, bank.size),
        np.asarray(_flat(table["square_masses"])).reshape(-1, bank.size),
    )


def priors_from_table(
    table: pa.Table | pa.RecordBatch, population: npt.NDArray[np.floating]
) -> npt.NDArray[np.float32]:
    """(n, dim) prior of each user: the bio's vector, else the population's mean (dim,)."""
    has_prior = np.asarray(table["prior"].is_valid())
    return np.where(has_prior[:, None], matrix_of(table["prior"]), population).astype(np.float32)


def _heavy_offsets(states: ProfileStates, width: int) -> npt.NDArray[np.int64]:
    """List offsets that give `width` values to every heavy user and none to the others."""
    is_heavy = np.zeros(states.n_users, np.int64)
    is_heavy[states.heavy] = width
    return np.concatenate([[0], np.cumsum(is_heavy)])


def _lists(values: npt.NDArray[np.generic], offsets: npt.NDArray[np.int64]) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values))


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return one_chunk(column).flatten()


def _lengths(column: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.asarray(one_chunk(column).value_lengths(), np.int64)
