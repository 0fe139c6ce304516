"""The ranker as a server asks it: a snapshot's traces, a model for them, and any user's past in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.bank import Bank
from dynprof.decay import Decay
from dynprof.history import History
from dynprof.keys import hash_words, text_hashes
from dynprof.profile import age_seconds
from dynprof.ranker.affinity import Affinity
from dynprof.ranker.candidates import NEAREST, NEAREST_HALF_LIVES_D, Wanted, candidates_of
from dynprof.ranker.content import Content, bank_decays, nearest_columns
from dynprof.ranker.features import describe
from dynprof.ranker.model import RankerMeaning, RankerModel, latest_model
from dynprof.ranker.past import LATEST_EVENTS, STRANGER, Past
from dynprof.ranker.trace_files import NamedTraces, open_traces, read_traces
from dynprof.snapshot import SnapshotSpec
from dynprof.sources import FoundItems, ItemFilter, ItemQuery, ItemSource, Words
from dynprof.store import SnapshotStore
from dynprof.text import prepare_texts
from dynprof.user_profile import UserProfile

__all__ = ["RankerQuery", "ServedRanker", "meaning_of"]

IntArray = npt.NDArray[np.int64]

Read = Callable[[Decay, int], UserProfile]
"""The profile of a user at a decay and a time, without a prior."""


@dataclass(frozen=True)
class RankerQuery:
    """Which items are wanted.

    Attributes:
        past: Of whom they are for, as of the time of the question.
        content: Likewise.
        k: How many, > 0.
        filter: Which items may be returned.
        excluded: (n, 2) hashes of texts never to return.
    """

    past: Past
    content: Content
    k: int
    filter: ItemFilter
    excluded: Words


class ServedRanker:
    """A model over the traces of one snapshot. Safe to use from several threads.

    What others did since the snapshot is in no trace; what the user did is in the past that comes with a question.

    Args:
        model: For the snapshot's encoder and bank.
        named: Of the snapshot.
    """

    def __init__(self, model: RankerModel, named: NamedTraces) -> None:
        self.model, self._named = model, named

    @classmethod
    def open(cls, store: SnapshotStore) -> ServedRanker:
        """The newest model that fits a snapshot; its traces are mapped, or made where `jobs.train` left none.

        Raises:
            WorkspaceError: There is no model.
            FingerprintError: There is none for this snapshot.
        """
        model = latest_model(store.workspace, meaning_of(store.spec))
        return cls(model, open_traces(store) or read_traces(store))

    @property
    def bank(self) -> Bank:
        """Half-lives that it looks at."""
        return self.model.meaning.bank

    def past_of_user(self, user_id: str, as_of_us: int) -> Past:
        """Of a user, as far as the snapshot knows; empty for somebody unknown."""
        return Past.of(self._named.traces, self._named.number_of(user_id), as_of_us)

    def past_of_history(
        self, history: History, as_of_us: int, user_id: str | None = None, words: Words | None = None
    ) -> tuple[Past, IntArray]:
        """Of events at hand, live ones too; those on texts that the snapshot does not have are left out.

        Args:
            history: All events of the user.
            as_of_us: Microseconds since 1970.
            user_id: Whose own traces are no sign of what others do; None for a visitor.
            words: (m, 2) text hashes of the m events before the time, oldest first; None: of the texts in the history.

        Returns:
            The past, and the position in `history` of each of its events.
        """
        liked = np.flatnonzero((history.at_us < as_of_us) & (history.weights > 0))
        since_us = history.at_us[liked[-LATEST_EVENTS:]].min(initial=as_of_us)
        recent = liked[history.at_us[liked] >= since_us]
        hashes = _words(history.events["text"], recent) if words is None else words[recent]
        numbers, found = self._named.items_of(hashes)
        items, kept = numbers[found].astype(np.int32), recent[found]
        order = np.lexsort((items, history.at_us[kept]))[-LATEST_EVENTS:]  # ties as in the traces
        items, kept = items[order], kept[order]
        user = STRANGER if user_id is None else self._named.number_of(user_id)
        return Past(self._named.traces, user, as_of_us, history.at_us[kept], items, len(liked)), kept

    def content_of(self, read: Read, last_us: int | None, past: Past, items: ItemSource, dim: int) -> Content:
        """From profiles that are read at every half-life of the bank.

        Args:
            read: Of the user.
            last_us: The user's last event before the time; None without events.
            past: Of the same user; its last item is the last text.
            items: Where vectors are.
            dim: Of a vector.
        """
        decays = bank_decays(self.bank)
        if last_us is None:
            return Content.of(np.zeros((len(decays), dim)), np.zeros(len(decays)), None)
        # An exponential profile does not turn while its user is idle, and just after the last event nothing underflows.
        at_us = min(past.as_of_us, last_us + 1)
        reads = [read(decay, at_us) for decay in decays]
        aged = self.bank.factors(age_seconds(past.as_of_us, np.array([at_us])))[0]
        last = items.find_texts(self._named.words[past.items[-1:]]).vectors
        masses = np.array([r.mass for r in reads]) * aged
        return Content.of(np.stack([r.vector for r in reads]), masses, last[0] if len(last) else None)

    def rank(self, asked: RankerQuery, items: ItemSource) -> FoundItems:
        """The best items, best first, of equal ones the newer; k of them when k exist that the query lets through."""
        traces, as_of_us = self._named.traces, asked.past.as_of_us
        affinity = Affinity.of(asked.past)
        numbers, known = self._named.items_of(asked.excluded)
        wanted = Wanted(numbers[known].astype(np.int32))
        candidates = candidates_of(asked.past, affinity, wanted, self._nearest(asked, items))
        candidates = candidates[candidates < traces.catalogue(as_of_us)]
        found, there = items.look_up(self._named.words[candidates])
        candidates = candidates[there]
        passed = np.flatnonzero(_passes(found.table, asked.filter))
        found, candidates = found.take(passed), candidates[passed]
        scores = self.score(asked.past, affinity, asked.content, candidates, found.vectors)
        best = np.lexsort((-candidates, -scores))[: asked.k]
        chosen = found.take(best)
        return FoundItems(chosen.table, chosen.vectors, chosen.created_us, scores[best].astype(np.float64), None)

    def score(
        self, past: Past, affinity: Affinity, content: Content, numbers: IntArray, vectors: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float32]:
        """(n,) of items by number."""
        return self.model.scorer.score(describe(past, affinity, content, numbers, vectors))

    def numbers_of(self, texts: pa.ChunkedArray) -> IntArray:
        """(n,) number of each of some texts that `rank` returned."""
        return self._named.items_of(_words(texts, np.arange(len(texts))))[0]

    def _nearest(self, asked: RankerQuery, items: ItemSource) -> list[IntArray]:
        """What profiles at a short and a long half-life bring; also what fills an answer when filters leave little."""
        k, found = max(asked.k, NEAREST), []
        for column in nearest_columns(self.bank, NEAREST_HALF_LIVES_D):
            vector = asked.content.vectors[column]
            wanted = ItemQuery(
                vector if vector.any() else None,
                k,
                asked.past.as_of_us,
                metric="cosine",
                filter=asked.filter,
                excluded=asked.excluded,
            )
            table = items.search(wanted).table
            numbers, known = self._named.items_of(_words(table["text"], np.arange(len(table))))
            found.append(numbers[known])
        return found


def meaning_of(spec: SnapshotSpec) -> RankerMeaning:
    """What a model must mean to score for a snapshot."""
    return RankerMeaning(spec.fingerprint, spec.bank, spec.type_weights)


def _words(texts: pa.ChunkedArray, rows: Sequence[int] | IntArray) -> Words:
    """(m, 2) hashes of some texts; zeros, which no text has, where preparation leaves nothing."""
    hashes = text_hashes(prepare_texts(texts.take(pa.array(rows, pa.int64()))))
    words = np.zeros((len(hashes), 2), np.uint64)
    words[np.asarray(pc.is_valid(hashes))] = hash_words(hashes.drop_null())
    return words


def _passes(table: pa.Table, wanted: ItemFilter) -> npt.NDArray[np.bool_]:
    """(n,) whether a filter lets each item through."""
    passed = np.ones(len(table), np.bool_)
    for column, value in (("language", wanted.language), ("author_id", wanted.author)):
        if value is not None:
            passed &= np.asarray(pc.fill_null(pc.equal(table[column], value), False))
    if wanted.since_us is not None:
        passed &= np.asarray(table["created_at"].cast(pa.int64())) >= wanted.since_us
    return passed
