"""Texts of a corpus that nobody says any more, once what was erased is taken out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dynprof.corpus import TEXT_SOURCES
from dynprof.live.corpus_lookup import CorpusLookup

__all__ = ["Unsaid"]

_ITEMS_FILE = TEXT_SOURCES.index("items")


class Unsaid:
    """Adds up what was erased of a corpus. Not safe to use from several threads.

    Args:
        corpus: Under the snapshot.
    """

    def __init__(self, corpus: CorpusLookup) -> None:
        self._corpus = corpus
        self._item_of: dict[tuple[str, str], str] = {}

    def take_out(self, events: Iterable[tuple[str, str]], users: Iterable[str]) -> frozenset[bytes]:
        """Take more out; hashes of the texts that only events taken out so far were about.

        A text that a file of items brought stays, and so does one that another item has. The first call with an event
        reads the hashes of all items.

        Args:
            events: Ids of events with their users.
            users: All of whose events go.
        """
        named, whole = set(events), set(users)
        for user_id in whole | {user for _, user in named}:
            for event in self._corpus.events_of(user_id).select(["event_id", "item_id"]).to_pylist():
                if user_id in whole or (event["event_id"], user_id) in named:
                    self._item_of[event["event_id"], user_id] = event["item_id"]
        taken = Counter(self._item_of.values())
        known = self._corpus.items(list(taken))
        alone = {i for i, item in known.items() if item.n_events <= taken[i] and item.source != _ITEMS_FILE}
        texts = {known[i].text_hash for i in alone} - {None}
        return frozenset(text for text, items in self._corpus.items_with(texts).items() if items <= alone)
