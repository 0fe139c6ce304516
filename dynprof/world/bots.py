"""What bots post: a few texts each, over and over."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.world.compose import compose_texts
from dynprof.world.interests import Interests
from dynprof.world.lexicon import Lexicon
from dynprof.world.people import People
from dynprof.world.spec import Stream, WorldSpec

__all__ = ["BotTexts"]

_TEXTS_A_BOT = 8


class BotTexts:
    """The stock of texts of every bot of a world, on the bot's one topic."""

    def __init__(self, spec: WorldSpec, lexicon: Lexicon, people: People, interests: Interests) -> None:
        bots = np.flatnonzero(people.is_bot)
        self._place = np.cumsum(people.is_bot) - 1
        topic = np.repeat(interests.topics[interests.first[bots], 0], _TEXTS_A_BOT)
        language = np.repeat(people.language[bots], _TEXTS_A_BOT)
        nobody = pa.repeat("", len(topic))
        self._texts = compose_texts(lexicon, topic, language, nobody, spec.rng(Stream.BOTS))

    def draw(self, bots: npt.NDArray[np.int64], u: npt.NDArray[np.float64]) -> pa.StringArray:
        """One of each bot's texts for uniform draws `u`, the first ones more often. (n,)"""
        which = (u * u * _TEXTS_A_BOT).astype(np.int64)
        return self._texts.take(pa.array(self._place[bots] * _TEXTS_A_BOT + which))
