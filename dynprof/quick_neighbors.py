"""Similar users at a decay that nobody has asked for before, without reading everybody out first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.neighbors import NeighborIndex
from dynprof.scoring import Ranking, score, top_k
from dynprof.store import SnapshotStore

__all__ = ["QuickRanking", "quick_neighbors"]

_FEW_USERS = 1_000
_LEAST_CANDIDATES = 100


@dataclass(frozen=True)
class QuickRanking:
    """Similar users, most similar first, with exact scores.

    Attributes:
        ranking: User numbers and cosines.
        n_candidates: How many users were compared at the decay itself; None: all, so that nobody is missing.
    """

    ranking: Ranking
    n_candidates: int | None


def quick_neighbors(
    index: NeighborIndex,
    store: SnapshotStore,
    user_id: str,
    decay: Decay,
    k: int,
    *,
    profile: npt.NDArray[np.floating],
    is_hidden: Callable[[str], bool],
) -> QuickRanking:
    """The users whose profiles point the same way, among those who do so at a decay like this one.

    Candidates are the nearest at the most similar decay whose matrix is in memory; only their states are read at the
    decay that is asked for. Their scores are exact; somebody who is near only at this decay may be missing. With few
    users, or where the matrix of the decay is there, all are compared.

    Args:
        index: Of the snapshot.
        store: The snapshot.
        user_id: Whose neighbours; never among them.
        decay: Any kind, at any half-life.
        k: Number of users, > 0.
        profile: (dim,) of the user at `decay`.
        is_hidden: Users that must not come back.
    """
    anchor = index.anchor(decay)
    if anchor == decay or store.n_users <= _FEW_USERS:
        return QuickRanking(index.nearest(user_id, decay, k, profile=profile, is_hidden=is_hidden), None)
    n_candidates = max(_LEAST_CANDIDATES, 4 * k)
    near = index.nearest(user_id, anchor, n_candidates, profile=profile, is_hidden=is_hidden).rows
    if not len(near):
        return QuickRanking(Ranking(near, np.empty(0)), 0)
    read = store.profiles_of(near.tolist(), decay, store.spec.as_of_us)
    norms = np.linalg.norm(read.vectors, axis=1, keepdims=True)
    directions = np.divide(read.vectors, norms, out=np.zeros_like(read.vectors), where=norms > 0)
    cosines = score(profile, directions, metric="cosine")
    cosines[read.mass <= 0] = -np.inf
    best = top_k(cosines, k)
    return QuickRanking(Ranking(near[best], cosines[best]), len(near))
