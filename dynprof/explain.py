"""Explanation: which of the user's own events carry the score of an item, and what it would be without each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.history import History
from dynprof.recommend import Metric

__all__ = ["Explanation", "explain"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Explanation:
    """Why one item has its score. `base + prior + others + contributions.sum()` is the score, exactly.

    Attributes:
        score: Of the exact profile, every event weighed.
        base: What every item of that age gets: of `cosine_time` half the time weight, else 0.
        prior: The share of the prior.
        others: The share of all events that are not listed.
        events: (m,) positions in the history, the largest share without its sign first.
        contributions: (m,) share of each of them; negative where it speaks against the item.
        weights: (m,) decayed weight of each.
        similarities: (m,) vector of the event . vector of the item.
        without: (m,) the score if that event had not been.
    """

    score: float
    base: float
    prior: float
    others: float
    events: IntArray
    contributions: FloatArray
    weights: FloatArray
    similarities: FloatArray
    without: FloatArray


@dataclass(frozen=True)
class _Sums:
    """sum w f e + kappa prior, (dim,), and sum |w| f + kappa."""

    vector: FloatArray
    total: float


def explain(
    history: History,
    decay: Decay,
    as_of_us: int,
    *,
    prior: npt.NDArray[np.floating],
    prior_weight: float,
    items: npt.NDArray[np.floating],
    metric: Metric,
    time_weights: FloatArray,
    n_events: int,
) -> list[Explanation]:
    """Take the scores of some items apart.

    A profile is a weighted sum of events and prior, divided by a number that all of them share; a score is linear in
    that sum once the divisor (the total weight for `basic`, the length of the sum for the others) is fixed. So every
    event has a share, and the shares add up to the score. Leaving an event out changes the divisor too, which is why
    the score without it is computed anew.

    Args:
        history: The user's events.
        decay: f.
        as_of_us: Microseconds since 1970; events at or after it have no share.
        prior: (dim,).
        prior_weight: kappa >= 0.
        items: (k, dim) norm 1 (or 0).
        metric: As in `recommend.score`.
        time_weights: (k,) f_item(age), used by `cosine_time`.
        n_events: Most events to list an item.

    Returns:
        One explanation an item.
    """
    weights = history.decayed(decay, as_of_us)
    bare = prior_weight * np.asarray(prior, np.float64)
    sums = _Sums(_weighted(history, weights) + bare, float(np.abs(weights).sum()) + prior_weight)
    wide = np.asarray(items, np.float64)
    similarities = (np.asarray(history.vectors, np.float32) @ wide.T.astype(np.float32)).astype(np.float64)
    found = []
    for number, item in enumerate(wide):
        scale, base = _linear(sums, metric, float(time_weights[number]))
        shares = weights * similarities[history.rows, number] * scale
        chosen = _largest(shares, n_events)
        exact = np.asarray(history.vectors[history.rows[chosen]], np.float64) @ item  # listed ones in full precision
        shares[chosen] = weights[chosen] * exact * scale
        score, of_prior = base + float(sums.vector @ item) * scale, float(bare @ item) * scale
        others = score - base - of_prior - float(shares[chosen].sum())
        without = _without(history, weights, chosen, sums, item, metric, float(time_weights[number]))
        found.append(
            Explanation(score, base, of_prior, others, chosen, shares[chosen], weights[chosen], exact, without)
        )
    return found


def _weighted(history: History, weights: FloatArray) -> FloatArray:
    """Sum w e: the weights of each distinct vector first, so that no vector is widened twice."""
    per_row = np.bincount(history.rows, weights, len(history.vectors))
    total = np.zeros(history.vectors.shape[1])
    for start in range(0, len(per_row), 4096):
        part = slice(start, start + 4096)
        total += per_row[part] @ np.asarray(history.vectors[part], np.float64)
    return total


def _linear(sums: _Sums, metric: Metric, time_weight: float) -> tuple[float, float]:
    """Factor and constant of `score = factor * (sum . item) + constant`."""
    if metric == "basic":
        return (1 / sums.total if sums.total > 0 else 0.0), 0.0
    norm = float(np.linalg.norm(sums.vector))
    factor = 1 / norm if norm > 0 else 0.0
    return (factor, 0.0) if metric == "cosine" else (factor * time_weight / 2, time_weight / 2)


def _largest(shares: FloatArray, n: int) -> IntArray:
    """Positions of the n largest shares by size, without those that are 0."""
    order = np.argsort(-np.abs(shares), kind="stable")[:n]
    return np.asarray(order[shares[order] != 0], np.int64)


def _without(
    history: History,
    weights: FloatArray,
    events: IntArray,
    sums: _Sums,
    item: FloatArray,
    metric: Metric,
    time_weight: float,
) -> FloatArray:
    """(m,) the score without each of some events."""
    vectors = np.asarray(history.vectors[history.rows[events]], np.float64)
    scores = np.empty(len(events))
    alone = np.count_nonzero(weights) == 1
    for place, event in enumerate(events.tolist()):
        weight = float(weights[event])
        left = _Sums(sums.vector - weight * vectors[place], sums.total - abs(weight))
        scale, base = _linear(left, metric, time_weight)
        # Of one event and no prior nothing is left but rounding, which has no direction.
        nothing = alone and not np.any(np.abs(left.vector) > 1e-12 * abs(weight))
        scores[place] = base + (0.0 if nothing else float(left.vector @ item) * scale)
    return scores
