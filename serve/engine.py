"""What a replica holds, and how it gets from a checked question to an answer. No HTTP in here."""

from __future__ import annotations

import base64
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from dynprof.decay import Decay
from dynprof.embeddings import EMBEDDINGS
from dynprof.items import ItemCatalogue
from dynprof.neighbors import NeighborIndex
from dynprof.recommend import recommend
from dynprof.seen import SeenTexts
from dynprof.store import LATEST, SnapshotStore, UserProfile
from dynprof.workspace import Workspace
from serve.parameters import NeighborsQuery, ProfileQuery, RecommendationsQuery
from serve.schemas import (
    DecayAnswer,
    EncoderAnswer,
    NeighborAnswer,
    NeighborsAnswer,
    ProfileAnswer,
    ReadyAnswer,
    RecommendationsAnswer,
    RecommendedItem,
)

__all__ = ["Engine"]

LOG = logging.getLogger("dynprof.serve")


@dataclass(frozen=True)
class Engine:
    """One snapshot with its items, ready to answer. Safe to use from several threads."""

    store: SnapshotStore
    items: ItemCatalogue
    seen: SeenTexts
    neighbor_index: NeighborIndex
    encoder: EncoderAnswer

    @classmethod
    def open(cls, workspace: Workspace, snapshot: str = LATEST, *, neighbor_cache_bytes: int) -> Engine:
        """Load a snapshot.

        Raises:
            SnapshotNotFoundError: No finished snapshot of that name.
            WorkspaceError: The corpus or the embeddings are not those of the snapshot, or incomplete.
        """
        store = SnapshotStore(workspace, snapshot)
        fingerprint = store.spec.fingerprint
        name = workspace.require_manifest(EMBEDDINGS, fingerprint, made_by="encode")["encoder"]
        opened = cls(
            store,
            ItemCatalogue.load(workspace, fingerprint, store.corpus),
            SeenTexts(workspace, store.n_buckets, segments=store.corpus.segments),
            NeighborIndex(store, cache_bytes=neighbor_cache_bytes),
            EncoderAnswer(name=name, fingerprint=fingerprint),
        )
        LOG.info("snapshot=%s users=%d items=%d loaded", store.name, store.n_users, len(opened.items))
        return opened

    def ready(self) -> ReadyAnswer:
        """What is loaded."""
        return ReadyAnswer(
            snapshot=self.store.name,
            as_of=_datetime(self.store.spec.as_of_us),
            encoder=self.encoder,
            n_users=self.store.n_users,
            n_items=len(self.items),
        )

    def profile(self, user_id: str, query: ProfileQuery) -> ProfileAnswer:
        """Raises `UnknownUserError` and `AsOfError`, as the two below."""
        decay, as_of_us = self._meaning(query), query.as_of_us(default_us=self.store.spec.as_of_us)
        read = self.store.profile(user_id, decay, as_of_us)
        return ProfileAnswer(
            **self._about(user_id, read, decay, as_of_us),
            prior=read.prior,
            mass=read.mass,
            n_effective=read.n_effective,
            n_events=read.n_events,
            error_bound=read.error_bound,
            first_event_at=None if read.first_us is None else _datetime(read.first_us),
            last_event_at=None if read.last_us is None else _datetime(read.last_us),
            dim=len(read.vector),
            vector=base64.b64encode(read.vector.astype("<f4").tobytes()).decode() if query.vector else None,
        )

    def neighbors(self, user_id: str, query: NeighborsQuery) -> NeighborsAnswer:
        """As of the snapshot's time."""
        decay, as_of_us = self._meaning(query), self.store.spec.as_of_us
        read = self.store.profile(user_id, decay, as_of_us)
        ranking = self.neighbor_index.nearest(user_id, decay, query.k)
        found = zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True)
        return NeighborsAnswer(
            **self._about(user_id, read, decay, as_of_us),
            neighbors=[NeighborAnswer(user_id=self.store.user_id(n), score=s) for n, s in found],
        )

    def recommendations(self, user_id: str, query: RecommendationsQuery) -> RecommendationsAnswer:
        """Exact: every item that appeared before `as_of` is a candidate."""
        decay, as_of_us = self._meaning(query), query.as_of_us(default_us=self.store.spec.as_of_us)
        read = self.store.profile(user_id, decay, as_of_us)
        seen = self.items.rows_of(self.seen.before(user_id, as_of_us)) if query.exclude_seen else None
        ranking = recommend(
            self.items,
            read.vector,
            k=query.k,
            as_of_us=as_of_us,
            metric=query.metric,
            item_decay=Decay("exponential", query.item_half_life),
            excluded=seen,
        )
        rows = self.items.table.take(pa.array(ranking.rows)).to_pylist()
        return RecommendationsAnswer(
            **self._about(user_id, read, decay, as_of_us),
            metric=query.metric,
            item_half_life=query.item_half_life if query.metric == "cosine_time" else None,
            exclude_seen=query.exclude_seen,
            items=[RecommendedItem(score=s, **row) for s, row in zip(ranking.scores.tolist(), rows, strict=True)],
        )

    def _meaning(self, query: ProfileQuery | NeighborsQuery | RecommendationsQuery) -> Decay:
        return query.decay(default_half_life=self.store.default_half_life)

    def _about(self, user_id: str, read: UserProfile, decay: Decay, as_of_us: int) -> dict[str, Any]:
        """The fields of `UserAnswer`."""
        return {
            "user_id": user_id,
            "snapshot": self.store.name,
            "encoder": self.encoder,
            "as_of": _datetime(as_of_us),
            "decay": DecayAnswer(
                kind=decay.kind, half_life=_text(decay.half_life), offset=str(decay.offset), floor=decay.floor
            ),
            "basis": read.basis,
        }


def _text(half_life: object) -> str | None:
    return None if half_life is None else str(half_life)


def _datetime(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
