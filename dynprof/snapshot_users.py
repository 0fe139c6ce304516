"""Users as one snapshot has them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.history import History, HistoryReader, WeightedTimes
from dynprof.seen import SeenTexts
from dynprof.store import SnapshotStore
from dynprof.user_profile import KnownUser

__all__ = ["SnapshotUsers"]


class SnapshotUsers:
    """A `sources.UserSource` over a snapshot and the corpus that it was built from.

    Args:
        store: The snapshot.

    Raises:
        WorkspaceError: The embeddings are not those of the snapshot's corpus.
    """

    def __init__(self, store: SnapshotStore) -> None:
        self._store = store
        self._histories = HistoryReader(store)
        self._seen = SeenTexts(store.workspace, store.n_buckets, segments=store.corpus.segments)

    @property
    def as_of_us(self) -> int:
        """The time of the snapshot."""
        return self._store.spec.as_of_us

    @property
    def population(self) -> npt.NDArray[np.float32]:
        """(dim,) prior of users without a bio."""
        return self._store.population

    @property
    def prior_weight(self) -> float:
        """kappa, in units of event weight."""
        return self._store.spec.prior_weight

    def user(self, user_id: str) -> KnownUser:
        """State and prior.

        Raises:
            UnknownUserError: The snapshot has no such user.
        """
        return self._store.user(user_id)

    def times(self, user_id: str) -> WeightedTimes:
        """When and how heavy the user's events were."""
        return self._histories.times(user_id)

    def history(self, user_id: str) -> History:
        """The user's events with their vectors."""
        return self._histories.read(user_id)

    def seen(self, user_id: str, as_of_us: int) -> npt.NDArray[np.uint64]:
        """(n, 2) hashes of the texts of the user's events strictly before a time."""
        if self._store.bucket(user_id) is None:
            return np.empty((0, 2), np.uint64)
        return self._seen.before(user_id, as_of_us)
