"""One user bucket from events and vectors to profiles and states. No cluster needed; `jobs.build` runs one a task."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embeddings import VectorChunk
from dynprof.errors import WorkspaceError
from dynprof.keys import text_shards
from dynprof.profile import age_seconds, masses_by_user, shrink
from dynprof.schema import TIMESTAMP, profiles_schema
from dynprof.snapshot import SnapshotSpec
from dynprof.state import ProfileStates
from dynprof.state_io import states_to_batch
from dynprof.sums import weighted_sums
from dynprof.vectors import one_chunk, vector_array

__all__ = ["BucketEvents", "BuiltBucket", "build_bucket", "sum_of_events"]

FloatArray = npt.NDArray[np.float64]

_EVENTS_AT_ONCE = 131_072


@dataclass(frozen=True)
class BucketEvents:
    """The events of one bucket that count and carry a vector, with all its users.

    Attributes:
        user_ids: (n_users,) sorted; every user with an event before `as_of` or a row in the users table.
        users: (n,) index into `user_ids`, rising.
        at_us: (n,) microseconds since 1970, < as_of.
        weights: (n,) event weight x type weight.
        text_hash: (n,) 16 bytes.
        bio_users: (n_bios,) index into `user_ids`, rising: users with a bio.
        bio_hash: (n_bios,) 16 bytes.
    """

    user_ids: pa.Array
    users: npt.NDArray[np.int64]
    at_us: npt.NDArray[np.int64]
    weights: FloatArray
    text_hash: pa.Array
    bio_users: npt.NDArray[np.int64]
    bio_hash: pa.Array

    @classmethod
    def select(cls, events: pa.Table, bios: pa.Table, spec: SnapshotSpec) -> BucketEvents:
        """Events strictly before `as_of` that have a text, weighted by their type.

        Args:
            events: user_id, timestamp, event_type, text_hash, weight of `schema.EVENTS`, sorted by user.
            bios: user_id, text_hash of `schema.BIOS`.
            spec: What the profiles mean.
        """
        events = events.filter(pc.less(events["timestamp"].cast(pa.int64()), spec.as_of_us))
        ids = pc.unique(pa.chunked_array([*events["user_id"].chunks, *bios["user_id"].chunks], pa.string()))
        user_ids = ids.take(pc.array_sort_indices(ids))
        events = events.filter(pc.is_valid(events["text_hash"])).combine_chunks()
        bios = bios.filter(pc.is_valid(bios["text_hash"])).combine_chunks()
        return cls(
            user_ids,
            _positions(events["user_id"], user_ids),
            np.asarray(events["timestamp"].cast(pa.int64())),
            np.asarray(events["weight"], np.float64) * _type_factors(events["event_type"], spec),
            one_chunk(events["text_hash"]),
            _positions(bios["user_id"], user_ids),
            one_chunk(bios["text_hash"]),
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
            self.text_hash[e],
            self.bio_users[b] - first,
            self.bio_hash[b],
        )


@dataclass(frozen=True)
class BuiltBucket:
    """Tables of one bucket, users in order of their ids."""

    profiles: pa.Table
    states: pa.RecordBatch


def build_bucket(
    events: BucketEvents,
    chunks: Iterable[VectorChunk],
    spec: SnapshotSpec,
    *,
    n_shards: int,
    population: npt.NDArray[np.float32],
) -> BuiltBucket:
    """Profiles at every decay of `spec` (exact path) and states, from vectors that stream by.

    The sums commute, so events are added in the order in which their vectors come: memory is bounded by users, one
    chunk of vectors and a slice of events; of all the events only the columns of `BucketEvents` are held.

    Args:
        events: What to sum.
        chunks: The vectors, shards in order; every event's text must be among them.
        spec: What the profiles mean.
        n_shards: Number of embedding shards.
        population: (dim,) prior of users without a bio.

    Raises:
        WorkspaceError: A text has no vector.
    """
    n_users = len(events.user_ids)
    totals = _Totals(n_users, spec)
    priors, has_prior = np.zeros((n_users, spec.dim), np.float16), np.zeros(n_users, np.bool_)
    by_event, by_bio = _by_shard(events.text_hash, n_shards), _by_shard(events.bio_hash, n_shards)
    n_found = 0
    for chunk in chunks:
        mine, rows = _within(chunk, events.text_hash, *by_event)
        totals.add(events, mine, rows, chunk.vectors)
        bios, bio_rows = _within(chunk, events.bio_hash, *by_bio)
        with_bio = events.bio_users[bios]
        priors[with_bio], has_prior[with_bio] = chunk.vectors[bio_rows], True
        n_found += len(mine) + len(bios)
    if n_found < len(events.users) + len(events.bio_users):
        raise WorkspaceError(
            f"build: expected a vector for each of {len(events.users)} events and {len(events.bio_users)} bios, found "
            f"{n_found}. The embeddings are of another corpus; run `python -m jobs.encode` again."
        )
    prior = np.where(has_prior[:, None], priors, population)
    profiles = _profiles_table(events.user_ids, totals, prior)
    return BuiltBucket(profiles, states_to_batch(totals.states, events.user_ids, priors, has_prior))


class _Totals:
    """What is known of the users of a bucket so far."""

    def __init__(self, n_users: int, spec: SnapshotSpec) -> None:
        self.n_users, self.spec = n_users, spec
        self.sums = np.zeros((0, len(spec.decays), spec.dim), np.float32)  # of all users from the first event on
        self.masses = np.zeros((2, n_users, len(spec.decays)))  # sum |w| and sum w^2
        self.states = ProfileStates.empty(n_users, spec.dim, bank=spec.bank)

    def add(
        self,
        events: BucketEvents,
        mine: npt.NDArray[np.int64],
        rows: npt.NDArray[np.int64],
        vectors: npt.NDArray[np.float16],
    ) -> None:
        """Add some events, rising, whose vectors are the `rows` of `vectors`; a slice at a time, for bounded memory."""
        for start in range(0, len(mine), _EVENTS_AT_ONCE):
            part, row = mine[start : start + _EVENTS_AT_ONCE], rows[start : start + _EVENTS_AT_ONCE]
            users, at_us, weights = events.users[part], events.at_us[part], events.weights[part]
            ages_s = age_seconds(self.spec.as_of_us, at_us)
            decayed = np.stack([d.weights(ages_s) for d in self.spec.decays], axis=1) * weights[:, None]
            half = vectors[row]  # in the order of the events: what follows reads memory from front to back
            sums = weighted_sums(users, np.arange(len(row)), decayed, half.astype(np.float32), self.n_users)
            self.sums = np.add(self.sums, sums, out=self.sums) if len(self.sums) else sums
            self.masses += [self._by_user(users, power) for power in (np.abs(decayed), decayed**2)]
            self.states = self.states.add(users, at_us, weights, half)

    def _by_user(self, users: npt.NDArray[np.int64], weights: FloatArray) -> FloatArray:
        return np.stack([masses_by_user(users, w, self.n_users) for w in weights.T], axis=1)


def sum_of_events(
    events: BucketEvents, chunks: Iterable[VectorChunk], dim: int, *, n_shards: int
) -> npt.NDArray[np.float64]:
    """(dim,) sum of the vectors of all events, unweighted: what the population's mean is made of."""
    order, bounds = _by_shard(events.text_hash, n_shards)
    total = np.zeros(dim)
    for chunk in chunks:
        _, rows = _within(chunk, events.text_hash, order, bounds)
        total += np.bincount(rows, minlength=len(chunk.vectors)) @ np.asarray(chunk.vectors, np.float32)
    return total


def _profiles_table(user_ids: pa.Array, totals: _Totals, prior: npt.NDArray[np.floating]) -> pa.Table:
    """A row a (user, decay), users in order, decays in the order of the spec."""
    spec, states, n_users, n_decays = totals.spec, totals.states, totals.n_users, len(totals.spec.decays)
    sums = totals.sums if len(totals.sums) else np.zeros((n_users, n_decays, spec.dim), np.float32)
    mass, square_mass = totals.masses
    no_error = np.zeros_like(mass)
    read = shrink(sums, mass, square_mass, no_error, prior=prior[:, None], prior_weight=spec.prior_weight)
    last = pa.array(np.repeat(states.last_us, n_decays), mask=np.repeat(states.n_events == 0, n_decays))
    rows = np.repeat(np.arange(n_users), n_decays)
    columns = [
        user_ids.take(pa.array(rows)),
        pa.array([d.kind for d in spec.decays] * n_users, pa.string()),
        pa.array([d.half_life_s for d in spec.decays] * n_users, pa.float64()),
        vector_array(read.vectors.reshape(-1, spec.dim)),
        pa.array(read.mass.reshape(-1)),
        pa.array(read.n_effective.reshape(-1)),
        pa.array(np.repeat(states.n_events, n_decays)),
        last.cast(TIMESTAMP),
    ]
    return pa.Table.from_arrays(columns, schema=profiles_schema(spec.dim))


def _by_shard(hashes: pa.Array, n_shards: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Order of the texts by shard, and where each shard begins and ends in it."""
    shards = text_shards(hashes, n_shards)
    order = np.argsort(shards, kind="stable")
    return order, np.searchsorted(shards[order], np.arange(n_shards + 1))


def _within(
    chunk: VectorChunk, hashes: pa.Array, order: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The positions in `hashes` whose vector is in the chunk, rising, and the vectors' rows."""
    candidates = np.sort(order[bounds[chunk.first_shard] : bounds[chunk.last_shard + 1]])
    rows, found = chunk.rows(hashes.take(pa.array(candidates)))
    return candidates[found], rows[found]


def _type_factors(event_types: pa.ChunkedArray, spec: SnapshotSpec) -> FloatArray:
    """(n,) weight of each event's type; 1 for a type without one."""
    types = one_chunk(event_types).dictionary_encode()
    weights = [spec.type_weights.get(name, 1.0) for name in types.dictionary.to_pylist()]
    indices: npt.NDArray[np.int64] = np.asarray(types.indices, np.int64)
    return np.array(weights, np.float64)[indices]


def _positions(ids: pa.ChunkedArray, user_ids: pa.Array) -> npt.NDArray[np.int64]:
    return np.asarray(pc.index_in(one_chunk(ids), value_set=user_ids), np.int64)
