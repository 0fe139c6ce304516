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
from dynprof.keys import hash_words
from dynprof.live.log import EventLog
from dynprof.live.overlay import Overlay
from dynprof.live.tombstones import Tombstones
from dynprof.seen import SeenTexts
from dynprof.store import SnapshotStore
from dynprof.user_profile import KnownUser, UserProfile

__all__ = ["LiveStore"]


class LiveStore:
    """Everybody's profile with the events of a log over those of a snapshot. Safe to read from several threads.

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

    @property
    def as_of_us(self) -> int:
        """One microsecond after the last event of snapshot and log: the time of a question that names none."""
        last_us = self.overlay.last_us
        return self.store.spec.as_of_us if last_us is None else max(self.store.spec.as_of_us, last_us + 1)

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
        user = self.user(user_id)
        return user.profile(decay, self.as_of_us if as_of_us is None else as_of_us)

    def user(self, user_id: str) -> KnownUser:
        """Everything that is known of a user.

        Raises:
            UnknownUserError: As in `profile`.
        """
        change = self.overlay.user(user_id)
        if change.is_erased:
            raise self._unknown(user_id)
        stored = self._stored(user_id)
        if stored is not None and change.correction is not None:
            stored = replace(stored, states=change.correction.states) if change.correction.is_known else None
        if change.fold is None:
            if stored is None:
                raise self._unknown(user_id)
            return stored
        live = change.fold.states()
        self.overlay.keep(user_id, change.fold, live)
        if stored is None:
            return KnownUser(live, self.overlay.population, "population", self.store.spec.prior_weight)
        return replace(stored, states=stored.states.merge(live))

    def _stored(self, user_id: str) -> KnownUser | None:
        """What the snapshot has of a user, with the population's mean as of now."""
        try:
            stored = self.store.user(user_id)
        except UnknownUserError:
            return None
        return stored if stored.prior_kind == "bio" else replace(stored, prior=self.overlay.population)

    def seen(self, corpus: SeenTexts, user_id: str, as_of_us: int) -> npt.NDArray[np.uint64]:
        """(n, 2) hashes of the texts of a user's events before a time, those of the corpus and live ones.

        Args:
            corpus: Reads the corpus of the snapshot.
            user_id: Whose.
            as_of_us: Microseconds since 1970.
        """
        live = [text for at_us, text in self.overlay.text_hashes_of(user_id) if at_us < as_of_us]
        return np.concatenate([corpus.before(user_id, as_of_us), _words(live)])

    def _unknown(self, user_id: str) -> UnknownUserError:
        return UnknownUserError(
            f"user_id: expected a user of snapshot {self.store.name} or of the live events since, found {user_id!r}."
        )


def _words(hashes: Sequence[bytes]) -> npt.NDArray[np.uint64]:
    return hash_words(pa.array(hashes, pa.binary(16)))
