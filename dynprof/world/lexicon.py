"""The words of the world as one table of phrases, so that a text is a row of indices until it is joined.

Each language is written by hand in a block a topic, phrases parted by ";": a line without a mark holds subjects,
"> " predicates that go with every subject of the topic, "# " hashtags, "@ " bios. The block `everyday` serves every
topic: "! " openers, "~ " adjuncts, "% " adjuncts whose * becomes a number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.world.words_de import GERMAN
from dynprof.world.words_en import ENGLISH
from dynprof.world.words_es import SPANISH
from dynprof.world.words_ru import RUSSIAN

__all__ = ["LANGUAGES", "ROLES", "TOPICS", "Lexicon", "parse_words"]

LANGUAGES = {"en": ENGLISH, "ru": RUSSIAN, "de": GERMAN, "es": SPANISH}

ROLES = ("opener", "subject", "start", "next", "predicate", "adjunct", "numbered", "short", "tag", "bio")
"""What a phrase is for. `start` and `next` are subjects with a capital: at the head of a text, of a later sentence."""

_EVERYDAY = "everyday"
_MARKS = {">": "predicate", "#": "tag", "@": "bio", "!": "opener", "~": "adjunct", "%": "numbered"}
_NUMBERS = range(2, 1_000)
_SHORT = [f" {hour}:{minute:02d}" for hour in range(24) for minute in range(60)] + [f" ({n})" for n in _NUMBERS]
"""Adjuncts that fit anywhere, in any language: times of day and numbers. They keep short texts from being the same."""


Indices = npt.NDArray[np.int32]
Phrases = dict[str, list[str]]


def parse_words(words: str) -> dict[str, Phrases]:
    """The phrases of one language by topic (and `everyday`), then by role, in the order written."""
    topics: dict[str, Phrases] = {}
    for line in filter(None, words.splitlines()):
        mark, _, rest = line.partition(" ")
        if mark == "=":
            topics[rest] = defaultdict(list)
        elif mark == "#":
            topics[next(reversed(topics))]["tag"] += rest.split()
        else:
            role, phrases = (_MARKS[mark], rest) if mark in _MARKS else ("subject", line)
            topics[next(reversed(topics))][role] += [p.strip() for p in phrases.split(";") if p.strip()]
    return topics


TOPICS = tuple(topic for topic in parse_words(ENGLISH) if topic != _EVERYDAY)
"""Names of the topics; a topic's number is its place here."""


class Lexicon:
    """Every phrase of some languages in one Arrow array; number 0 is the empty phrase.

    Args:
        languages: Keys of `LANGUAGES`; a language's number is its place here.

    Attributes:
        phrases: (n_phrases,) strings, with the spaces that they need before them.
        lengths: (n_phrases,) characters of each.
    """

    def __init__(self, languages: Iterable[str]) -> None:
        self.languages = tuple(languages)
        shape = (len(ROLES), len(self.languages), len(TOPICS))
        self._first, self._count = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        phrases = [""]
        for number, language in enumerate(self.languages):
            self._add_language(number, parse_words(LANGUAGES[language]), phrases)
        self.phrases = pa.array(phrases, pa.string())
        self.lengths = np.array([len(p) for p in phrases], np.int32)

    def _add_language(self, language: int, words: dict[str, Phrases], phrases: list[str]) -> None:
        everyday = _as_written(words.pop(_EVERYDAY)) | {"short": _SHORT}
        for role, found in everyday.items():
            self._place(ROLES.index(role), language, slice(None), found, phrases)
        for topic, by_role in words.items():
            for role, found in _as_written(by_role).items():
                self._place(ROLES.index(role), language, TOPICS.index(topic), found, phrases)

    def _place(self, role: int, language: int, topic: int | slice, found: list[str], phrases: list[str]) -> None:
        self._first[role, language, topic] = len(phrases)
        self._count[role, language, topic] = len(found)
        phrases += found

    def pick(
        self,
        role: str,
        language: npt.NDArray[np.int8],
        topic: npt.NDArray[np.int8],
        u: npt.NDArray[np.float64],
        *,
        further: int = 0,
    ) -> Indices:
        """Phrase numbers for languages, topics and uniform draws in [0, 1), all (n,).

        The same draw with another `further` gives another phrase, `further` places on and round the end.
        """
        place = ROLES.index(role), language, topic
        first, count = self._first[place], self._count[place]
        picked: Indices = first + ((u * count).astype(np.int32) + further) % count
        return picked


def _as_written(by_role: Phrases) -> Phrases:
    """Phrases with capitals, numbers and leading spaces, as they stand in a text."""
    written: Phrases = {}
    for role, found in by_role.items():
        if role == "subject":
            capital = [p[0].upper() + p[1:] for p in found]
            written |= {"subject": found, "start": capital, "next": [f" {p}" for p in capital]}
        elif role == "numbered":
            written[role] = [_spaced(p).replace("*", str(n)) for p in found for n in _NUMBERS]
        elif role == "opener":
            written[role] = [f"{p} " for p in found]
        elif role == "tag":
            written[role] = [f" #{p}" for p in found]
        else:
            written[role] = found if role == "bio" else [_spaced(p) for p in found]
    return written


def _spaced(phrase: str) -> str:
    return phrase if phrase.startswith(",") else f" {phrase}"
