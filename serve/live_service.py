"""From the routes of live events to whichever engine serves when they are asked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from dynprof.live.log import EventLog, LiveEvent
from dynprof.segments import read_bios, read_events
from dynprof.store import SnapshotStore
from serve.follower import Follower
from serve.live import LiveService
from serve.live_engine import LiveSources

__all__ = ["exported", "live_service"]

_EXPORTED = ["user_id", "event_id", "timestamp", "event_type", "item_id", "text", "weight", "language"]


def live_service(log: EventLog, engines: Follower) -> LiveService:
    """Takes events in for whichever engine serves when they come."""

    def wake() -> None:
        if (live := _live_of(engines)) is not None:
            live.wake()

    def catch_up() -> None:
        if (live := _live_of(engines)) is not None:
            live.catch_up()

    def known(events: Sequence[LiveEvent]) -> Collection[int]:
        live = _live_of(engines)
        return set() if live is None else live.users.overlay.known(events)

    def snapshot_of(user_id: str) -> Mapping[str, Any] | None:
        return None if engines.engine is None else exported(engines.engine.store, user_id, log)

    return LiveService(log, known=known, on_change=[wake], on_erase=[catch_up], snapshot_of=snapshot_of)


def exported(store: SnapshotStore, user_id: str, log: EventLog) -> dict[str, Any] | None:
    """Everything that a snapshot and its corpus hold of a user, less erased events; None where that is nothing."""
    bucket = store.bucket(user_id)
    if bucket is None:
        return None
    segments = store.corpus.segments
    events = read_events(store.workspace, bucket, _EXPORTED, segments=segments, user_id=user_id)
    bios = read_bios(store.workspace, bucket, ["user_id", "bio"], segments=segments)
    bio = bios.filter(pc.equal(bios["user_id"], user_id))["bio"].to_pylist()
    gone = log.erased_events()
    kept = [row for row in events.to_pylist() if not gone or log.keyed(row["event_id"]) not in gone]
    if not kept and not bio:
        return None
    rows = [{**row, "timestamp": row["timestamp"].isoformat()} for row in kept]
    return {"snapshot": store.name, "bio": bio[0] if bio else None, "events": rows}


def _live_of(engines: Follower) -> LiveSources | None:
    return None if engines.engine is None else engines.engine.live
