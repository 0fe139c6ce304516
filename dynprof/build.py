"""One user bucket from events and vectors to profiles and states. No cluster needed; `jobs.build` runs one a task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.errors import WorkspaceError
from dynprof.profile import age_seconds, masses_by_user, shrink
from dynprof.schema import TIMESTAMP, profiles_schema
from dynprof.snapshot import SnapshotSpec
from dynprof.state import ProfileStates
from dynprof.state_io import states_to_batch
from dynprof.sums import weighted_sums
from dynprof.user_runs import UserRun
from dynprof.vector_chunk import TextVectors, VectorChunk, find_hashes
from dynprof.vectors import one_chunk, vector_array

__all__ = ["BucketEvents", "BuiltBucket", "Totals", "build_bucket", "build_runs", "type_factors"]

FloatArray = npt.NDArray[np.float64]
Number = TypeVar("Number", np.int64, np.float64)

_EVENTS_AT_ONCE = 16_384
_USERS_AT_ONCE = 128  # with seven decays of 384 dimensions 1.3 MiB of sums, which stay in cache


@dataclass(frozen=True)
class BucketEvents:
    """The events of one bucket that count and carry a vector, with all its users.

    Attributes:
        user_ids: (n_users,) sorted; every user with an event before `as_of` or a row in the users table.
        users: (n,) index into `user_ids`, rising.
        at_us: (n,) microseconds since 1970, < as_of.
        weights: (n,) event weight x type weight.
        rows: (n,) row of each event's vector among those of the bucket.
        bio_users: (n_bios,) index into `user_ids`, rising: users with a bio.
        bio_rows: (n_bios,) rows of their vectors.
    """

    user_ids: pa.Array
    users: npt.NDArray[np.int64]
    at_us: npt.NDArray[np.int64]
    weights: FloatArray
    rows: npt.NDArray[np.int64]
    bio_users: npt.NDArray[np.int64]
    bio_rows: npt.NDArray[np.int64]

    @classmethod
    def select(cls, events: Iterable[pa.Table], bios: pa.Table, spec: SnapshotSpec, known: pa.Array) -> BucketEvents:
        """Events strictly before `as_of` that have a text, weighted by their type.

        Args:
            events: user_id, timestamp, event_type, text_hash, weight of `schema.EVENTS`, sorted by user: the bucket in
                as many slices as it is read in. Of each only numbers are kept.
            bios: user_id, text_hash of `schema.BIOS`.
            spec: What the profiles mean.
            known: (m,) hashes of the texts that have a vector, in the order of the vectors' rows.

        Raises:
            WorkspaceError: A text has no vector.
        """
        slices = [_Numbers.of(rows, spec, known) for rows in events]
        ids = pc.unique(pa.chunked_array([*(part.ids for part in slices), *bios["user_id"].chunks], pa.string()))
        user_ids = ids.take(pc.array_sort_indices(ids))
        bios = bios.filter(pc.is_valid(bios["text_hash"]))
        return cls(
            user_ids,
            _joined([_positions(part.ids, user_ids)[part.users] for part in slices], np.int64),
            _joined([part.at_us for part in slices], np.int64),
            _joined([part.weights for part in slices], np.float64),
            _joined([part.rows for part in slices], np.int64),
            _positions(bios["user_id"], user_ids),
            _rows_of(bios["text_hash"], known),
        )

    def between(self, first: int, stop: int) -> BucketEvents:
        """The same for users `first` to `stop`, renumbered from 0: bounds the memory of a build by users."""
        e = slice(*np.searchsorted(self.users, [first, stop]))
        b = slice(*np.searchsorted(self.bio_users, [first, stop]))
        return BucketEvents(
            self.user_ids[first:stop],
            self.users[e] - first,
            self.at_us[e],
            self.weights[e],
            self.rows[e],
            self.bio_users[b] - first,
            self.bio_rows[b],
        )


@dataclass(frozen=True)
class _Numbers:
    """What a slice of the events of a bucket comes to."""

    ids: pa.Array  # of the users with an event before `as_of`, with or without a text
    users: npt.NDArray[np.int32]  # index into `ids`
    at_us: npt.NDArray[np.int64]
    weights: FloatArray
    rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, events: pa.Table, spec: SnapshotSpec, known: pa.Array) -> _Numbers:
        early = events.filter(pc.less(events["timestamp"].cast(pa.int64()), spec.as_of_us))
        users = one_chunk(early["user_id"]).dictionary_encode()
        has_text = pc.is_valid(early["text_hash"])
        early = early.filter(has_text)
        return cls(
            users.dictionary,
            np.asarray(users.indices.filter(one_chunk(has_text))),
            np.array(early["timestamp"].cast(pa.int64())),
            np.asarray(early["weight"], np.float64) * type_factors(early["event_type"], spec),
            _rows_of(early["text_hash"], known),
        )


@dataclass(frozen=True)
class BuiltBucket:
    """Tables of one bucket, users in order of their ids."""

    profiles: pa.Table
    states: pa.RecordBatch


def build_runs(
    runs: Iterable[UserRun],
    vectors: TextVectors,
    spec: SnapshotSpec,
    *,
    population: npt.NDArray[np.float32],
    users_at_once: int,
) -> Iterator[BuiltBucket]:
    """Profiles and states of a bucket, some users after the others.

    Memory is bounded by `users_at_once` and by the events of one run: those of a user who takes several are added up.

    Args:
        runs: The bucket, from `runs_of_users`.
        vectors: Of all its texts.
        spec: What the profiles mean.
        population: (dim,) prior of users without a bio.
        users_at_once: Most users of a part.
    """
    heavy: Totals | None = None
    for run in runs:
        selected = BucketEvents.select([run.events], run.bios, spec, vectors.hashes)
        if (run.goes_on or heavy) and len(selected.user_ids):
            heavy = heavy or Totals(selected.user_ids, spec)
            heavy.add(selected, vectors.chunks())
        if heavy and not run.goes_on:
            yield heavy.built(population)
            heavy = None
        elif not run.goes_on:
            for first in range(0, len(selected.user_ids), users_at_once):
                part = selected.between(first, first + users_at_once)
                yield build_bucket(part, vectors.chunks(), spec, population=population)


def build_bucket(
    events: BucketEvents,
    chunks: Iterable[tuple[int, VectorChunk]],
    spec: SnapshotSpec,
    *,
    population: npt.NDArray[np.float32],
) -> BuiltBucket:
    """Profiles at every decay of `spec` (exact path) and states, from vectors that stream by.

    The sums commute, so events are added in the order in which their vectors come: memory is bounded by users and a
    slice of events; of all the events only the columns of `BucketEvents` are held.

    Args:
        events: What to sum.
        chunks: All vectors of the bucket, as of `BucketVectors.chunks`.
        spec: What the profiles mean.
        population: (dim,) prior of users without a bio.
    """
    totals = Totals(events.user_ids, spec)
    totals.add(events, chunks)
    return totals.built(population)


class Totals:
    """What is known so far of some users, in order of their ids."""

    def __init__(self, user_ids: pa.Array, spec: SnapshotSpec) -> None:
        self.user_ids, self.n_users, self.spec = user_ids, len(user_ids), spec
        self.sums = np.zeros((0, len(spec.decays), spec.dim), np.float32)  # of all users from the first event on
        self.masses = np.zeros((2, self.n_users, len(spec.decays)))  # sum |w| and sum w^2
        self.states = ProfileStates.empty(self.n_users, spec.dim, bank=spec.bank)
        self.priors, self.has_prior = np.zeros((self.n_users, spec.dim), np.float16), np.zeros(self.n_users, np.bool_)

    def add(self, events: BucketEvents, chunks: Iterable[tuple[int, VectorChunk]]) -> None:
        """Add events of these users, and bios, from all vectors of the bucket."""
        for first_row, chunk in chunks:
            self._add(events, first_row, chunk)
            bios = _within(events.bio_rows, first_row, chunk)
            users = events.bio_users[bios]
            self.priors[users], self.has_prior[users] = chunk.take(events.bio_rows[bios] - first_row), True

    def built(self, population: npt.NDArray[np.float32]) -> BuiltBucket:
        """The tables; `population` as in `build_bucket`."""
        profiles = _profiles_table(self, np.where(self.has_prior[:, None], self.priors, population))
        return BuiltBucket(profiles, states_to_batch(self.states, self.user_ids, self.priors, self.has_prior))

    def _add(self, events: BucketEvents, first_row: int, chunk: VectorChunk) -> None:
        """Add the events whose vectors are in a chunk; a slice at a time, for bounded memory."""
        mine = _within(events.rows, first_row, chunk)
        for start in range(0, len(mine), _EVENTS_AT_ONCE):
            part = mine[start : start + _EVENTS_AT_ONCE]
            users, at_us, weights = events.users[part], events.at_us[part], events.weights[part]
            ages_s = age_seconds(self.spec.as_of_us, at_us)
            decayed = np.stack([d.weights(ages_s) for d in self.spec.decays], axis=1) * weights[:, None]
            vectors = chunk.take(events.rows[part] - first_row)  # by event: what follows reads memory front to back
            sums = weighted_sums(users, np.arange(len(part)), decayed, vectors, self.n_users)
            self.sums = np.add(self.sums, sums, out=self.sums) if len(self.sums) else sums
            self.masses += [self._by_user(users, power) for power in (np.abs(decayed), decayed**2)]
            self.states = self.states.add(users, at_us, weights, vectors)

    def _by_user(self, users: npt.NDArray[np.int64], weights: FloatArray) -> FloatArray:
        return np.stack([masses_by_user(users, w, self.n_users) for w in weights.T], axis=1)


def _profiles_table(totals: Totals, prior: npt.NDArray[np.floating]) -> pa.Table:
    """A row a (user, decay), users in order, decays in the order of the spec."""
    spec, states, n_users, n_decays = totals.spec, totals.states, totals.n_users, len(totals.spec.decays)
    vectors, n_effective = np.zeros((n_users, n_decays, spec.dim), np.float16), np.zeros((n_users, n_decays))
    sums = totals.sums if len(totals.sums) else np.broadcast_to(np.float32(0), vectors.shape)
    for first in range(0, n_users, _USERS_AT_ONCE):
        part = slice(first, first + _USERS_AT_ONCE)
        mass, square_mass = totals.masses[:, part]
        no_error = np.zeros_like(mass)
        read = shrink(sums[part], mass, square_mass, no_error, prior=prior[part, None], prior_weight=spec.prior_weight)
        vectors[part], n_effective[part] = read.vectors, read.n_effective
    last = pa.array(np.repeat(states.last_us, n_decays), mask=np.repeat(states.n_events == 0, n_decays))
    rows = np.repeat(np.arange(n_users), n_decays)
    columns = [
        totals.user_ids.take(pa.array(rows)),
        pa.array([d.kind for d in spec.decays] * n_users, pa.string()),
        pa.array([d.half_life_s for d in spec.decays] * n_users, pa.float64()),
        vector_array(vectors.reshape(-1, spec.dim)),
        pa.array(totals.masses[0].reshape(-1)),
        pa.array(n_effective.reshape(-1)),
        pa.array(np.repeat(states.n_events, n_decays)),
        last.cast(TIMESTAMP),
    ]
    return pa.Table.from_arrays(columns, schema=profiles_schema(spec.dim))


def _within(rows: npt.NDArray[np.int64], first_row: int, chunk: VectorChunk) -> npt.NDArray[np.int64]:
    """Which of the rows lie in the chunk, rising."""
    return np.flatnonzero((rows >= first_row) & (rows < first_row + len(chunk)))


def _rows_of(hashes: pa.ChunkedArray, known: pa.Array) -> npt.NDArray[np.int64]:
    rows, found = find_hashes(one_chunk(hashes), known)
    if not found.all():
        raise WorkspaceError(
            f"build: expected a vector for each of {len(rows)} texts, found {int(found.sum())}. The embeddings are of "
            "another corpus; run `python -m jobs.encode` again."
        )
    return rows


def type_factors(event_types: pa.ChunkedArray, spec: SnapshotSpec) -> FloatArray:
    """(n,) weight of each event's type; 1 for a type without one."""
    types = one_chunk(event_types).dictionary_encode()
    weights = [spec.type_weights.get(name, 1.0) for name in types.dictionary.to_pylist()]
    indices: npt.NDArray[np.int64] = np.asarray(types.indices, np.int64)
    return np.array(weights, np.float64)[indices]


def _joined(parts: list[npt.NDArray[Number]], of_type: type[Number]) -> npt.NDArray[Number]:
    return np.concatenate([np.empty(0, of_type), *parts])


def _positions(ids: pa.Array | pa.ChunkedArray, user_ids: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.index_in(one_chunk(ids), value_set=user_ids), np.int64)
