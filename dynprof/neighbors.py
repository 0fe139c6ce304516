"""Similar users: everybody's profile at one decay as a matrix, and its rows closest to one of them."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from dynprof.decay import Decay
from dynprof.errors import UnknownUserError, WorkspaceError
from dynprof.keys import bucket_name
from dynprof.schema import profiles_schema
from dynprof.scoring import Ranking, score, top_k
from dynprof.snapshot import SNAPSHOTS
from dynprof.store import SnapshotStore
from dynprof.vectors import matrix_of

__all__ = ["DEFAULT_CACHE_BYTES", "NeighborIndex", "UserMatrix"]

DEFAULT_CACHE_BYTES = 2 << 30
"""Of user matrices; a million users of 384 dimensions are 1.5 GB a decay. The one in use is kept even if larger."""


@dataclass(frozen=True)
class UserMatrix:
    """Directions of all users' profiles at one decay, as of the snapshot's time.

    Attributes:
        vectors: (n_users, dim) float32, norm 1 (or 0).
        mass: (n_users,) sum |w|.
    """

    vectors: npt.NDArray[np.float32]
    mass: npt.NDArray[np.float64]

    @property
    def size_bytes(self) -> int:
        """Memory of both arrays."""
        return self.vectors.nbytes + self.mass.nbytes

    @classmethod
    def load(cls, store: SnapshotStore, decay: Decay) -> UserMatrix:
        """From the profiles on disk where the snapshot was built with this decay, else read out of the states.

        Raises:
            WorkspaceError: A table of profiles is missing or incomplete.
        """
        matrix = cls(np.empty((store.n_users, store.spec.dim), np.float32), np.empty(store.n_users))
        start = 0
        for vectors, mass in _stored(store, decay) if _is_stored(store, decay) else _read_out(store, decay):
            stop = start + len(mass)
            norms = np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True)
            np.divide(vectors, np.where(norms > 0, norms, 1), out=matrix.vectors[start:stop])
            matrix.mass[start:stop] = mass
            start = stop
        return matrix


class NeighborIndex:
    """Exact nearest users at any decay. Safe to use from several threads.

    The first question at a decay loads or computes the matrix of all users; those asked for last are kept, up to
    `cache_bytes` together.
    """

    def __init__(self, store: SnapshotStore, *, cache_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._store = store
        self.cache_bytes = cache_bytes
        self._matrices: OrderedDict[Decay, UserMatrix] = OrderedDict()
        self._lock = Lock()
        self._loading = Lock()

    def nearest(
        self,
        user_id: str,
        decay: Decay,
        k: int,
        *,
        profile: npt.NDArray[np.floating] | None = None,
        is_hidden: Callable[[str], bool] = lambda _: False,
    ) -> Ranking:
        """The users whose profiles point the same way, as of the snapshot's time.

        Args:
            user_id: Whose neighbours. May be without events: then the prior is compared.
            decay: Any kind, at any half-life.
            k: Number of users, > 0; fewer come back when there are fewer.
            profile: (dim,) of the user where it is newer than the snapshot's.
            is_hidden: Users that must not come back; others take their place.

        Returns:
            User numbers and cosines. Never the user itself, nor a user without mass: those have only a prior.

        Raises:
            UnknownUserError: The snapshot has no such user, and no profile was given.
        """
        number = self._number(user_id, required=profile is None)
        users = self.matrix(decay)
        cosines = score(users.vectors[number] if profile is None else profile, users.vectors, metric="cosine")
        cosines[users.mass <= 0] = -np.inf
        if number is not None:
            cosines[number] = -np.inf
        best = top_k(cosines, k)
        while hidden := [n for n in best.tolist() if is_hidden(self._store.user_id(n))]:
            cosines[hidden] = -np.inf
            best = top_k(cosines, k)
        return Ranking(best, cosines[best])

    def anchor(self, decay: Decay) -> Decay:
        """The decay most like this one whose matrix is in memory; where none is, one of the snapshot's own."""
        with self._lock:
            kept = list(self._matrices)
        return min(kept or self._store.spec.decays, key=lambda other: _unlikeness(decay, other))

    def _number(self, user_id: str, *, required: bool) -> int | None:
        try:
            return self._store.number(user_id)
        except UnknownUserError:
            if required:
                raise
            return None

    def matrix(self, decay: Decay) -> UserMatrix:
        """Everybody's profile at a decay: loaded or computed by the first question, then kept for a while."""
        if (kept := self._kept(decay)) is not None:
            return kept
        with self._loading:  # one at a time: bounds the memory, and nobody computes what another just did
            if (kept := self._kept(decay)) is not None:
                return kept
            return self._keep(decay, UserMatrix.load(self._store, decay))

    def _kept(self, decay: Decay) -> UserMatrix | None:
        with self._lock:
            if decay in self._matrices:
                self._matrices.move_to_end(decay)
            return self._matrices.get(decay)

    def _keep(self, decay: Decay, matrix: UserMatrix) -> UserMatrix:
        with self._lock:
            self._matrices[decay] = matrix
            while len(self._matrices) > 1 and sum(m.size_bytes for m in self._matrices.values()) > self.cache_bytes:
                self._matrices.popitem(last=False)
        return matrix


def _unlikeness(a: Decay, b: Decay) -> tuple[bool, float, bool]:
    """Smallest for equal decays, then for those of a like half-life, and of the same kind."""
    both = a.half_life_s is not None and b.half_life_s is not None
    apart = abs(math.log((a.half_life_s or 1) / (b.half_life_s or 1))) if both else math.inf
    return a != b, apart, a.kind != b.kind


def _is_stored(store: SnapshotStore, decay: Decay) -> bool:
    """True when the tables hold this decay and nothing that looks like it: they name kind and half-life alone.

    An update writes no table: every profile in it would be another one.
    """
    if len(store.layers) > 1:
        return False
    alike = [d for d in store.spec.decays if (d.kind, d.half_life_s) == (decay.kind, decay.half_life_s)]
    return alike == [decay]


def _stored(store: SnapshotStore, decay: Decay) -> Iterator[tuple[npt.NDArray[np.floating], npt.NDArray[np.float64]]]:
    """Vectors and masses of each bucket, from its table of profiles."""
    of_decay = pc.field("kind") == decay.kind
    if decay.half_life_s is not None:
        of_decay &= pc.field("half_life_s") == decay.half_life_s
    for bucket, n_users in enumerate(store.bucket_sizes()):
        parts = (SNAPSHOTS, store.name, "profiles", bucket_name(bucket))
        if not n_users:
            continue
        table = profiles_schema(store.spec.dim).empty_table()
        if store.workspace.exists(*parts):
            table = store.workspace.read_parquet(*parts, columns=["profile", "mass"], filters=of_decay)
        if len(table) != n_users:
            raise WorkspaceError(
                f"{store.workspace.path(*parts)}: expected {decay.kind} profiles of {n_users} users, found "
                f"{len(table)}. Remove the snapshot and run `python -m jobs.build` again."
            )
        yield matrix_of(table["profile"]), np.asarray(table["mass"])


def _read_out(store: SnapshotStore, decay: Decay) -> Iterator[tuple[npt.NDArray[np.floating], npt.NDArray[np.float64]]]:
    """Vectors and masses of each record batch, out of the states."""
    for profiles in store.profiles(decay, store.spec.as_of_us):
        yield profiles.vectors, profiles.mass
