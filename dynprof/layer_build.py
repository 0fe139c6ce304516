"""A layer from new events: for each user that an update touches, the state of what is new."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.build import BucketEvents
from dynprof.embedded import CorpusVectors, segment_fingerprint
from dynprof.keys import buckets
from dynprof.schema import BIOS, EVENTS, changes_schema
from dynprof.segments import read_events, read_segment
from dynprof.snapshot import SnapshotSpec
from dynprof.state import ProfileStates
from dynprof.state_io import states_to_batch
from dynprof.store import SnapshotStore
from dynprof.vectors import one_chunk
from dynprof.workspace import Workspace

__all__ = ["Layer", "build_layer"]

_COLUMNS = ["user_id", "timestamp", "event_type", "text_hash", "weight"]


@dataclass(frozen=True)
class Layer:
    """What a layer's file holds, and its counts.

    Attributes:
        batches: Of `changes_schema`, one a user bucket, each sorted by user.
        n_users: Users that it touches.
        n_new_users: Users that no earlier layer knows.
        n_replaced_users: Users whose state stands for all that was there.
        n_events: New events with a vector.
    """

    batches: list[pa.RecordBatch]
    n_users: int
    n_new_users: int
    n_replaced_users: int
    n_events: int


def build_layer(store: SnapshotStore, vectors: CorpusVectors, spec: SnapshotSpec, segments: tuple[str, ...]) -> Layer:
    """The layer that brings a snapshot up to some segments more.

    Args:
        store: The snapshot that it goes over.
        vectors: Of the corpus with those segments.
        spec: Meaning of the new snapshot; all events of the corpus are before its `as_of`.
        segments: Those that the store has not seen, oldest first.
    """
    replaced = _replaced_users(vectors.workspace, segments)
    events, bios = _new_events(vectors.workspace, segments), _new_bios(vectors.workspace, segments)
    recent = {segment_fingerprint(vectors.fingerprint, s) for s in segments}
    source = replace(vectors, parts=tuple(part for part in vectors.parts if part[0] in recent))
    if len(replaced):
        events = events.filter(pc.invert(pc.is_in(events["user_id"], value_set=replaced)))
        events = pa.concat_tables([events, _all_events(vectors, replaced, store.n_buckets)])
        source = vectors
    known = _texts(events, bios)
    selected = BucketEvents.select([events], bios, spec, known)
    bucket = buckets(selected.user_ids, store.n_buckets)
    order = np.argsort(bucket, kind="stable")
    bounds = np.searchsorted(bucket[order], np.arange(store.n_buckets + 1))
    rows = _rows(selected, order, source.load(known), spec)
    seen = [store.knows(b, rows["user_id"][i:j]) for b, (i, j) in enumerate(pairwise(bounds))]
    is_new = ~np.concatenate(seen)
    told = pc.is_in(rows["user_id"], value_set=one_chunk(bios["user_id"]))
    flags = [pa.array(is_new), pc.is_in(rows["user_id"], value_set=replaced), told]
    changes = pa.RecordBatch.from_arrays([*rows.columns, *flags], schema=changes_schema(spec.dim))
    batches = [changes.slice(i, j - i) for i, j in pairwise(bounds)]
    return Layer(batches, len(rows), int(is_new.sum()), len(replaced), len(selected.users))


def _rows(
    selected: BucketEvents, order: npt.NDArray[np.int64], vectors: npt.NDArray[np.float16], spec: SnapshotSpec
) -> pa.RecordBatch:
    """States and priors of the selected users, in an order of them."""
    n = len(order)
    at = np.empty(n, np.int64)
    at[order] = np.arange(n)
    half = vectors[selected.rows]
    states = ProfileStates.from_events(at[selected.users], selected.at_us, selected.weights, half, n, bank=spec.bank)
    priors, has_prior = np.zeros((n, spec.dim), np.float16), np.zeros(n, np.bool_)
    priors[at[selected.bio_users]], has_prior[at[selected.bio_users]] = vectors[selected.bio_rows], True
    return states_to_batch(states, selected.user_ids.take(pa.array(order)), priors, has_prior)


def _texts(*tables: pa.Table) -> pa.Array:
    """Hashes of all texts of some tables, each once."""
    hashes = [chunk for table in tables for chunk in table["text_hash"].chunks]
    return pc.unique(pa.chunked_array(hashes, pa.binary(16))).drop_null()


def _new_events(workspace: Workspace, segments: tuple[str, ...]) -> pa.Table:
    """Events that add to a state: new ones, and old ones that had no text until now."""
    tables = [pa.schema([EVENTS.field(name) for name in _COLUMNS]).empty_table()]
    for segment in segments:
        revised = read_segment(workspace, segment, "revised", columns=[*_COLUMNS, "old_text_hash"])
        tables += [
            read_segment(workspace, segment, "events", columns=_COLUMNS).select(_COLUMNS),
            revised.filter(pc.is_null(revised["old_text_hash"])).select(_COLUMNS),
        ]
    return pa.concat_tables(tables)


def _new_bios(workspace: Workspace, segments: tuple[str, ...]) -> pa.Table:
    """The last bio of each user that got one."""
    bios = pa.schema([BIOS.field(name) for name in ("user_id", "text_hash")]).empty_table()
    for segment in segments:
        more = read_segment(workspace, segment, "users", columns=["user_id", "text_hash"])
        earlier = bios.filter(pc.invert(pc.is_in(bios["user_id"], value_set=one_chunk(more["user_id"]))))
        bios = pa.concat_tables([earlier, more.select(bios.column_names)])
    return bios


def _replaced_users(workspace: Workspace, segments: tuple[str, ...]) -> pa.Array:
    """Users with an event that had a vector and has another one, or none, now."""
    users = [pa.array([], pa.string())]
    for segment in segments:
        revised = read_segment(workspace, segment, "revised", columns=["user_id", "text_hash", "old_text_hash"])
        before, now = one_chunk(revised["old_text_hash"]), one_chunk(revised["text_hash"])
        changed = pc.and_(pc.is_valid(before), pc.fill_null(pc.not_equal(before, now), True))
        users.append(one_chunk(revised["user_id"].filter(changed)))
    return pc.unique(pa.concat_arrays(users))


def _all_events(vectors: CorpusVectors, users: pa.Array, n_buckets: int) -> pa.Table:
    """Every event of some users."""
    tables = []
    for bucket in np.unique(buckets(users, n_buckets)).tolist():
        events = read_events(vectors.workspace, bucket, _COLUMNS, segments=vectors.segments)
        tables.append(events.filter(pc.is_in(events["user_id"], value_set=users)))
    return pa.concat_tables(tables)
