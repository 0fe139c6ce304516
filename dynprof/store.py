"""Reading a snapshot: any user's profile, at any decay and half-life, out of memory-mapped states."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.decay import Decay
from dynprof.errors import UnknownUserError, WorkspaceError
from dynprof.keys import bucket_name, bucket_of
from dynprof.layers import CHANGES, LayeredRows
from dynprof.lineage import corpus_of
from dynprof.profile import Profiles
from dynprof.schema import states_schema
from dynprof.snapshot import SNAPSHOTS, latest_snapshot, read_spec
from dynprof.state import ProfileStates
from dynprof.state_io import priors_from_table, states_from_table
from dynprof.state_rows import StateRows
from dynprof.user_profile import KnownUser, Prior, UserProfile
from dynprof.workspace import Workspace

__all__ = ["LATEST", "SnapshotStore"]

LATEST = "latest"
"""Stands for the finished snapshot with the latest `as_of`."""


class SnapshotStore:
    """All users of one snapshot. Safe to read from several threads.

    Local states are memory-mapped: opening reads the footers and one id a record batch, replicas on a machine share
    the pages, and a million users cost no Python object each. On an object store a bucket's states are downloaded when
    the store is opened.

    Args:
        workspace: Where.
        snapshot: Name, or `latest`.

    Raises:
        SnapshotNotFoundError: No finished snapshot of that name.
        WorkspaceError: The snapshot is of another corpus than the workspace's, or states are missing.
    """

    def __init__(self, workspace: Workspace, snapshot: str = LATEST) -> None:
        self.workspace = workspace
        self.name = latest_snapshot(workspace) if snapshot == LATEST else snapshot
        self.spec, self.manifest = read_spec(workspace, self.name)
        made_of = self.manifest["corpus_id"]
        self.corpus = corpus_of(workspace, made_of, whose=(SNAPSHOTS, self.name), what="a snapshot")
        self.population = np.asarray(self.manifest["population_mean"], np.float32)
        self._base, *layers = self.layers
        opened = [self._open_layer(layer) for layer in layers]
        self._rows = [self._open_bucket(b, opened) for b in range(self.manifest["n_buckets"])]
        self._starts = [0, *accumulate(len(rows) for rows in self._rows)]
        if self.n_users != self.manifest["n_users"]:
            raise WorkspaceError(
                f"{workspace.path(SNAPSHOTS, self.name, 'states')}: expected states of {self.manifest['n_users']} "
                f"users, found {self.n_users}. Files were removed or replaced; remove the snapshot and run "
                "`python -m jobs.build` again."
            )

    @property
    def n_users(self) -> int:
        """Users in the snapshot, with and without events."""
        return self._starts[-1]

    @property
    def layers(self) -> list[str]:
        """Names of the snapshots that this one is read from: the built one, then its updates, itself last."""
        return list(self.manifest.get("layers", [self.name]))

    @property
    def n_buckets(self) -> int:
        """Number of user buckets."""
        return len(self._rows)

    @cached_property
    def default_half_life(self) -> str:
        """The half-life that most of the snapshot's profiles were built with; "30d" where all are `static`."""
        built = [str(d.half_life) for d in self.spec.decays if d.half_life is not None]
        return max(built, key=built.count, default="30d")

    def number(self, user_id: str) -> int:
        """A user's number, in [0, n_users): buckets in order, users sorted within each, those of updates behind.

        Raises:
            UnknownUserError: The snapshot has no such user.
        """
        bucket = self.bucket(user_id)
        row = None if bucket is None else self._rows[bucket].find(user_id)
        if bucket is None or row is None:
            raise UnknownUserError(f"user_id: expected a user of snapshot {self.name}, found {user_id!r}.")
        return self._starts[bucket] + row

    def bucket(self, user_id: str) -> int | None:
        """The bucket that a user is or would be in; None for what is no Unicode text and thus no id."""
        try:
            return bucket_of(user_id, self.n_buckets)
        except UnicodeEncodeError:
            return None

    def user_id(self, number: int) -> str:
        """The inverse of `number`."""
        return str(self._row(number)["user_id"][0].as_py())

    def profile(self, user_id: str, decay: Decay, as_of_us: int) -> UserProfile:
        """Read one user's profile.

        Args:
            user_id: Whose.
            decay: Any kind, at any half-life.
            as_of_us: Microseconds since 1970; events at or after it do not count.

        Raises:
            UnknownUserError: The snapshot has no such user.
            AsOfError: The user has sums instead of events, and the time is not after the last of them.
        """
        return self.user(user_id).profile(decay, as_of_us)

    def user(self, user_id: str) -> KnownUser:
        """What is kept of one user.

        Raises:
            UnknownUserError: The snapshot has no such user.
        """
        number = self.number(user_id)
        bucket = bisect_left(self._starts, number + 1) - 1
        states, bio = self._rows[bucket].user(number - self._starts[bucket])
        prior_kind: Prior = "population" if bio is None else "bio"
        prior = self.population if bio is None else bio.astype(np.float32)
        return KnownUser(states, prior, prior_kind, self.spec.prior_weight)

    def profiles(self, decay: Decay, as_of_us: int) -> Iterator[Profiles]:
        """Read everybody's profile, a record batch at a time, users by number. Arguments as in `profile`."""
        for rows in self._rows:
            for batch in rows.read():
                read = self._read(batch.rows, self._states(batch.rows), decay, as_of_us)
                if batch.merged is not None:
                    now = self._read(batch.merged, self._states(batch.merged), decay, as_of_us)
                    for name in ("vectors", "mass", "n_effective", "error_bound"):
                        getattr(read, name)[batch.changed] = getattr(now, name)
                yield read

    def profiles_of(self, numbers: Sequence[int], decay: Decay, as_of_us: int) -> Profiles:
        """Read some users' profiles at once, in the order of `numbers`. Other arguments as in `profile`."""
        rows = pa.Table.from_batches([self._row(number) for number in numbers], states_schema(self.spec.dim))
        return self._read(rows, self._states(rows), decay, as_of_us)

    def rows(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of everybody's state, a record batch at a time, users by number."""
        for rows in self._rows:
            yield from rows.columns(columns)

    def knows(self, bucket: int, user_ids: pa.Array) -> npt.NDArray[np.bool_]:
        """(n,) whether the snapshot has each of some users of one bucket."""
        return self._rows[bucket].knows(user_ids)

    def bucket_sizes(self) -> list[int]:
        """Users of each bucket."""
        return [len(rows) for rows in self._rows]

    def _row(self, number: int) -> pa.RecordBatch:
        bucket = bisect_left(self._starts, number + 1) - 1
        return self._rows[bucket].slice(number - self._starts[bucket])

    def _states(self, rows: pa.Table | pa.RecordBatch) -> ProfileStates:
        return states_from_table(rows, self.spec.bank, self.spec.dim)

    def _read(self, rows: pa.Table | pa.RecordBatch, states: ProfileStates, decay: Decay, as_of_us: int) -> Profiles:
        priors = priors_from_table(rows, self.population)
        return states.profile(decay, as_of_us, prior=priors, prior_weight=self.spec.prior_weight)

    def _open_bucket(self, bucket: int, layers: list[pa.ipc.RecordBatchFileReader]) -> LayeredRows:
        """A bucket without users may have no file; the count of users tells when one is missing."""
        parts = (SNAPSHOTS, self._base, "states", bucket_name(bucket, "arrow"))
        base = StateRows([])
        if self.workspace.exists(*parts):
            reader = self.workspace.open_ipc(*parts)
            base = StateRows([reader.get_batch(i) for i in range(reader.num_record_batches)])
        return LayeredRows(base, [layer.get_batch(bucket) for layer in layers], self.spec.bank, self.spec.dim)

    def _open_layer(self, name: str) -> pa.ipc.RecordBatchFileReader:
        try:
            return self.workspace.open_ipc(SNAPSHOTS, name, CHANGES)
        except FileNotFoundError as error:
            raise WorkspaceError(
                f"{self.workspace.path(SNAPSHOTS, name, CHANGES)}: expected a layer of snapshot {self.name}, found no "
                "file. It was removed; run `python -m jobs.build`, which needs no layers."
            ) from error
