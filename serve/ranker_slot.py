"""Where an engine keeps its ranker: looked for with the snapshot, opened by the first question that wants it."""

from __future__ import annotations

import logging
from threading import Lock

from dynprof.errors import WorkspaceError
from dynprof.ranker.served import ServedRanker
from dynprof.store import SnapshotStore

__all__ = ["RankerSlot"]

LOG = logging.getLogger("dynprof.serve")


class RankerSlot:
    """The ranker of a snapshot, or why there is none. Safe to use from several threads.

    A model that is trained later counts from the next reload on, which makes another slot: this one does not change.

    Args:
        store: The snapshot.
    """

    def __init__(self, store: SnapshotStore) -> None:
        self._store, self._lock = store, Lock()
        self._found: tuple[ServedRanker | None, str | None] | None = None

    def get(self) -> tuple[ServedRanker | None, str | None]:
        """The ranker; or None, and why there is none, in words."""
        with self._lock:
            if self._found is None:
                self._found = self._open()
            return self._found

    def _open(self) -> tuple[ServedRanker | None, str | None]:
        try:
            ranker = ServedRanker.open(self._store)
        except WorkspaceError as error:  # no model, or none for this snapshot: a FingerprintError is one
            LOG.warning("snapshot=%s ranker=none %s", self._store.name, error)
            # Where it was looked for is no business of whoever asks: the error begins with the path.
            return None, str(error).partition(": ")[2]
        LOG.info("snapshot=%s ranker=%s loaded", self._store.name, ranker.model.name)
        return ranker, None
