"""Why the ranker gave an item its score: what the score would be without each of the user's events, computed again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.bank import Bank
from dynprof.history import History
from dynprof.profile import age_seconds
from dynprof.ranker.affinity import Affinity
from dynprof.ranker.content import Content
from dynprof.ranker.features import describe, feature_names
from dynprof.ranker.past import Past
from dynprof.ranker.served import ServedRanker
from dynprof.sources import Words

__all__ = ["HistorySums", "RankedReason", "explain_ranked"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RankedReason:
    """Why one item has its score. `base + others + shares.sum()` is the score, exactly.

    A network is not linear: an event's share is the score less the score without it, and what events do together is in
    `others`.

    Attributes:
        score: Of the exact profiles, every event weighed.
        base: What the item would score for somebody without events.
        others: The rest.
        events: (m,) positions in the history, the largest share without its sign first.
        shares: (m,) score less `without`.
        similarities: (m,) vector of the event . vector of the item.
        without: (m,) the score if that event had not been.
        features: What the network saw, by name.
    """

    score: float
    base: float
    others: float
    events: IntArray
    shares: FloatArray
    similarities: FloatArray
    without: FloatArray
    features: dict[str, float]


def explain_ranked(
    ranker: ServedRanker,
    history: History,
    user_id: str | None,
    as_of_us: int,
    numbers: IntArray,
    vectors: npt.NDArray[np.floating],
    *,
    n_events: int,
    words: Words | None = None,
) -> list[RankedReason]:
    """Take the scores of some items apart. Looks at the user's latest events, one score an event and item.

    Args:
        ranker: Who scored.
        history: All events of the user.
        user_id: See `ServedRanker.past_of_history`.
        as_of_us: Microseconds since 1970.
        numbers: (k,) items.
        vectors: (k, dim) of them.
        n_events: Most events to list an item.
        words: See `ServedRanker.past_of_history`.
    """
    past, positions = ranker.past_of_history(history, as_of_us, user_id, words)
    sums = HistorySums(ranker.bank, history, as_of_us)
    content, affinity = sums.content(positions), Affinity.of(past)
    features = describe(past, affinity, content, numbers, vectors)
    scores = ranker.score(past, affinity, content, numbers, vectors).astype(np.float64)
    without = np.empty((len(positions), len(numbers)))
    for place, position in enumerate(positions.tolist()):
        left, content = past.without(place), sums.content(np.delete(positions, place), without=position)
        without[place] = ranker.score(left, Affinity.of(left), content, numbers, vectors)
    nobody = Past(past.traces, past.user, as_of_us, past.at_us[:0], past.items[:0], 0)
    base = ranker.score(nobody, Affinity.of(nobody), sums.nothing(), numbers, vectors).astype(np.float64)
    names, found = feature_names(ranker.bank), []
    for item in range(len(numbers)):
        shares = scores[item] - without[:, item]
        chosen = np.argsort(-np.abs(shares), kind="stable")[:n_events]
        chosen = chosen[shares[chosen] != 0]
        rows = history.rows[positions[chosen]]
        found.append(
            RankedReason(
                score=float(scores[item]),
                base=float(base[item]),
                others=float(scores[item] - base[item] - shares[chosen].sum()),
                events=positions[chosen],
                shares=shares[chosen],
                similarities=history.vectors[rows].astype(np.float64) @ vectors[item].astype(np.float64),
                without=without[chosen, item],
                features=dict(zip(names, features[item].astype(float).tolist(), strict=True)),
            )
        )
    return found


class HistorySums:
    """The decayed sums of a history at every half-life of a bank, and what they are without one event.

    Args:
        bank: Half-lives.
        history: All events of a user.
        as_of_us: Microseconds since 1970.
    """

    def __init__(self, bank: Bank, history: History, as_of_us: int) -> None:
        self._history = history
        before = history.at_us < as_of_us
        self._last_us = int(history.at_us[before].max(initial=0))
        # As of the last event: an exponential profile does not turn while its user is idle, and nothing underflows.
        ages = np.maximum(age_seconds(self._last_us, history.at_us), 0)
        self._factors = bank.factors(ages) * (history.weights * before)[:, None]
        self._aged = bank.factors(age_seconds(as_of_us, np.array([self._last_us])))[0]
        per_row = np.stack([np.bincount(history.rows, f, len(history.vectors)) for f in self._factors.T])
        self._sums = np.asarray(per_row @ history.vectors.astype(np.float64), np.float64)
        self._masses = np.abs(self._factors).sum(axis=0)

    def nothing(self) -> Content:
        """Of somebody without events."""
        return Content.of(np.zeros_like(self._sums), np.zeros_like(self._masses), None)

    def content(self, past: IntArray, without: int | None = None) -> Content:
        """Of all events, or of all but one.

        Args:
            past: (m,) positions of the user's past, the last of which is the last item.
            without: Position of an event that is not to have been.
        """
        sums, masses = self._sums, self._masses
        if without is not None:
            factors = self._factors[without]
            sums = sums - np.outer(factors, np.asarray(self._history.vectors[self._history.rows[without]], np.float64))
            masses = np.maximum(masses - np.abs(factors), 0)
            sums[np.linalg.norm(sums, axis=1) <= 1e-9 * np.abs(factors)] = 0.0
        last = self._history.vectors[self._history.rows[past[-1]]] if len(past) else None
        return Content.of(sums, masses * self._aged, last)
