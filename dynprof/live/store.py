"""Snapshot and what came since, read as if they were one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.decay import Decay
from dynprof.embedded import open_vectors
from dynprof.errors import UnknownUserError
from dynprof.history import History, HistoryReader, WeightedTimes
from dynprof.keys import hash_words
from dynprof.live.log import EventLog
from dynprof.live.overlay import Overlay
from dynprof.live.tombstones import Tombstones
from dynprof.seen import SeenTexts
from dynprof.state import ProfileStates
from dynprof.store import SnapshotStore
from dynprof.user_profile import KnownUser, UserProfile

__all__ = ["LiveStore"]


class LiveStore:
    """A `sources.UserSource`: the events of a log over those of a snapshot. Safe to read from several threads.

    Somebody must let `overlay` catch up: a `Follower`, or the caller.

    Args:
        store: The snapshot; it has all events of its corpus.
        log: Of live events; what the snapshot's corpus has taken in of it is not read again.
    """

    def __init__(self, store: SnapshotStore, log: EventLog) -> None:
        self.store = store
        vectors = open_vectors(store.workspace, store.spec.fingerprint, store.corpus)
        corpus = store.corpus
        is_clean = corpus.manifest.get("erased") == Tombstones.of(log).digest
        is_clean = is_clean and store.manifest["corpus_id"] == corpus.corpus_id  # not of before the erasure
        self.overlay = Overlay(log, corpus, vectors, store.spec, is_clean=is_clean)
        self._histories = HistoryReader(store)
        self._seen = SeenTexts(store.workspace, store.n_buckets, segments=corpus.segments)

    @property
    def as_of_us(self) -> int:
        """One microsecond after the last event of snapshot and log: the time of a question that names none."""
        last_us = self.overlay.last_us
        return self.store.spec.as_of_us if last_us is None else max(self.store.spec.as_of_us, last_us + 1)

    @property
    def population(self) -> npt.NDArray[np.float32]:
        """(dim,) mean vector of all events: the prior of users without a bio."""
        return self.overlay.population

    @property
    def prior_weight(self) -> float:
        """kappa, in units of event weight."""
        return self.store.spec.prior_weight

    def profile(self, user_id: str, decay: Decay, as_of_us: int | None = None) -> UserProfile:
        """Read one user's profile.

        Args:
            user_id: Whose.
            decay: Any kind, at any half-life.
            as_of_us: Microseconds since 1970; None is `as_of_us` of the store.

        Raises:
            UnknownUserError: Nobody knows the user, or the user was erased.
            AsOfError: The user has sums instead of events, and the time is not after the last of them.
        """
        return self.user(user_id).profile(decay, self.as_of_us if as_of_us is None else as_of_us)

    def user(self, user_id: str) -> KnownUser:
        """Everything that is known of a user.

        Raises:
            UnknownUserError: As in `profile`.
        """
        change = self.overlay.user(user_id)
        stored = None if change.is_erased else self._stored(user_id)
        if stored is not None and change.correction is not None:
            known = change.correction.is_known
            stored = replace(stored, states=change.correction.states) if known else None
        if change.is_erased or (stored is None and change.fold is None):
            raise UnknownUserError(
                f"user_id: expected a user of snapshot {self.store.name} or of the live events since, "
                f"found {user_id!r}."
            )
        spec, population = self.store.spec, self.population
        if stored is None:
            nothing = ProfileStates.empty(1, spec.dim, bank=spec.bank)
            stored = KnownUser(nothing, population, "population", spec.prior_weight)
        elif stored.prior_kind == "population":
            stored = replace(stored, prior=population)
        if change.fold is None:
            return stored
        live = change.fold.states()
        self.overlay.keep(user_id, change.fold, live)
        return replace(stored, states=stored.states.merge(live))

    def times(self, user_id: str) -> WeightedTimes:
        """When and how heavy the user's events were; nothing for whom nobody knows."""
        change = self.overlay.user(user_id)
        if change.is_erased:
            return History.empty(self.store.spec.dim)
        of_corpus = self._histories.times(user_id) if change.correction is None else change.correction.history
        live = self.overlay.history_of(user_id)
        at_us = np.concatenate([of_corpus.at_us, live.at_us])
        order = np.argsort(at_us, kind="stable")
        return WeightedTimes(at_us[order], np.concatenate([of_corpus.weights, live.weights])[order])

    def history(self, user_id: str) -> History:
        """The user's events with their vectors; nothing for whom nobody knows."""
        change = self.overlay.user(user_id)
        if change.is_erased:
            return History.empty(self.store.spec.dim)
        of_corpus = self._histories.read(user_id) if change.correction is None else change.correction.history
        return of_corpus.join(self.overlay.history_of(user_id))

    def seen(self, user_id: str, as_of_us: int) -> npt.NDArray[np.uint64]:
        """(n, 2) hashes of the texts of a user's events strictly before a time, those of the corpus and live ones."""
        live = [text for at_us, text in self.overlay.text_hashes_of(user_id) if at_us < as_of_us]
        if self.store.bucket(user_id) is None:
            return _words(live)
        return np.concatenate([self._seen.before(user_id, as_of_us), _words(live)])

    def _stored(self, user_id: str) -> KnownUser | None:
        try:
            return self.store.user(user_id)
        except UnknownUserError:
            return None


def _words(hashes: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    return hash_words(pa.array(hashes, pa.binary(16)))
