"""The tests of one user bucket: everything about a user lies in the user's bucket, the vectors too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.embedded import CorpusVectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.evaluation.item_vectors import ItemVectors, find_vectors
from dynprof.evaluation.loading import Question, read_bucket
from dynprof.evaluation.log import EventLog, index_events
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import Posed, pose_tests
from dynprof.segments import read_bios
from dynprof.vector_chunk import VectorChunk

__all__ = ["BucketTests", "bucket_chunk", "pose_bucket", "read_tests"]


@dataclass(frozen=True)
class BucketTests:
    """What the tests of one user bucket are answered from.

    Attributes:
        log: The bucket's events.
        vectors: Of its items; those of the tested users' histories, targets included.
        tests: (n,) in that log.
        prior: (n, dim) float32 bio of each test's user, or the mean.
    """

    log: EventLog
    vectors: ItemVectors
    tests: TestEvents
    prior: npt.NDArray[np.float32]


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
    of = read_tests(corpus, question.type_weights, bucket, tests, bucket_start, mean)
    return pose_tests(
        of.log,
        of.vectors,
        of.tests,
        question.decays,
        prior=of.prior,
        prior_weight=question.prior_weight,
        clocks=question.clocks,
        target_us=target_us,
        with_drift=question.with_drift,
    )


def read_tests(
    corpus: CorpusVectors,
    type_weights: Mapping[str, float],
    bucket: int,
    tests: TestEvents,
    bucket_start: int,
    mean: npt.NDArray[np.float32],
    *,
    stop_us: int | None = None,
) -> BucketTests:
    """The events, vectors and priors that the tests of one bucket need. Arguments as of `pose_bucket`, and:

    Args:
        corpus: See there.
        type_weights: Weight of an event by its type; types not named count 1.
        bucket: See there.
        tests: See there; of a log that is cut off at `stop_us` where that is given.
        bucket_start: See there, in that log.
        mean: See there.
        stop_us: Events at or after it are not read into the log.
    """
    log, names = index_events([read_bucket(corpus.workspace, bucket, corpus.segments)], type_weights)
    log = log if stop_us is None else log.before(stop_us)
    mine = tests.within(log, bucket_start)
    bios, bio_rows = _bios(corpus, bucket, names.user_ids, mine)
    needed = np.zeros(log.n_items, np.bool_)
    needed[log.items[np.isin(log.users, mine.users)]] = True
    wanted = np.flatnonzero(needed)
    hashes = pa.concat_arrays([names.text_hashes.take(pa.array(wanted)), bios])
    where = corpus.workspace.path(EMBEDDINGS, corpus.fingerprint)
    found = find_vectors(bucket_chunk(corpus, bucket, hashes), hashes, where=where)
    rows = np.zeros(log.n_items, np.int64)
    rows[wanted] = found.rows[: len(wanted)]
    prior = np.vstack([mean[None, :], found.take(slice(len(wanted), None)).astype(np.float32)])[bio_rows]
    return BucketTests(log, ItemVectors(found.chunk, rows), mine, prior)


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


def bucket_chunk(corpus: CorpusVectors, bucket: int, hashes: pa.FixedSizeBinaryArray) -> VectorChunk:
    """The bucket's vectors, of base and segments: as they lie on a local disk, else a copy of those of the hashes.

    Raises:
        WorkspaceError: A shard is missing.
    """
    chunks = (chunk for _, chunk in corpus.of_bucket(bucket).chunks())
    if corpus.workspace.is_local:
        return VectorChunk.joined(list(chunks))
    parts = []
    for chunk in chunks:
        rows = np.flatnonzero(np.asarray(pc.is_in(chunk.hashes, value_set=hashes)))
        parts.append(VectorChunk(chunk.hashes.take(pa.array(rows)), [chunk.take(rows)]))
    return VectorChunk.joined(parts)
