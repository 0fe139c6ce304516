"""The world, unfolded in time: chunks of events, of the items they refer to, and of the truth about both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.schema import RAW_EVENTS, RAW_ITEMS, TIMESTAMP
from dynprof.world.attention import Attention, Posts
from dynprof.world.bots import BotTexts
from dynprof.world.compose import compose_texts
from dynprof.world.deeds import EVENT_TYPES, LIKE, POST, QUOTE, REPLY, RETWEET, decide
from dynprof.world.interests import draw_interests
from dynprof.world.items import ItemShelf
from dynprof.world.lexicon import TOPICS, Lexicon
from dynprof.world.people import draw_people, user_ids
from dynprof.world.spec import WorldSpec
from dynprof.world.strings import numbered
from dynprof.world.sudden import draw_sudden_events
from dynprof.world.timeline import Moments, iterate_moments

__all__ = ["EVENT_COLUMNS", "TRUTH_ITEMS", "World", "WorldChunk", "generate"]

EVENT_COLUMNS = pa.schema([field for field in RAW_EVENTS if field.name != "weight"])
TRUTH_ITEMS = pa.schema({"item_id": pa.string(), "topic": pa.string(), "sudden": pa.bool_()})

_RETWEET_TEXT_SHARE = 0.12
"""Reposts that carry the text; the others only name the item. With the bots' it makes the real repeat rate."""

_RETWEET_MARK_SHARE = 0.25
"""Of those, the share that begins with "RT @name: "."""

_POST_MENTION_SHARE = 0.03
_ATTRACTION_SIGMA = 1.2


@dataclass(frozen=True)
class WorldChunk:
    """A stretch of time.

    Attributes:
        events: `EVENT_COLUMNS`, in order of time and of `event_id`.
        items: `RAW_ITEMS`: items that an event refers to for the first time.
        truth_items: `TRUTH_ITEMS`: every item that appeared.
    """

    events: pa.Table
    items: pa.Table
    truth_items: pa.Table


@dataclass(frozen=True)
class _Texts:
    """Who wrote which texts in a chunk: rows of the chunk and their texts, in order."""

    rows: npt.NDArray[np.int64]
    texts: pa.StringArray


class World:
    """Users, interests and sudden events of a spec, and the events that follow from them.

    Memory grows with the users (some hundred bytes each) and with the items of the last two weeks, not with the events.
    """

    def __init__(self, spec: WorldSpec) -> None:
        self.spec = spec
        self.lexicon = Lexicon(spec.languages)
        self.people = draw_people(spec)
        self.interests = draw_interests(spec, self.people)
        self.sudden = draw_sudden_events(spec)

    def chunks(self) -> Iterator[WorldChunk]:
        """All events in order of time, from the start whenever it is called."""
        attention = Attention(self.spec.n_users, self.spec.span_us)
        bots, shelf, first = BotTexts(self.spec, self.lexicon, self.people, self.interests), ItemShelf(), 0
        for moments in iterate_moments(self.spec, self.people, self.sudden):
            chunk = _Chunk(self, moments, first)
            yield chunk.unfold(attention, shelf, bots)
            first += len(moments.users)


def generate(spec: WorldSpec) -> Iterator[WorldChunk]:
    """All events of a world, a bounded chunk at a time."""
    return World(spec).chunks()


class _Chunk:
    """One stretch of time while it is made."""

    def __init__(self, world: World, moments: Moments, first_event: int) -> None:
        self._world, self._moments, self._rng = world, moments, moments.rng
        self._events = first_event + np.arange(len(moments.users))
        self._deeds = decide(moments, world.people, world.interests, world.sudden)

    def unfold(self, attention: Attention, shelf: ItemShelf, bots: BotTexts) -> WorldChunk:
        """Posts appear, others react to them and to older ones, texts are written last."""
        posted = self._is_pickable()
        attention.add(self._posts(posted))
        item, author = self._react(attention)
        attention.add(self._posts(self._is_pickable() & ~posted))
        written = self._write(author, bots)
        rows = self._item_rows(written)
        pickable = self._is_pickable()[written.rows]
        shelf.add(self._events[written.rows[pickable]], rows.filter(pa.array(pickable)))
        chunk = self._tables(item, author, written, rows, shelf)
        attention.forget(int(self._moments.at_us[-1]))
        shelf.keep(attention.events)
        return chunk

    def _is_pickable(self) -> npt.NDArray[np.bool_]:
        return np.isin(self._deeds.kind, (POST, QUOTE))

    def _shelves(self) -> npt.NDArray[np.int64]:
        return self._deeds.topic.astype(np.int64) * len(self._world.spec.languages) + self._deeds.language

    def _posts(self, chosen: npt.NDArray[np.bool_]) -> Posts:
        users = self._moments.users[chosen]
        attraction = np.exp(_ATTRACTION_SIGMA * self._rng.standard_normal(len(users)))
        weight: npt.NDArray[np.float64] = attraction * self._world.people.fame[users]
        return Posts(self._events[chosen], self._shelves()[chosen], self._moments.at_us[chosen], users, weight)

    def _react(self, attention: Attention) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Item and author of each reply, repost and like; who finds nothing to react to posts instead."""
        item, author = np.full(len(self._events), -1), np.full(len(self._events), -1)
        rows = np.flatnonzero(np.isin(self._deeds.kind, (REPLY, RETWEET, LIKE)))
        users, at_us = self._moments.users[rows], self._moments.at_us[rows]
        item[rows], author[rows] = attention.pick(users, self._shelves()[rows], at_us, self._rng)
        kind = self._deeds.kind.copy()
        kind[rows[item[rows] < 0]] = POST
        self._deeds = replace(self._deeds, kind=kind)
        return item, author

    def _write(self, author: npt.NDArray[np.int64], bots: BotTexts) -> _Texts:
        """The texts of posts, replies and quotes; those of bots come from their stock."""
        rows = np.flatnonzero(self._deeds.kind <= QUOTE)
        is_bot = self._world.people.is_bot[self._moments.users[rows]]
        human, bot = rows[~is_bot], rows[is_bot]
        texts = compose_texts(
            self._world.lexicon,
            self._deeds.topic[human],
            self._deeds.language[human],
            self._mentions(author[human]),
            self._rng,
        )
        repeated = bots.draw(self._moments.users[bot], self._rng.random(len(bot)))
        order = np.argsort(np.concatenate([human, bot]), kind="stable")
        return _Texts(rows, pa.concat_arrays([texts, repeated]).take(pa.array(order)))

    def _mentions(self, answered: npt.NDArray[np.int64]) -> pa.Array:
        """How texts begin: a reply with its item's author, some others with anybody. (n,)"""
        anybody = self._rng.integers(0, self._world.spec.n_users, len(answered))
        named = (answered >= 0) | (self._rng.random(len(answered)) < _POST_MENTION_SHARE)
        names = user_ids(np.where(answered >= 0, answered, anybody))
        return pc.if_else(pa.array(named), pc.binary_join_element_wise("@", names, " ", ""), "")

    def _item_rows(self, written: _Texts) -> pa.Table:
        rows = written.rows
        return pa.table(
            [
                _event_ids(self._events[rows]),
                written.texts,
                self._times(rows),
                user_ids(self._moments.users[rows]),
                self._languages(rows),
            ],
            schema=RAW_ITEMS,
        )

    def _tables(
        self,
        item: npt.NDArray[np.int64],
        author: npt.NDArray[np.int64],
        written: _Texts,
        rows: pa.Table,
        shelf: ItemShelf,
    ) -> WorldChunk:
        referring = np.isin(self._deeds.kind, (RETWEET, LIKE))
        everything = np.arange(len(self._events))
        columns = {
            "event_id": _event_ids(self._events),
            "user_id": user_ids(self._moments.users),
            "timestamp": self._times(everything),
            "event_type": pa.array(EVENT_TYPES).take(pa.array(self._deeds.kind)),
            "item_id": _event_ids(np.where(referring, item, self._events)),
            "text": self._event_texts(item, author, written, shelf),
            "language": self._languages(everything),
        }
        events = pa.table(columns, schema=EVENT_COLUMNS)
        return WorldChunk(events, shelf.hand_out(item[referring]), self._truth(written.rows, rows["item_id"]))

    def _event_texts(
        self, item: npt.NDArray[np.int64], author: npt.NDArray[np.int64], written: _Texts, shelf: ItemShelf
    ) -> pa.Array:
        """Own texts, and those of some reposts, a few of them marked; null elsewhere. (n,)"""
        reposts = np.flatnonzero(self._deeds.kind == RETWEET)
        reposts = reposts[self._rng.random(len(reposts)) < _RETWEET_TEXT_SHARE]
        marked = pa.array(self._rng.random(len(reposts)) < _RETWEET_MARK_SHARE)
        mark = pc.binary_join_element_wise("RT @", user_ids(author[reposts]), ": ", "")
        copied = pc.binary_join_element_wise(pc.if_else(marked, mark, ""), shelf.texts(item[reposts]), "")
        place = np.full(len(self._events), len(written.rows) + len(reposts))
        place[written.rows] = np.arange(len(written.rows))
        place[reposts] = len(written.rows) + np.arange(len(reposts))
        return pa.concat_arrays([written.texts, copied, pa.nulls(1, pa.string())]).take(pa.array(place))

    def _truth(self, rows: npt.NDArray[np.int64], item_ids: pa.ChunkedArray) -> pa.Table:
        topics = pa.array(TOPICS).take(pa.array(self._deeds.topic[rows]))
        return pa.table([item_ids, topics, pa.array(self._deeds.sudden[rows])], schema=TRUTH_ITEMS)

    def _times(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        return pa.array(self._world.spec.start_us + self._moments.at_us[rows]).cast(TIMESTAMP)

    def _languages(self, rows: npt.NDArray[np.int64]) -> pa.Array:
        return pa.array(self._world.spec.languages).take(pa.array(self._deeds.language[rows]))


def _event_ids(events: npt.NDArray[np.int64]) -> pa.StringArray:
    return numbered("e", events, 10)
