"""What a replica answers from: one snapshot, loaded. A request holds one engine from its first line to its last."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from typing import Protocol

from dynprof.decay import Decay
from dynprof.embeddings import EMBEDDINGS
from dynprof.item_search import CatalogueItems
from dynprof.items import ItemCatalogue
from dynprof.live.log import EventLog
from dynprof.neighbors import NeighborIndex
from dynprof.snapshot_users import SnapshotUsers
from dynprof.sources import ItemSource, UserSource
from dynprof.store import LATEST, SnapshotStore
from dynprof.workspace import Workspace
from serve.defaults import Defaults, read_defaults
from serve.live_engine import LiveSources
from serve.page_data import PageData
from serve.ranker_slot import RankerSlot
from serve.schemas import EncoderAnswer
from serve.text_encoder import TextEncoder

__all__ = ["Engine"]

LOG = logging.getLogger("dynprof.serve")


class HasDecay(Protocol):
    """A question with a decay."""

    def decay(self, defaults: Defaults) -> Decay:
        """See `serve.parameters`."""


class HasTime(Protocol):
    """A question with a time."""

    def as_of_us(self, *, default_us: int) -> int:
        """See `serve.parameters`."""


@dataclass(frozen=True)
class Engine:
    """One snapshot with its items, ready to answer. Immutable and safe to use from several threads.

    Attributes:
        store: The snapshot: its name and what its profiles mean.
        users: Whom answers are about. Of the snapshot, or of the snapshot and what came since.
        items: What can be recommended, likewise.
        neighbor_index: Similar users, as of the snapshot's time.
        encoder: Whose vectors these are.
        text_encoder: For texts that are posted.
        page: What only the page asks for.
        loaded_us: When it was loaded, microseconds since 1970.
        defaults: What completes a question.
        ranker: What scores `metric=ranker`, if there is one.
        live: What follows the log; None without one.
    """

    store: SnapshotStore
    users: UserSource
    items: ItemSource
    neighbor_index: NeighborIndex
    encoder: EncoderAnswer
    text_encoder: TextEncoder
    page: PageData
    loaded_us: int
    defaults: Defaults
    ranker: RankerSlot
    live: LiveSources | None = None

    @classmethod
    def open(
        cls, workspace: Workspace, snapshot: str = LATEST, *, neighbor_cache_bytes: int, log: EventLog | None = None
    ) -> Engine:
        """Load a snapshot, and follow a log from where the snapshot's corpus has taken it in.

        Raises:
            SnapshotNotFoundError: No finished snapshot of that name.
            WorkspaceError: The corpus or the embeddings are not those of the snapshot, or incomplete.
        """
        store = SnapshotStore(workspace, snapshot)
        fingerprint = store.spec.fingerprint
        manifest = workspace.require_manifest(EMBEDDINGS, fingerprint, made_by="encode")
        items = CatalogueItems(store, ItemCatalogue.load(workspace, fingerprint, store.corpus))
        encoder = TextEncoder({**manifest, "fingerprint": fingerprint})
        live = None if log is None else LiveSources(store, items, encoder, log)
        neighbor_index = NeighborIndex(store, cache_bytes=neighbor_cache_bytes)
        opened = cls(
            store,
            SnapshotUsers(store) if live is None else live.users,
            items if live is None else live.items,
            neighbor_index,
            EncoderAnswer(name=manifest["encoder"], fingerprint=fingerprint),
            encoder,
            PageData(store, items, neighbor_index),
            time.time_ns() // 1000,
            read_defaults(store),
            RankerSlot(store),
            live,
        )
        LOG.info("snapshot=%s users=%d items=%d loaded", store.name, store.n_users, len(opened.items))
        return opened

    def close(self) -> None:
        """Follow the log no longer; requests that have begun still get their answers."""
        if self.live is not None:
            self.live.close()

    def renewed(self) -> Engine:
        """The same, with the defaults of the choice and the ranker that the workspace has now."""
        return replace(self, defaults=read_defaults(self.store), ranker=RankerSlot(self.store))

    def decay_of(self, query: HasDecay) -> Decay:
        """The decay of a question, completed where it names none.

        Raises:
            ConfigError: `learned`, where no decay was fitted or with something that it does not have.
        """
        return query.decay(self.defaults)

    def time_of(self, query: HasTime) -> int:
        """The time of a question, microseconds since 1970: the latest that is known where it names none."""
        return query.as_of_us(default_us=self.users.as_of_us)
