"""A record batch of states as arrays over its buffers, out of which one user is read without making a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.bank import Bank
from dynprof.event_list import EventList
from dynprof.state import NEVER_US, ProfileStates
from dynprof.vectors import matrix_of

__all__ = ["StateColumns"]


@dataclass(frozen=True)
class _Lists:
    """values: (m, ...) of all rows; offsets: (n + 1,) where those of each begin."""

    values: npt.NDArray[Any]
    offsets: npt.NDArray[np.int32]

    @classmethod
    def of(cls, column: pa.ListArray) -> _Lists:
        vectors = pa.types.is_fixed_size_list(column.type.value_type)
        return cls(matrix_of(column.values) if vectors else np.asarray(column.values), np.asarray(column.offsets))

    def __getitem__(self, row: int) -> npt.NDArray[Any]:
        return self.values[self.offsets[row] : self.offsets[row + 1]]


class StateColumns:
    """Views of the columns: what a user has is read from disk when the user is.

    Args:
        batch: Of `states_schema(dim)`.
        bank: Of the snapshot.
        dim: Length of a vector.
    """

    def __init__(self, batch: pa.RecordBatch, bank: Bank, dim: int) -> None:
        self._bank, self._dim = bank, dim
        self._n_events = np.asarray(batch["n_events"])
        self._first_us, self._last_us = np.asarray(batch["first_event_at"]), np.asarray(batch["last_event_at"])
        self._priors, self._has_prior = matrix_of(batch["prior"]), np.asarray(batch["prior"].is_valid())
        self._at_us, self._weights = _Lists.of(batch["event_at"]), _Lists.of(batch["event_weight"])
        self._vectors, self._sums = _Lists.of(batch["event_vector"]), _Lists.of(batch["sums"])
        self._masses, self._square_masses = _Lists.of(batch["masses"]), _Lists.of(batch["square_masses"])

    def user(self, row: int) -> tuple[ProfileStates, npt.NDArray[np.float16] | None]:
        """The states of one user, as `states_from_table` makes them; and (dim,) vector of the bio, None without one."""
        n_events, at_us, masses = self._n_events[row : row + 1], self._at_us[row], self._masses[row]
        never, size = n_events[0] == 0, self._bank.size
        states = ProfileStates(
            self._bank,
            n_events,
            np.full(1, NEVER_US) if never else self._first_us[row : row + 1],
            np.full(1, NEVER_US) if never else self._last_us[row : row + 1],
            EventList(np.zeros(len(at_us), np.int64), at_us, self._weights[row].astype(np.float64), self._vectors[row]),
            np.zeros(min(1, len(masses)), np.int64),
            self._sums[row].reshape(-1, size, self._dim),
            masses.reshape(-1, size),
            self._square_masses[row].reshape(-1, size),
        )
        return states, self._priors[row] if self._has_prior[row] else None
