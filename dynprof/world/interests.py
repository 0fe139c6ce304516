"""What every user cares about and when that changes: the truth that profiles are held to.

Interests are constant within a phase. Who is stable has one phase, who changes abruptly has two that share no topic,
who drifts goes from one pair of topics to another in equal steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dynprof.world.lexicon import TOPICS
from dynprof.world.people import People
from dynprof.world.spec import Stream, WorldSpec

__all__ = ["CHANGES", "MAX_TOPICS", "Interests", "draw_interests"]

CHANGES = ("stable", "abrupt", "drift")
MAX_TOPICS = 4
DRIFT_STEPS = 6
SECOND_US = 1_000_000

_CHANGE_SHARES = np.array([0.5, 0.3, 0.2])
_N_TOPICS_SHARES = np.array([0.25, 0.35, 0.25, 0.15])
_TOPIC_SKEW = 0.4
"""The topic of rank r is drawn in proportion to r**-0.4: the first four times as often as the last of 24."""

_USERS_A_BLOCK = 65_536


@dataclass(frozen=True)
class Interests:
    """Phases of all users, sorted by user, then time.

    Attributes:
        user: (n_phases,) number of the user.
        start_us: (n_phases,) microseconds after the world's start, whole seconds; the user's first phase starts at 0.
        until_us: (n_phases,) the start of the next, or the world's end.
        topics: (n_phases, 4) numbers of topics.
        shares: (n_phases, 4) share of the user's interest in each; sums to 1; 0 for an unused place.
        change: (n_users,) number in `CHANGES`.
        first: (n_users,) the user's first phase.
        span_us: Length of the world.
    """

    user: npt.NDArray[np.int64]
    start_us: npt.NDArray[np.int64]
    until_us: npt.NDArray[np.int64]
    topics: npt.NDArray[np.int8]
    shares: npt.NDArray[np.float32]
    change: npt.NDArray[np.int8]
    first: npt.NDArray[np.int64]
    span_us: int

    def phase_at(self, users: npt.NDArray[np.int64], at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The phase of each user at each time after the start. (n,)"""
        return np.searchsorted(self._keys, users * self._span_s + at_us // SECOND_US, side="right") - 1

    @cached_property
    def _span_s(self) -> int:
        return self.span_us // SECOND_US

    @cached_property
    def _keys(self) -> npt.NDArray[np.int64]:
        """User and start as one sorted number. In seconds: microseconds overflow at 300,000 users and a year."""
        return self.user * self._span_s + self.start_us // SECOND_US

    def topic_at(
        self, users: npt.NDArray[np.int64], at_us: npt.NDArray[np.int64], u: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.int8]:
        """A topic of each user's interest at each time, for uniform draws `u`. (n,)"""
        phase = self.phase_at(users, at_us)
        reached = np.cumsum(self.shares[phase], axis=1)
        # The last share in use reaches 1 only up to rounding: a draw is scaled by what was reached.
        place = (reached <= (u * reached[:, -1])[:, None]).sum(axis=1).clip(max=MAX_TOPICS - 1)
        topics: npt.NDArray[np.int8] = self.topics[phase, place]
        return topics


def draw_interests(spec: WorldSpec, people: People) -> Interests:
    """Interests of all users. A bot has one topic for good."""
    rng, blocks = spec.rng(Stream.INTERESTS), []
    for low in range(0, spec.n_users, _USERS_A_BLOCK):
        users = np.arange(low, min(low + _USERS_A_BLOCK, spec.n_users))
        blocks.append(_draw_block(users, people.is_bot[users], spec.span_us, rng))
    change, n_phases = (np.concatenate(part) for part in zip(*[b[:2] for b in blocks], strict=True))
    start, topics, shares = (np.concatenate(part) for part in zip(*[b[2:] for b in blocks], strict=True))
    first = np.cumsum(n_phases) - n_phases
    until = np.append(start[1:], spec.span_us)
    until[first[1:] - 1] = spec.span_us
    user = np.repeat(np.arange(spec.n_users), n_phases)
    return Interests(user, start, until, topics, shares, change, first, spec.span_us)


def _draw_block(
    users: npt.NDArray[np.int64], is_bot: npt.NDArray[np.bool_], span_us: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.generic], ...]:
    """Change and number of phases a user; start, topics and shares a phase."""
    n = len(users)
    change = np.where(is_bot, 0, rng.choice(len(CHANGES), n, p=_CHANGE_SHARES)).astype(np.int8)
    ranking = _draw_topics(n, rng)
    old, new = _draw_shares(n, rng), _draw_shares(n, rng)
    old[is_bot] = (1, 0, 0, 0)
    drifting = change == CHANGES.index("drift")
    for shares in (old, new):
        shares[drifting, 2:] = 0
        shares /= shares.sum(axis=1, keepdims=True)
    n_phases = np.array([1, 2, DRIFT_STEPS + 2])[change]
    row = np.repeat(np.arange(n), n_phases)
    step = np.arange(len(row)) - np.repeat(np.cumsum(n_phases) - n_phases, n_phases)
    progress = (step / np.maximum(n_phases - 1, 1)[row]).astype(np.float32)
    start = _starts(change, n_phases, row, step, span_us, rng)
    topics, shares = _mix(ranking[row], old[row], new[row], progress, drifting[row])
    return change, n_phases, start, topics, shares


def _draw_topics(n: int, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """(n, 8) different topics: Gumbel keys sort like draws without replacement."""
    keys = rng.gumbel(size=(n, len(TOPICS))) - _TOPIC_SKEW * np.log(np.arange(1, len(TOPICS) + 1))
    return np.argsort(-keys, axis=1)[:, : 2 * MAX_TOPICS].astype(np.int8)


def _draw_shares(n: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """(n, 4) shares, the largest first, 0 beyond the number of topics that was drawn."""
    used = rng.choice(MAX_TOPICS, n, p=_N_TOPICS_SHARES)
    raw = rng.gamma(1.5, size=(n, MAX_TOPICS)) + 0.2
    raw[np.arange(MAX_TOPICS) > used[:, None]] = 0
    return (-np.sort(-raw, axis=1)).astype(np.float32)


def _starts(
    change: npt.NDArray[np.int8],
    n_phases: npt.NDArray[np.int64],
    row: npt.NDArray[np.int64],
    step: npt.NDArray[np.int64],
    span_us: int,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Abrupt: once, between a fifth and four fifths of the span. Drift: over 20 to 40 % of it."""
    u, v = rng.random(len(change)), rng.random(len(change))
    abrupt = change == CHANGES.index("abrupt")
    begin = np.where(abrupt, 0.2 + 0.6 * u, 0.1 + 0.4 * u)
    pace = np.where(abrupt, 0.0, (0.2 + 0.2 * v) / np.maximum(n_phases - 1, 1))
    share_of_span = begin[row] + pace[row] * (step - 1)
    return np.where(step == 0, 0, share_of_span * (span_us // SECOND_US)).astype(np.int64) * SECOND_US


def _mix(
    ranking: npt.NDArray[np.int8],
    old: npt.NDArray[np.float32],
    new: npt.NDArray[np.float32],
    progress: npt.NDArray[np.float32],
    drifting: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """Topics and shares of each phase: old at progress 0, new at 1, for who drifts two of each between."""
    p = progress[:, None]
    drift_topics = ranking[:, [0, 1, MAX_TOPICS, MAX_TOPICS + 1]]
    drift_shares = np.hstack([(1 - p) * old[:, :2], p * new[:, :2]])
    topics = np.where(p < 1, ranking[:, :MAX_TOPICS], ranking[:, MAX_TOPICS:])
    shares = np.where(p < 1, old, new)
    d = drifting[:, None]
    return np.where(d, drift_topics, topics), np.where(d, drift_shares, shares)
