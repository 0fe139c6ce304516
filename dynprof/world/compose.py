"""Texts of given topics and languages, as long, as tagged and as linked as real posts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.world.lexicon import Indices, Lexicon
from dynprof.world.measured import LENGTH_LEVELS, LENGTHS, TAG_SHARES, URL_SHARES
from dynprof.world.strings import LINK_LENGTH, short_links

__all__ = ["compose_bios", "compose_texts"]

_MIN_BODY = 18
"""Characters that links leave to the words: a text of links alone says nothing about its topic."""

_BESIDE = 6
"""Characters that mentions and hashtags take, on average over all texts."""

_MOST_OVER = 9
"""Characters by which a phrase may pass the length drawn: texts then end as often above it as below."""

_NUMBERED_SHARE = 0.6
_SHORT_SHARE = 0.85
"""Of the texts without room for another adjunct, the share that gets a short one; the others repeat often."""

_ENDS = np.array([0.62, 0.80, 0.90])
"""Cumulated shares of the end of a text: full stop, exclamation mark, dots; nothing for the rest."""
_END_MARKS = pa.array([".", "!", "...", ""])

Small = npt.NDArray[np.int8]
Floats = npt.NDArray[np.float64]


def compose_texts(
    lexicon: Lexicon, topic: Small, language: Small, mentions: pa.StringArray, rng: np.random.Generator
) -> pa.StringArray:
    """One text for each row, its length drawn from the real distribution.

    Args:
        lexicon: The phrases.
        topic: (n,) numbers of topics.
        language: (n,) numbers of the lexicon's languages.
        mentions: (n,) how the text begins: "@name " or "".
        rng: Source of every choice.

    Returns:
        (n,) strings: sentences, then hashtags, then links.
    """
    room = np.interp(rng.random(len(topic)), LENGTH_LEVELS, LENGTHS)
    room -= pc.utf8_length(mentions).to_numpy(zero_copy_only=False)
    draft = _Draft(lexicon, topic, language, room, rng)
    tags, links = draft.fit_tags(), draft.fit_links()
    return pc.binary_join_element_wise(mentions, *draft.fill_body(), *tags, *links, "")


def compose_bios(lexicon: Lexicon, first: Small, second: Small, language: Small, u: Floats) -> pa.StringArray:
    """Bios of two phrases: the main topic's and another topic's, the second left out where both are the same. (n,)"""
    head = lexicon.phrases.take(pa.array(lexicon.pick("bio", language, first, u)))
    other = np.where(first == second, 0, lexicon.pick("bio", language, second, u))
    return pc.binary_join_element_wise(head, lexicon.phrases.take(pa.array(other)), pc.if_else(other > 0, ". ", ""))


class _Draft:
    """Texts while they are filled: what is chosen takes of the room that is left in each."""

    def __init__(self, lexicon: Lexicon, topic: Small, language: Small, room: Floats, rng: np.random.Generator) -> None:
        self._lexicon, self._topic, self._language, self._room, self._rng = lexicon, topic, language, room, rng

    def fit_tags(self) -> list[pa.StringArray]:
        """Up to three different hashtags a text."""
        wanted, u = np.searchsorted(np.cumsum(TAG_SHARES)[:-1], self._draw(), side="right"), self._draw()
        tags = [np.where(wanted > i, self._pick("tag", u, further=i), 0) for i in range(len(TAG_SHARES) - 1)]
        for tag in tags:
            self._room -= self._lexicon.lengths[tag]
        return [self._take(tag) for tag in tags]

    def fit_links(self) -> list[pa.StringArray]:
        """At most two links a text, oftener where they fit, so that their real share comes out over all texts."""
        u, links = self._draw(), []
        for number in range(1, len(URL_SHARES)):
            keep = (self._room - LINK_LENGTH >= _MIN_BODY) & (u * _fitting_share(number) < URL_SHARES[number:].sum())
            links.append(short_links(keep, self._rng))
            self._room -= np.where(keep, LINK_LENGTH, 0)
        return links

    def fill_body(self) -> list[pa.StringArray]:
        """One to three sentences. A subject always stands; the rest joins in the order of its worth while it fits."""
        who, does, opener = self._draw(), self._draw(), self._pick("opener", self._draw())
        subjects = [self._pick(role, who, further=i) for i, role in enumerate(("start", "next", "next"))]
        predicates = [self._pick("predicate", does, further=i) for i in range(3)]
        adjunct, last_adjunct = self._pick_adjunct(), self._pick_adjunct()
        self._room -= self._lexicon.lengths[subjects[0]] + 1
        (predicates[0],) = self._keep(predicates[0])
        (adjunct,) = self._keep(adjunct, after=predicates[0])
        adjunct = self._shorten(adjunct)
        subjects[1], predicates[1] = self._keep(subjects[1], predicates[1], after=predicates[0])
        (opener,) = self._keep(opener, after=predicates[0])
        (last_adjunct,) = self._keep(last_adjunct, after=predicates[1])
        subjects[2], predicates[2] = self._keep(subjects[2], predicates[2], after=predicates[1])
        subjects[0] = np.where(opener > 0, self._pick("subject", who), subjects[0])
        return [
            *map(self._take, (opener, subjects[0], predicates[0], adjunct)),
            *(_full_stop(subjects[1]), *map(self._take, (subjects[1], predicates[1], last_adjunct))),
            *(_full_stop(subjects[2]), *map(self._take, (subjects[2], predicates[2]))),
            _END_MARKS.take(pa.array(np.searchsorted(_ENDS, self._draw(), side="right"))),
        ]

    def _draw(self) -> Floats:
        return self._rng.random(len(self._topic))

    def _pick(self, role: str, u: Floats, *, further: int = 0) -> Indices:
        return self._lexicon.pick(role, self._language, self._topic, u, further=further)

    def _pick_adjunct(self) -> Indices:
        plain, with_number = self._pick("adjunct", self._draw()), self._pick("numbered", self._draw())
        return np.where(self._draw() < _NUMBERED_SHARE, with_number, plain)

    def _shorten(self, adjunct: Indices) -> Indices:
        """A short adjunct where none was kept, in most texts."""
        u = self._draw()
        short = np.where((adjunct == 0) & (u < _SHORT_SHARE), self._pick("short", u / _SHORT_SHARE % 1.0), 0)
        self._room -= self._lexicon.lengths[short]
        return np.where(short > 0, short, adjunct)

    def _keep(self, *phrases: Indices, after: Indices | None = None) -> list[Indices]:
        """All of the phrases where they fit and `after`, which they follow, stands; none of them elsewhere."""
        length = sum(self._lexicon.lengths[p] for p in phrases) + len(phrases) - 1
        keep = (length <= self._room + _MOST_OVER) & (after is None or after > 0)
        self._room -= np.where(keep, length, 0)
        return [np.where(keep, p, 0) for p in phrases]

    def _take(self, phrases: Indices) -> pa.StringArray:
        return self._lexicon.phrases.take(pa.array(phrases))


def _fitting_share(n_links: int) -> float:
    """Share of texts that are long enough for so many links and some words."""
    return float(1 - np.interp(_MIN_BODY + _BESIDE + n_links * LINK_LENGTH, LENGTHS, LENGTH_LEVELS))


def _full_stop(next_subject: Indices) -> pa.StringArray:
    """What parts a sentence from the next one; nothing where there is no next."""
    return pc.if_else(pa.array(next_subject > 0), ".", "")
