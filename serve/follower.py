"""Which engine a replica answers from, and how every replica comes to the snapshot that is wanted.

The wish is a small file in the workspace, `live/serving`, which all replicas can read. Each loads the snapshot beside
the one that it serves and then swaps one reference: a request that has begun keeps the engine that it began with.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Condition, Lock, Thread

from dynprof.errors import DynprofError, SnapshotNotFoundError
from dynprof.snapshot import latest_snapshot, read_spec
from dynprof.store import LATEST
from dynprof.workspace import Workspace
from serve.engine import Engine
from serve.metrics import Metrics

__all__ = ["WISH", "Follower", "Load", "wished"]

LOG = logging.getLogger("dynprof.serve")

WISH = ("live", "serving")
"""Folder whose manifest names the snapshot that was asked for last."""

Load = Callable[[str], Engine]


def wished(workspace: Workspace, *, since_us: int) -> tuple[str, int] | None:
    """The snapshot that was asked for at or after a time, and when; None where none was.

    Args:
        workspace: Where.
        since_us: When the application was deployed: what was wanted before has been overruled by that.
    """
    wish = workspace.read_manifest(*WISH)
    if wish is None or wish["requested_at_us"] < since_us:
        return None
    return str(wish["snapshot"]), int(wish["requested_at_us"])


class Follower:
    """The engine of a replica, and what is wanted next. Safe to use from several threads.

    Args:
        engine: What is served first; None while nothing is.
        load: Opens a snapshot by name.
        workspace: Where wishes are written; None where nobody may wish.
        metrics: Where to count.
        since_us: See `wished`.
    """

    def __init__(
        self, engine: Engine | None, load: Load, workspace: Workspace | None, metrics: Metrics, *, since_us: int = 0
    ) -> None:
        self._engine, self._load, self._workspace, self._metrics = engine, load, workspace, metrics
        self._since_us = since_us
        self._loading = Lock()
        self._changed = Condition()
        self._failures: dict[str, str] = {}
        self.wanted = engine.store.name if engine else LATEST
        if engine:
            metrics.serving(engine)

    @property
    def engine(self) -> Engine | None:
        """What is served now. Ask once a request."""
        return self._engine

    @property
    def failure(self) -> str | None:
        """Why the wanted snapshot is not served; None where it is or will be."""
        return self._failures.get(self.wanted)

    def want(self, snapshot: str) -> str:
        """Ask every replica to serve a snapshot; its name. This one begins to load it at once.

        Raises:
            SnapshotNotFoundError: No finished snapshot of that name.
        """
        if self._workspace is None:
            raise SnapshotNotFoundError("snapshot: expected a server with a workspace, found one without.")
        name = latest_snapshot(self._workspace) if snapshot == LATEST else snapshot
        read_spec(self._workspace, name)
        now_us = time.time_ns() // 1000
        self._workspace.write_manifest({"snapshot": name, "requested_at_us": now_us}, *WISH)
        self._since_us = now_us + 1  # known from here on
        if self._serves(name) and not self._loading.locked():  # what is new beside it is taken first
            self._expect(name)
            self._swap(name)
        else:
            self._begin(name)
        return name

    def wait(self, snapshot: str, seconds: float) -> bool:
        """Whether a snapshot is served, at the latest after so many seconds; sooner where it cannot be."""
        with self._changed:
            self._changed.wait_for(lambda: self._serves(snapshot) or snapshot in self._failures, seconds)
            return self._serves(snapshot)

    def check(self) -> None:
        """Look whether another snapshot is wanted, and load it."""
        wish = None if self._workspace is None else wished(self._workspace, since_us=self._since_us)
        if wish is not None:
            self._since_us = wish[1] + 1
            self._expect(wish[0])
            self._swap(wish[0])

    def follow(self, every_s: float) -> None:
        """Check for ever, in a thread that ends with the process."""
        Thread(target=self._follow, args=(every_s,), name="follow-snapshot", daemon=True).start()

    def _follow(self, every_s: float) -> None:
        while True:
            time.sleep(every_s)
            try:
                self.check()
            except Exception:  # a store that does not answer now will later
                LOG.exception("wanted snapshot not read")

    def _serves(self, snapshot: str) -> bool:
        return self._engine is not None and self._engine.store.name == snapshot

    def _begin(self, snapshot: str) -> None:
        self._expect(snapshot)
        Thread(target=self._swap, args=(snapshot,), name="load-snapshot", daemon=True).start()

    def _expect(self, snapshot: str) -> None:
        self.wanted = snapshot
        self._failures.pop(snapshot, None)

    def _swap(self, snapshot: str) -> None:
        """Load a snapshot and serve it; of one that is served what is chosen and trained beside it, one at a time."""
        with self._loading:
            if snapshot != self.wanted:
                return
            if self._engine is not None and self._serves(snapshot):
                self._engine = self._engine.renewed()
                return
            try:
                engine = self._load(snapshot)
            except Exception as error:
                LOG.exception("snapshot=%s not loaded", snapshot)
                said = str(error) if isinstance(error, DynprofError) else "The log of the replica says why."
                self._note(snapshot, said)
                return
            if snapshot != self.wanted:  # while it was loaded another one was asked for
                engine.close()
                return
            before, self._engine = self._engine, engine
            if before is not None:
                before.close()
            self._metrics.serving(engine)
            self._note(snapshot, None)

    def _note(self, snapshot: str, failure: str | None) -> None:
        self._metrics.reloaded("ok" if failure is None else "failed")
        with self._changed:
            if failure is not None:
                self._failures[snapshot] = failure
            self._changed.notify_all()
