"""What came since a snapshot, read from the log of live events: see `docs/live.md`.

One thread follows, many read. Whatever needs a file or the log is asked before the lock is taken; what a change means
is then done in one piece, so a reader sees it whole or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from dynprof.embedded import CorpusVectors
from dynprof.history import History
from dynprof.lineage import CorpusView
from dynprof.live.absorbed import absorbed_number
from dynprof.live.corpus_lookup import CorpusLookup
from dynprof.live.corpus_texts import CorpusTexts
from dynprof.live.corrections import Correction, correct_user
from dynprof.live.deltas import Deltas, Fold
from dynprof.live.live_history import history_of
from dynprof.live.log import Change, EventLog, LiveEvent
from dynprof.live.new_items import ItemCursor, NewItems, read_new_items
from dynprof.live.unsaid import Unsaid
from dynprof.snapshot import SnapshotSpec
from dynprof.state import ProfileStates

__all__ = ["Overlay", "UserChange"]

_CHANGES_AT_ONCE = 20_000


@dataclass(frozen=True)
class UserChange:
    """What is known of a user beside the snapshot.

    Attributes:
        is_erased: Nothing of the user may be answered.
        correction: What stands for the snapshot's state, if anything does.
        fold: Live events; None without any.
    """

    is_erased: bool
    correction: Correction | None
    fold: Fold | None


class Overlay:
    """Live events over the corpus of one snapshot.

    Args:
        log: To follow.
        view: Corpus of the snapshot.
        vectors: Its vectors.
        spec: What profiles mean.
        is_clean: Whether the snapshot was built after all that was erased so far had left the files.

    Attributes:
        number: Of the last change that readers see; the first to follow is the one after what the corpus took in.
    """

    def __init__(
        self, log: EventLog, view: CorpusView, vectors: CorpusVectors, spec: SnapshotSpec, *, is_clean: bool = False
    ) -> None:
        self.log, self.spec = log, spec
        self.corpus, self._texts = CorpusLookup(vectors.workspace, view), CorpusTexts(vectors)
        self.number = absorbed_number(view.manifest, log)
        self._deltas = Deltas(spec)
        self._erased_users: set[bytes] = set()
        self._erased_events: set[bytes] = set()
        self._event_of_key: dict[bytes, str] = {}
        self._user_of_key: dict[bytes, str] = {}
        self._corrections: dict[str, Correction] = {}
        self._corrected_items: dict[str, tuple[bytes | None, bool]] = {}
        self._asked: set[bytes] = set()
        self._unsaid, self._unsaid_texts = Unsaid(self.corpus), frozenset[bytes]()
        self._vector_sum = np.asarray(vectors.manifest["mean_vector"]) * view.manifest["n_events_with_text"]
        self._n_vectors = int(view.manifest["n_events_with_text"])
        self._state, self._following = Lock(), Lock()
        self._begin(is_clean)

    def catch_up(self) -> int:
        """Read all that the log has; the number of changes that were new."""
        n_read = 0
        with self._following:
            while changes := self.log.read(self.number, _CHANGES_AT_ONCE):
                self._apply(changes)
                n_read += len(changes)
        return n_read

    def known(self, events: Sequence[LiveEvent]) -> set[int]:
        """Positions of those events that the corpus has; they may never have been in a log."""
        columns = [[getattr(e, name) for e in events] for name in ("event_id", "user_id", "item_id")]
        return set(np.flatnonzero(self.corpus.known_events(*columns)).tolist())

    def user(self, user_id: str) -> UserChange:
        """What a read of one user needs."""
        with self._state:
            if self._is_erased(user_id):
                return UserChange(True, None, None)
            return UserChange(False, self._corrections.get(user_id), self._deltas.fold(user_id))

    def keep(self, user_id: str, fold: Fold, states: ProfileStates) -> None:
        """Let the next read of a user start where this one came to."""
        with self._state:
            self._deltas.keep(user_id, fold, states)

    def is_erased(self, user_id: str) -> bool:
        """Whether a user was erased: as user, neighbour or author nothing of it may be answered."""
        with self._state:
            return self._is_erased(user_id)

    @property
    def n_erased_users(self) -> int:
        """How many users were erased so far."""
        with self._state:
            return len(self._erased_users)

    def unsaid_texts(self) -> frozenset[bytes]:
        """Hashes of the texts of the corpus that only erased events were about, and that nothing live says."""
        if not self._unsaid_texts:
            return frozenset()
        with self._state:
            return self._unsaid_texts - {i.text_hash for i in self._deltas.items.values() if i.n_ready}

    def users(self) -> list[str]:
        """Everybody whose profile differs from the snapshot's for another reason than time; no erased ones."""
        with self._state:
            some = dict.fromkeys([*self._deltas.users(), *self._corrections])
            return [user_id for user_id in some if not self._is_erased(user_id)]

    def events_of(self, user_id: str) -> list[LiveEvent]:
        """Live events of a user, with what waits for a vector."""
        with self._state:
            return self._deltas.events_of(user_id)

    def history_of(self, user_id: str) -> History:
        """The live events of a user that have a vector, oldest first, with the texts of their items."""
        with self._state:
            if self._is_erased(user_id):
                return History.empty(self.spec.dim)
            found = self._deltas.counted_of(user_id)
            lives = [self._deltas.items[event.item_id].live for event in found.events]
        return history_of(found, [None if live is None else live.text for live in lives], self.corpus)

    def text_hashes_of(self, user_id: str) -> list[tuple[int, bytes]]:
        """Time and text hash of each live event of a user that has a text."""
        with self._state:
            told = [(e.at_us, self._deltas.items[e.item_id].text_hash) for e in self._deltas.events_of(user_id)]
        return [(at_us, text) for at_us, text in told if text is not None]

    @property
    def last_us(self) -> int | None:
        """Time of the latest live event; None without any."""
        with self._state:
            return self._deltas.last_us

    @property
    def n_events(self) -> int:
        """Live events, waiting ones too."""
        with self._state:
            return len(self._deltas)

    @property
    def population(self) -> npt.NDArray[np.float32]:
        """(dim,) mean vector of all events: the prior of users without a bio."""
        with self._state:
            n = self._n_vectors + self._deltas.n_ready
            total = self._vector_sum + self._deltas.vector_sum if n > 0 else np.zeros(self.spec.dim)
            return np.asarray(total / max(1, n), np.float32)

    def texts_to_encode(self, limit: int) -> list[tuple[bytes, str]]:
        """Texts of items of the corpus that nobody needed a vector of until now; `learn` takes them.

        The log knows those of events.
        """
        with self._state:
            told = {t: i for t, i in self._deltas.waiting().items() if self._deltas.items[i].live is None}
        some = dict(list(told.items())[:limit])
        texts = self.corpus.item_texts(list(some.values()))
        return [(text_hash, texts[item]) for text_hash, item in some.items() if item in texts]

    def learn(self, vectors: Mapping[bytes, npt.NDArray[np.float16]]) -> None:
        """Vectors of `texts_to_encode`: the log keeps those of its own events only."""
        with self._following:
            with self._state:
                touched = self._deltas.put_vectors(vectors)
            self._correct(self._affected(touched, set(), set()))

    def items_since(self, cursor: ItemCursor) -> tuple[NewItems, ItemCursor]:
        """Items that got a vector since a cursor; `restarts` where an earlier answer is to be thrown away."""
        return read_new_items(self._deltas, self._state, self.corpus, self._is_erased, cursor)

    def _apply(self, changes: Sequence[Change]) -> None:
        events = [(c.event, c.text_hash) for c in changes if c.kind == "event" and c.event is not None]
        there = self.known([event for event, _ in events])
        events = [(event, text) for i, (event, text) in enumerate(events) if i not in there and not self._is_out(event)]
        named = {event.item_id for event, _ in events} - self._deltas.items.keys()
        known = self.corpus.items(list(named))
        self._event_of_key |= {self.log.keyed(event.event_id): event.event_id for event, _ in events}
        self._user_of_key |= {self.log.keyed(user): user for user in {event.user_id for event, _ in events}}
        users = {c.erased for c in changes if c.kind == "erase_user" and c.erased is not None}
        gone = {c.erased for c in changes if c.kind == "erase_event" and c.erased is not None}
        with self._state:
            touched = self._deltas.add(events, known)
            touched |= self._forget(users, gone)
        touched |= self._find_vectors([c.text_hash for c in changes if c.kind == "vector" and c.text_hash is not None])
        self._correct(self._affected(touched, users, gone))
        self.number = changes[-1].number

    def _is_out(self, event: LiveEvent) -> bool:
        return self._is_erased(event.user_id) or self._is_gone(event.event_id)

    def _is_erased(self, user_id: str) -> bool:
        return bool(self._erased_users) and self.log.keyed(user_id) in self._erased_users

    def _is_gone(self, event_id: str) -> bool:
        return bool(self._erased_events) and self.log.keyed(event_id) in self._erased_events

    def _begin(self, is_clean: bool) -> None:
        """Take up who and what was erased before."""
        users, events = set(self.log.erased_users()), set(self.log.erased_events())
        with self._state:
            self._forget(users, events)
        if not is_clean:
            self._correct(self._affected(set(), users, events))

    def _forget(self, users: set[bytes], events: set[bytes]) -> set[str]:
        """Take the live events out that were erased. Returns the items that they were about."""
        self._erased_users |= users
        self._erased_events |= events
        gone = [self._event_of_key.pop(key) for key in events & self._event_of_key.keys()]
        for key in users & self._user_of_key.keys():
            gone += [event.event_id for event in self._deltas.events_of(self._user_of_key.pop(key))]
        return self._deltas.remove_events(gone)

    def _find_vectors(self, told: Sequence[bytes]) -> set[str]:
        """Ask for vectors: of texts that the log has just told of, and of those nobody asked for yet."""
        touched: set[str] = set()
        waiting = self._deltas.waiting()
        new = waiting.keys() - self._asked
        if wanted := list(new | (waiting.keys() & set(told))):
            found = dict(self.log.vectors(self.spec.fingerprint, wanted))
            found |= self._texts.find([text for text in wanted if text in new and text not in found])
            with self._state:
                touched = self._deltas.put_vectors(found)
            self._asked |= new
        return touched

    def _affected(self, items: set[str], users: set[bytes], events: set[bytes]) -> set[str]:
        """Users of the corpus whose states are to be made anew."""
        of = self._deltas.items
        now = {item_id: _changed_to(self._deltas, item_id) for item_id in items}
        changed = [i for i, what in now.items() if what != self._corrected_items.get(i)]
        for item_id in changed:
            what = now[item_id] if item_id in of else None
            self._corrected_items.pop(item_id, None)
            if what is not None:
                self._corrected_items[item_id] = what
        affected = self.corpus.users_of_items(changed) if changed else set()
        erased = self.corpus.events_by_key(list(events), self.log.keyed) if events else []
        lost = self.corpus.users_by_key(list(users), self.log.keyed) if users else set()
        if erased or lost:
            self._unsaid_texts = self._unsaid.take_out(erased, lost)
        return affected | {user for _, user in erased} | lost

    def _correct(self, users: set[str]) -> None:
        retold = {item_id: text for item_id, (text, _) in self._corrected_items.items()}
        for user_id in users:
            erased = self._is_erased(user_id)
            made = correct_user(
                user_id,
                self.corpus,
                self._texts,
                self.spec,
                is_gone=(lambda _: True) if erased else self._is_gone,
                retold=retold,
                live_vector=self._deltas.vector,
            )
            with self._state:
                before = self._corrections.get(user_id)
                self._corrections[user_id] = made
                for of, sign in ((made, 1), (before, -1)):
                    if of is not None:
                        self._vector_sum += sign * of.vector_sum
                        self._n_vectors += sign * of.n_vectors


def _changed_to(deltas: Deltas, item_id: str) -> tuple[bytes | None, bool] | None:
    """The text that an item of the corpus has now, and whether it has a vector; None where nothing differs."""
    item = deltas.items.get(item_id)
    if item is None or not item.is_changed:
        return None
    return item.text_hash, deltas.vector(item.text_hash) is not None
