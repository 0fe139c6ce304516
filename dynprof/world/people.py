"""Who lives in the world: names, languages, hours, activity, and which of them are bots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.world.measured import ACTIVITY_LIMIT, ACTIVITY_SIGMA, LANGUAGE_SHARES
from dynprof.world.spec import Stream, WorldSpec
from dynprof.world.strings import numbered

__all__ = ["People", "draw_people", "user_ids"]

ZONES = {"en": (-5, 0), "ru": (3, 5), "de": (1,), "es": (1, -4)}
"""Hours ahead of UTC at which the speakers of a language live; which of them is drawn evenly."""

_SECOND_LANGUAGE_SHARE = 0.2
_SECOND_LANGUAGE_USE = 0.25
_BOT_ACTIVITY = 12.0
"""A bot's median activity, in medians of a human. With 2 % bots about every twentieth event is a bot's."""

_BOT_SIGMA = 1.0
_BIO_SHARE = 0.85


@dataclass(frozen=True)
class People:
    """Users by number: every array is (n_users,).

    Attributes:
        is_bot: Bots post all day, many times, few texts.
        language: Number of the main language in the spec.
        second_language: The same as `language` for who speaks one.
        zone: Hours ahead of UTC.
        rate: Share of all events that the user makes, on average. Sums to 1.
        authoring: Share of the user's own events that are texts of their own, not reposts or likes.
        fame: Factor on how likely an item of theirs is picked by others.
        has_bio: Whether the user wrote one.
    """

    is_bot: npt.NDArray[np.bool_]
    language: npt.NDArray[np.int8]
    second_language: npt.NDArray[np.int8]
    zone: npt.NDArray[np.int8]
    rate: npt.NDArray[np.float64]
    authoring: npt.NDArray[np.float32]
    fame: npt.NDArray[np.float64]
    has_bio: npt.NDArray[np.bool_]

    def language_at(self, users: npt.NDArray[np.int64], u: npt.NDArray[np.float64]) -> npt.NDArray[np.int8]:
        """The language of each event for uniform draws `u`: mostly the main one. (n,)"""
        return np.where(u < _SECOND_LANGUAGE_USE, self.second_language[users], self.language[users])


def draw_people(spec: WorldSpec) -> People:
    """All users of a world."""
    rng, n = spec.rng(Stream.PEOPLE), spec.n_users
    is_bot = rng.random(n) < spec.bot_share
    language, second = _draw_languages(spec, rng)
    second = np.where(is_bot, language, second)
    activity = rng.standard_normal(n).clip(-ACTIVITY_LIMIT, ACTIVITY_LIMIT)
    human, bot = np.exp(ACTIVITY_SIGMA * activity), _BOT_ACTIVITY * np.exp(_BOT_SIGMA * activity)
    rate = np.where(is_bot, bot, human)
    return People(
        is_bot=is_bot,
        language=language,
        second_language=second,
        zone=_draw_zones(spec, language, rng),
        rate=rate / rate.sum(),
        authoring=np.where(is_bot, 1.0, rng.beta(3.0, 3.0, n)).astype(np.float32),
        fame=np.where(is_bot, 0.05, np.exp(rng.standard_normal(n))),
        has_bio=rng.random(n) < _BIO_SHARE,
    )


def user_ids(users: npt.NDArray[np.int64]) -> pa.StringArray:
    """Names of users by number, e.g. 7 -> "u00000007"."""
    return numbered("u", users, 8)


def _draw_languages(spec: WorldSpec, rng: np.random.Generator) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.int8]]:
    shares = np.cumsum([LANGUAGE_SHARES[language] for language in spec.languages])
    first = np.searchsorted(shares[:-1] / shares[-1], rng.random(spec.n_users), side="right").astype(np.int8)
    other = rng.integers(0, len(spec.languages), spec.n_users, dtype=np.int8)
    return first, np.where(rng.random(spec.n_users) < _SECOND_LANGUAGE_SHARE, other, first)


def _draw_zones(spec: WorldSpec, language: npt.NDArray[np.int8], rng: np.random.Generator) -> npt.NDArray[np.int8]:
    u, zones = rng.random(spec.n_users), np.zeros(spec.n_users, np.int8)
    for number, name in enumerate(spec.languages):
        choices = np.array(ZONES[name], np.int8)
        zones = np.where(language == number, choices[(u * len(choices)).astype(np.int8)], zones)
    return zones
