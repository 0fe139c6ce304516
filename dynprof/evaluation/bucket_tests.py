"""The tests of one user bucket: everything about a user lies in the user's bucket, the vectors too."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embedded import CorpusVectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.evaluation.item_vectors import ItemVectors, find_vectors
from dynprof.evaluation.loading import Question, read_bucket
from dynprof.evaluation.log import index_events
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import Posed, pose_tests
from dynprof.segments import read_bios
from dynprof.vector_chunk import VectorChunk

__all__ = ["pose_bucket"]


def pose_bucket(
    corpus: CorpusVectors,
    question: Question,
    bucket: int,
    tests: TestEvents,
    bucket_start: int,
    mean: npt.NDArray[np.float32],
    target_us: npt.NDArray[np.int64],
) -> Posed:
    """Profiles and target scores of the tests whose users are in one bucket.

    Memory: the bucket's events as numbers, the profiles, and a bounded piece of one history with its vectors; from
    object storage the vectors of the tested users' texts.

    Args:
        corpus: Which segments it has, and where its vectors lie.
        question: What is asked.
        bucket: User bucket.
        tests: (n,) tests of the bucket, numbered in the log of all buckets.
        bucket_start: Position in that log of the bucket's first event.
        mean: (dim,) prior of users without a bio. Bios carry no time; they are taken as known.
        target_us: (n,) time of each target's first event in the log of all buckets.

    Raises:
        WorkspaceError: A shard is missing, or a text has no vector.
    """
    log, names = index_events([read_bucket(corpus.workspace, bucket, corpus.segments)], question.type_weights)
    mine = tests.within(log, bucket_start)
    bios, bio_rows = _bios(corpus, bucket, names.user_ids, mine)
    needed = np.zeros(log.n_items, np.bool_)
    needed[log.items[np.isin(log.users, mine.users)]] = True
    wanted = np.flatnonzero(needed)
    hashes = pa.concat_arrays([names.text_hashes.take(pa.array(wanted)), bios])
    where = corpus.workspace.path(EMBEDDINGS, corpus.fingerprint)
    found = find_vectors(_chunk(corpus, bucket, hashes), hashes, where=where)
    rows = np.zeros(log.n_items, np.int64)
    rows[wanted] = found.rows[: len(wanted)]
    prior = np.vstack([mean[None, :], found.take(slice(len(wanted), None)).astype(np.float32)])[bio_rows]
    vectors = ItemVectors(found.chunk, rows)
    return pose_tests(
        log,
        vectors,
        mine,
        question.decays,
        prior=prior,
        prior_weight=question.prior_weight,
        clocks=question.clocks,
        target_us=target_us,
        with_drift=question.with_drift,
    )


def _bios(
    corpus: CorpusVectors, bucket: int, user_ids: pa.StringArray, tests: TestEvents
) -> tuple[pa.FixedSizeBinaryArray, npt.NDArray[np.int64]]:
    """Text hashes of the tested users' bios, and for each test 1 + the place of its user's there, or 0 for none."""
    users, user_of_test = np.unique(tests.users, return_inverse=True)
    bios = read_bios(corpus.workspace, bucket, ["user_id", "text_hash"], segments=corpus.segments)
    bios = bios.filter(pc.is_valid(bios["text_hash"])).combine_chunks()
    found = pc.index_in(user_ids.take(pa.array(users)), value_set=bios["user_id"].combine_chunks())
    known = np.asarray(pc.is_valid(found))
    place = np.where(known, np.cumsum(known), 0)
    return bios["text_hash"].combine_chunks().take(found.drop_null()), place[user_of_test]


def _chunk(corpus: CorpusVectors, bucket: int, hashes: pa.FixedSizeBinaryArray) -> VectorChunk:
    """The bucket's vectors, of base and segments: as they lie on a local disk, else a copy of those of the hashes."""
    chunks = (chunk for _, chunk in corpus.of_bucket(bucket).chunks())
    if corpus.workspace.is_local:
        return VectorChunk.joined(list(chunks))
    parts = []
    for chunk in chunks:
        rows = np.flatnonzero(np.asarray(pc.is_in(chunk.hashes, value_set=hashes)))
        parts.append(VectorChunk(chunk.hashes.take(pa.array(rows)), [chunk.take(rows)]))
    return VectorChunk.joined(parts)
