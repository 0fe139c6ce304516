"""What runs on the workers of `jobs.evaluate`: one user bucket's questions, one shard's vectors against all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from dynprof.embedded import CorpusVectors
from dynprof.evaluation.bucket_tests import pose_bucket
from dynprof.evaluation.loading import Question
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import Posed
from dynprof.evaluation.retrieval import Queries, Ranks
from dynprof.evaluation.shard_counts import count_shard, sum_shard
from dynprof.workspace import Workspace

__all__ = ["Round", "count_part", "pose_part", "posed_from", "ranks_from", "sum_part"]

Batch = dict[str, Any]
Refs = Sequence[ray.ObjectRef]
"""References within a list: Ray hands over no copy, a task fetches its own."""


@dataclass(frozen=True)
class Round:
    """The test events of one round.

    Attributes:
        tests: (n,) in order of time.
        buckets: (n,) user bucket of each.
        bucket_starts: Position in the log of the first event of each bucket.
        mean: (dim,) prior of users without a bio.
    """

    tests: TestEvents
    buckets: npt.NDArray[np.int64]
    bucket_starts: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float32]


def sum_part(batch: Batch, *, workspace_uri: str, texts: Refs, n_early: int) -> pa.Table:
    """The sum of the vectors of a shard's early texts."""
    total = sum_shard(Workspace(workspace_uri), ray.get(texts[int(batch["part"][0])]), n_early)
    return pa.table({"sum": _lists(total[None, :])})


def pose_part(batch: Batch, *, corpus: CorpusVectors, question: Question, part: Refs) -> pa.Table:
    """The questions of a bucket's tests, as rows."""
    bucket, asked = int(batch["part"][0]), ray.get(part[0])
    rows = np.flatnonzero(asked.buckets == bucket)
    start = int(asked.bucket_starts[bucket])
    posed = pose_bucket(corpus, question, bucket, asked.tests.take(rows), start, asked.mean)
    return pa.table(
        {
            "row": rows,
            "profiles": _lists(posed.queries.profiles.reshape(len(rows), -1)),
            "scores": _lists(posed.queries.scores),
            "above": _lists(posed.excluded.above),
            "tied": _lists(posed.excluded.tied),
            "n_excluded": posed.n_excluded,
        }
    )


def posed_from(table: pa.Table) -> Posed:
    """The questions of all buckets, in order of the tests."""
    order = np.argsort(table["row"].to_numpy())
    scores = _matrix(table["scores"])[order]
    profiles = _matrix(table["profiles"])[order].reshape(*scores.shape, -1)
    excluded = Ranks(_matrix(table["above"])[order], _matrix(table["tied"])[order])
    return Posed(Queries(profiles, scores), excluded, table["n_excluded"].to_numpy()[order])


def count_part(
    batch: Batch, *, workspace_uri: str, texts: Refs, queries: Refs, catalogue: npt.NDArray[np.int64]
) -> pa.Table:
    """The counts over a shard, a row a test event."""
    mine, asked = ray.get(texts[int(batch["part"][0])]), ray.get(queries[0])
    counts = count_shard(Workspace(workspace_uri), mine, asked, catalogue)
    return pa.table({"above": _lists(counts.above), "tied": _lists(counts.tied)})


def ranks_from(table: pa.Table) -> Ranks:
    """The counts of one shard."""
    return Ranks(_matrix(table["above"]), _matrix(table["tied"]))


def _lists(matrix: npt.NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(matrix).reshape(-1)), matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    width = column.type.list_size
    return np.concatenate([c.flatten().to_numpy().reshape(-1, width) for c in column.chunks])
