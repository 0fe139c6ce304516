"""One user bucket as a monitor needs it: its events before the snapshot's time, their vectors, priors, ids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.drift.trail import Trail
from dynprof.embedded import CorpusVectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.evaluation.bucket_tests import bucket_chunk
from dynprof.evaluation.item_vectors import ItemVectors, find_vectors
from dynprof.evaluation.log import EVENT_COLUMNS, EventLog, index_events
from dynprof.segments import read_bios, read_events
from dynprof.vectors import one_chunk

__all__ = ["BucketTrails", "open_bucket"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BucketTrails:
    """The users of a bucket.

    Attributes:
        log: Their events before the time, numbered within the bucket.
        user_ids: What user numbers stand for.
        text_hashes: What item numbers stand for.
        event_ids: (len(log),) of each event.
        event_types: (len(log),) of each event.
        vectors: Of all items.
        priors: (n_users, dim) bio or population mean.
        has_bio: (n_users,) which of the two.
    """

    log: EventLog
    user_ids: pa.StringArray
    text_hashes: pa.FixedSizeBinaryArray
    event_ids: pa.StringArray
    event_types: pa.StringArray
    vectors: ItemVectors
    priors: npt.NDArray[np.float32]
    has_bio: npt.NDArray[np.bool_]

    def positions(self, user: int) -> slice:
        """Where the events of a user lie."""
        first, stop = np.searchsorted(self.log.users, [user, user + 1])
        return slice(int(first), int(stop))

    def trail(self, user: int) -> Trail:
        """The user's interactions."""
        mine = self.positions(user)
        vectors = self.vectors.take(self.log.items[mine]).astype(np.float32)
        return Trail(self.log.event_us[mine], self.log.weights[mine], vectors)


def open_bucket(
    corpus: CorpusVectors, bucket: int, type_weights: dict[str, float], as_of_us: int, mean: npt.NDArray[np.float32]
) -> BucketTrails:
    """Read a bucket.

    Args:
        corpus: Where events and vectors lie.
        bucket: User bucket.
        type_weights: As in the snapshot.
        as_of_us: Events at or after it are left out.
        mean: (dim,) prior of users without a bio.

    Raises:
        WorkspaceError: A shard is missing, or a text has no vector.
    """
    columns = [*EVENT_COLUMNS, "event_id"]
    table = read_events(corpus.workspace, bucket, columns, segments=corpus.segments)
    table = table.filter(pc.is_valid(table["text_hash"]))
    whole, names = index_events([table.select(EVENT_COLUMNS)], type_weights)
    kept = pa.array(np.flatnonzero(whole.event_us < as_of_us))
    log = whole.before(as_of_us)
    hashes = one_chunk(names.text_hashes).slice(0, log.n_items)  # numbered by first appearance: a prefix
    bios = _bios(corpus, bucket, names.user_ids)
    known = np.flatnonzero(np.asarray(bios.is_valid()))
    needed = pa.concat_arrays([hashes, one_chunk(bios.take(pa.array(known)))])
    found = find_vectors(bucket_chunk(corpus, bucket, needed), needed, where=_where(corpus))
    priors = np.repeat(mean[None, :].astype(np.float32), len(names.user_ids), axis=0)
    priors[known] = found.take(slice(log.n_items, None))
    vectors = ItemVectors(found.chunk, found.rows[: log.n_items])
    ids, types = (one_chunk(table[name]).take(kept) for name in ("event_id", "event_type"))
    return BucketTrails(log, names.user_ids, hashes, ids, types, vectors, priors, np.asarray(bios.is_valid()))


def _bios(corpus: CorpusVectors, bucket: int, user_ids: pa.StringArray) -> pa.FixedSizeBinaryArray:
    """(n_users,) text hash of each user's bio; null without one."""
    bios = read_bios(corpus.workspace, bucket, ["user_id", "text_hash"], segments=corpus.segments)
    rows = pc.index_in(user_ids, value_set=one_chunk(bios["user_id"]))
    return one_chunk(bios["text_hash"]).take(rows)


def _where(corpus: CorpusVectors) -> str:
    return str(corpus.workspace.path(EMBEDDINGS, corpus.fingerprint))
