"""What runs on the workers of `jobs.evaluate`: a bucket's questions, some shards' items against them, contestants.

A part is some shards; `texts` has a reference to each part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from dynprof.embedded import CorpusVectors
from dynprof.evaluation.bucket_tests import pose_bucket
from dynprof.evaluation.contestant import Factory, Placed, Watches, place
from dynprof.evaluation.judging import Judged
from dynprof.evaluation.list_metrics import diversity
from dynprof.evaluation.loading import Question
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.ranking import Posed
from dynprof.evaluation.retrieval import Queries, Ranks
from dynprof.evaluation.shard_counts import all_vectors, judge_shards, sum_shard
from dynprof.workspace import Workspace

__all__ = [
    "Round",
    "diversity_part",
    "fit_contestant",
    "judge_part",
    "judged_from",
    "place_block",
    "pose_part",
    "posed_from",
    "sum_part",
]

Batch = dict[str, Any]
Refs = Sequence[ray.ObjectRef]
"""References within a list: Ray hands over no copy, a task fetches its own."""

_LISTS_AT_ONCE = 256


@dataclass(frozen=True)
class Round:
    """The test events of one round.

    Attributes:
        tests: (n,) in order of time.
        buckets: (n,) user bucket of each.
        bucket_starts: Position in the log of the first event of each bucket.
        mean: (dim,) prior of users without a bio.
        target_us: (n,) time of each target's first event.
    """

    tests: TestEvents
    buckets: npt.NDArray[np.int64]
    bucket_starts: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float32]
    target_us: npt.NDArray[np.int64]


def sum_part(batch: Batch, *, workspace_uri: str, texts: Refs, n_early: int) -> pa.Table:
    """The sum of the vectors of a part's early texts."""
    shards = ray.get(texts[int(batch["part"][0])])
    total = sum(sum_shard(Workspace(workspace_uri), shard, n_early) for shard in shards)
    return pa.table({"sum": _lists(np.atleast_2d(total))})


def pose_part(batch: Batch, *, corpus: CorpusVectors, question: Question, part: Refs) -> pa.Table:
    """The questions of a bucket's tests, as rows."""
    bucket, asked = int(batch["part"][0]), ray.get(part[0])
    rows = np.flatnonzero(asked.buckets == bucket)
    start = int(asked.bucket_starts[bucket])
    posed = pose_bucket(corpus, question, bucket, asked.tests.take(rows), start, asked.mean, asked.target_us[rows])
    queries = posed.queries
    profiles = _lists(queries.profiles.reshape(len(rows), -1))
    return pa.table({"row": rows, "profiles": profiles, "cosines": _lists(queries.cosines), "drift": posed.drift})


def posed_from(table: pa.Table, asked: Round, clocks: tuple[float | None, ...]) -> Posed:
    """The questions of all buckets, in order of the tests."""
    order = np.argsort(table["row"].to_numpy())
    cosines = _matrix(table["cosines"])[order]
    profiles = _matrix(table["profiles"])[order].reshape(*cosines.shape, -1)
    queries = Queries(profiles, cosines, asked.tests.event_us, asked.target_us, clocks)
    return Posed(queries, table["drift"].to_numpy()[order])


def judge_part(
    batch: Batch, *, workspace_uri: str, texts: Refs, queries: Refs, catalogue: npt.NDArray[np.int64], list_size: int
) -> pa.Table:
    """What a part adds, a row a test event."""
    mine, (asked, seen) = ray.get(texts[int(batch["part"][0])]), ray.get(queries[0])
    found = judge_shards(Workspace(workspace_uri), mine, asked, catalogue, seen=seen, list_size=list_size)
    columns = {"above": _lists(found.counts.above), "tied": _lists(found.counts.tied)}
    if list_size:
        columns |= {name: _lists(getattr(found, name).reshape(len(asked), -1)) for name in ("scores", "items")}
    return pa.table(columns)


def judged_from(table: pa.Table, list_size: int) -> Judged:
    """What one part added."""
    counts = Ranks(_matrix(table["above"]), _matrix(table["tied"]))
    if not list_size:
        return Judged.counted(counts)
    shape = (*counts.above.shape, list_size)
    return Judged(counts, _matrix(table["scores"]).reshape(shape), _matrix(table["items"]).reshape(shape))


def diversity_part(batch: Batch, *, corpus: CorpusVectors, lists: Refs) -> pa.Table:
    """Diversity of one method's lists. `lists`: of each method hashes of distinct items, and (n, k) rows of them."""
    method = int(batch["part"][0])
    hashes, rows = ray.get(lists[method])
    vectors = corpus.load(hashes) if len(hashes) else np.zeros((1, 1), np.float16)
    found = np.empty(len(rows))
    for start in range(0, len(rows), _LISTS_AT_ONCE):
        part = rows[start : start + _LISTS_AT_ONCE]
        found[start : start + len(part)] = diversity(vectors[np.maximum(part, 0)], part >= 0)
    return pa.table({"part": np.full(len(rows), method), "row": np.arange(len(rows)), "value": found})


def fit_contestant(factory: Factory, log: EventLog, start_us: int, settings: Mapping[str, Any]) -> Any:
    """A contestant that has seen nothing at or after a time."""
    return factory(log.before(start_us), settings)


def place_block(
    contestant: Any, log: EventLog, tests: TestEvents, *, workspace_uri: str, texts: Refs, list_size: int
) -> Placed:
    """Places and lists of a block of test events."""
    if isinstance(contestant, Watches):
        needs = bool(getattr(contestant, "needs_vectors", False))
        shards = chain.from_iterable(ray.get(list(texts))) if needs else ()
        vectors = all_vectors(Workspace(workspace_uri), shards) if needs else None
        contestant = contestant.watch(log, vectors)
    return place(contestant, log, tests, list_size=list_size)


def _lists(matrix: npt.NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(matrix).reshape(-1)), matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    width = column.type.list_size
    return np.concatenate([c.flatten().to_numpy().reshape(-1, width) for c in column.chunks])
