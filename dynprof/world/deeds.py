"""What is done at each moment: the kind of event, its topic and its language."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.world.interests import Interests
from dynprof.world.people import People
from dynprof.world.sudden import SuddenEvents
from dynprof.world.timeline import Moments

__all__ = ["EVENT_TYPES", "LIKE", "POST", "QUOTE", "REPLY", "RETWEET", "Deeds", "decide"]

EVENT_TYPES = ("post", "reply", "quote", "retweet", "like")
POST, REPLY, QUOTE, RETWEET, LIKE = range(5)

_OWN = np.cumsum([0.80, 0.13])
"""Of a user's own texts: posts, replies; the rest are quotes."""

_REPOST_SHARE = 0.56
"""Of what is about another's item; the rest are likes. Real data has 44 reposts to 56 texts, and no likes."""


@dataclass(frozen=True)
class Deeds:
    """What is done, every array (n,).

    Attributes:
        kind: Number in `EVENT_TYPES`.
        topic: Number of the topic.
        language: Number of the language.
        sudden: Whether the topic is a sudden event's and not one of the user's interest.
    """

    kind: npt.NDArray[np.int8]
    topic: npt.NDArray[np.int8]
    language: npt.NDArray[np.int8]
    sudden: npt.NDArray[np.bool_]


def decide(moments: Moments, people: People, interests: Interests, sudden: SuddenEvents) -> Deeds:
    """Draw what everybody does: on a topic of their interest at the time, or on the sudden event that is on."""
    users, rng, n = moments.users, moments.rng, len(moments.users)
    topic = interests.topic_at(users, moments.at_us, rng.random(n))
    number = sudden.number_at(moments.at_us)
    taken = (number >= 0) & (rng.random(n) < sudden.share[number]) & ~people.is_bot[users]
    return Deeds(
        kind=_draw_kinds(people.authoring[users], people.is_bot[users], rng),
        topic=np.where(taken, sudden.topic[number], topic),
        language=people.language_at(users, rng.random(n)),
        sudden=taken,
    )


def _draw_kinds(
    authoring: npt.NDArray[np.float32], is_bot: npt.NDArray[np.bool_], rng: np.random.Generator
) -> npt.NDArray[np.int8]:
    own = np.searchsorted(_OWN, rng.random(len(authoring)), side="right")
    others = np.where(rng.random(len(authoring)) < _REPOST_SHARE, RETWEET, LIKE)
    kind = np.where(rng.random(len(authoring)) < authoring, own, others)
    return np.where(is_bot, POST, kind).astype(np.int8)
