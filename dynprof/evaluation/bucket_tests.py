"""The tests of one user bucket: everything about a user lies in the user's bucket, the vectors too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.bucket_vectors import BucketVectors
from dynprof.corpus import CORPUS
from dynprof.embeddings import EMBEDDINGS
from dynprof.evaluation.item_vectors import ItemVectors, find_vectors
from dynprof.evaluation.loading import Question
from dynprof.evaluation.log import EVENT_COLUMNS, index_events
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import Posed, pose_tests
from dynprof.keys import bucket_name
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

__all__ = ["pose_bucket"]


def pose_bucket(
    workspace: Workspace,
    question: Question,
    bucket: int,
    n_shards: int,
    tests: TestEvents,
    bucket_start: int,
    mean: npt.NDArray[np.float32],
) -> Posed:
    """Profiles and exclusions of the tests whose users are in one bucket.

    Memory: the bucket's events as numbers, the profiles, and a bounded piece of one history with its vectors; from
    object storage the vectors of the tested users' texts.

    Args:
        workspace: Where.
        question: What is asked.
        bucket: User bucket.
        n_shards: Of the embeddings.
        tests: (n,) tests of the bucket, numbered in the log of all buckets.
        bucket_start: Position in that log of the bucket's first event.
        mean: (dim,) prior of users without a bio. Bios carry no time; they are taken as known.

    Raises:
        WorkspaceError: A shard is missing, or a text has no vector.
    """
    table = workspace.read_parquet(CORPUS, "events", bucket_name(bucket), columns=EVENT_COLUMNS)
    log, names = index_events([table], question.type_weights)
    mine = tests.within(log, bucket_start)
    bios, bio_rows = _bios(workspace, bucket, names.user_ids, mine)
    needed = np.zeros(log.n_items, np.bool_)
    needed[log.items[np.isin(log.users, mine.users)]] = True
    wanted = np.flatnonzero(needed)
    hashes = pa.concat_arrays([names.text_hashes.take(pa.array(wanted)), bios])
    where = workspace.path(EMBEDDINGS, question.fingerprint)
    found = find_vectors(_chunk(workspace, question.fingerprint, bucket, n_shards, hashes), hashes, where=where)
    rows = np.zeros(log.n_items, np.int64)
    rows[wanted] = found.rows[: len(wanted)]
    prior = np.vstack([mean[None, :], found.take(slice(len(wanted), None)).astype(np.float32)])[bio_rows]
    vectors = ItemVectors(found.chunk, rows)
    return pose_tests(log, vectors, mine, question.decays, prior=prior, prior_weight=question.prior_weight)


def _bios(
    workspace: Workspace, bucket: int, user_ids: pa.StringArray, tests: TestEvents
) -> tuple[pa.FixedSizeBinaryArray, npt.NDArray[np.int64]]:
    """Text hashes of the tested users' bios, and for each test 1 + the place of its user's there, or 0 for none."""
    users, user_of_test = np.unique(tests.users, return_inverse=True)
    bios = workspace.read_parquet(CORPUS, "users", bucket_name(bucket), columns=["user_id", "text_hash"])
    bios = bios.filter(pc.is_valid(bios["text_hash"])).combine_chunks()
    found = pc.index_in(user_ids.take(pa.array(users)), value_set=bios["user_id"].combine_chunks())
    known = np.asarray(pc.is_valid(found))
    place = np.where(known, np.cumsum(known), 0)
    return bios["text_hash"].combine_chunks().take(found.drop_null()), place[user_of_test]


def _chunk(
    workspace: Workspace, fingerprint: str, bucket: int, n_shards: int, hashes: pa.FixedSizeBinaryArray
) -> VectorChunk:
    """The bucket's vectors: as they lie on a local disk, else a copy of those of the hashes."""
    vectors = BucketVectors(workspace, fingerprint, bucket, n_shards)
    chunks = (chunk for _, chunk in vectors.chunks())
    if workspace.is_local:
        return next(chunks)
    parts = []
    for chunk in chunks:
        rows = np.flatnonzero(np.asarray(pc.is_in(chunk.hashes, value_set=hashes)))
        parts.append(VectorChunk(chunk.hashes.take(pa.array(rows)), [chunk.take(rows)]))
    return VectorChunk(pa.concat_arrays([p.hashes for p in parts]), [p.pieces[0] for p in parts])
