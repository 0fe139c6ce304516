"""A/A replay: both snapshots once more, from a log in which nothing but the order of each user's posts is another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.drift.trail import Trail
from dynprof.profile import age_seconds, shrink

__all__ = ["reordered", "replay_pairs"]

IntArray = npt.NDArray[np.int64]
Matrix = npt.NDArray[np.float32]


def reordered(at_us: IntArray, stretch: tuple[int, int], block_us: int, rng: np.random.Generator) -> IntArray:
    """Which interaction's vector comes when: a permutation of those within a stretch, whole blocks kept together.

    Args:
        at_us: (n,) never falling.
        stretch: First microsecond, and the first after; what lies outside stays where it is.
        block_us: Interactions of one block keep their order: what a user does in one go belongs together.
        rng: Source of the order.
    """
    order = np.arange(len(at_us))
    inside = slice(*np.searchsorted(at_us, stretch, side="left"))
    _, block = np.unique(at_us[inside] // block_us, return_inverse=True)
    keys = rng.permutation(int(block.max(initial=-1)) + 1)
    order[inside] = order[inside][np.argsort(keys[block], kind="stable")]
    return order


def replay_pairs(
    trail: Trail,
    as_of_us: tuple[int, int],
    decay: Decay,
    *,
    prior: Matrix,
    prior_weight: float,
    stretch: tuple[int, int],
    block_us: int,
    n_replays: int,
    seed: tuple[int, ...],
) -> Matrix:
    """The profiles at two times, as they could have been had the user gone on as before.

    Vectors change places, times and weights stay: mass and n_effective are those of the log.

    Args:
        trail: Interactions before the later time.
        as_of_us: The earlier and the later time.
        decay: f.
        prior: (2, dim) norm <= 1: each snapshot has a population's mean of its own.
        prior_weight: kappa.
        stretch: See `reordered`.
        block_us: See `reordered`.
        n_replays: R.
        seed: Of the orders.

    Returns:
        (R, 2, dim) float32.
    """
    rng = np.random.default_rng(seed)
    when = np.array(as_of_us)[:, None]
    decayed = trail.weights * decay.weights(age_seconds(when, trail.at_us[None, :]))
    decayed[trail.at_us[None, :] >= when] = 0.0
    placed = np.empty((n_replays, 2, len(trail)), np.float32)
    for replay in range(n_replays):
        placed[replay][:, reordered(trail.at_us, stretch, block_us, rng)] = decayed
    sums = placed.reshape(2 * n_replays, -1) @ trail.vectors
    mass, square = (np.tile(a.sum(axis=1), n_replays) for a in (np.abs(decayed), np.square(decayed)))
    priors = np.tile(prior, (n_replays, 1))
    made = shrink(sums, mass, square, np.zeros(len(mass)), prior=priors, prior_weight=prior_weight)
    return np.asarray(made.vectors.reshape(n_replays, 2, -1), np.float32)
