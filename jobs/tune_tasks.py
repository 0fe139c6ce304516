"""What runs on the workers of tuning: one user bucket's sums, one shard's vectors against what is still undecided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from dynprof.bank import Bank
from dynprof.embedded import CorpusVectors
from dynprof.evaluation.protocol import TestEvents
from dynprof.evaluation.retrieval import Ranks
from dynprof.evaluation.shard_counts import open_candidates
from dynprof.tuning.bank_sums import BankSums, sum_bucket
from dynprof.tuning.duel import Asked, Duels, count_duels
from dynprof.workspace import Workspace

__all__ = ["SumOrder", "duel_part", "ranks_of", "sum_tests_part", "sums_from"]

Batch = dict[str, Any]
Refs = Sequence[ray.ObjectRef]
"""References within a list: Ray hands over no copy, a task fetches its own."""


@dataclass(frozen=True)
class SumOrder:
    """Whose sums are wanted.

    Attributes:
        tests: (n,) in order of time, of the log that ends at `stop_us`.
        buckets: (n,) user bucket of each.
        bucket_starts: Position in that log of the first event of each bucket.
        mean: (dim,) prior of users without a bio.
        type_weights: Weight of an event by its type.
        stop_us: Nothing at or after it is read into a log.
        bank: Half-lives.
    """

    tests: TestEvents
    buckets: npt.NDArray[np.int64]
    bucket_starts: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float32]
    type_weights: Mapping[str, float]
    stop_us: int
    bank: Bank


def sum_tests_part(batch: Batch, *, corpus: CorpusVectors, order: Refs) -> pa.Table:
    """The sums of a bucket's tests, as rows."""
    bucket, asked = int(batch["part"][0]), ray.get(order[0])
    rows = np.flatnonzero(asked.buckets == bucket)
    tests, start = asked.tests.take(rows), int(asked.bucket_starts[bucket])
    found = sum_bucket(
        corpus, asked.type_weights, bucket, tests, start, asked.mean, stop_us=asked.stop_us, bank=asked.bank
    )
    return pa.table(
        {
            "row": rows,
            "sums": _lists(found.sums.reshape(len(rows), -1)),
            "priors": _lists(found.priors),
            "targets": _lists(found.targets),
        }
    )


def sums_from(table: pa.Table) -> BankSums:
    """The sums of all buckets, in order of the tests."""
    order = np.argsort(table["row"].to_numpy())
    sums, priors, targets = (_matrix(table[name])[order] for name in ("sums", "priors", "targets"))
    return BankSums(sums.reshape(len(order), -1, priors.shape[1]), priors, targets)


def duel_part(batch: Batch, *, workspace_uri: str, texts: Refs, duels: Refs, asked: Refs, limit: int) -> pa.Table:
    """The counts over some shards, a row a profile."""
    mine = open_candidates(Workspace(workspace_uri), ray.get(texts[int(batch["part"][0])]))
    open_duels: Duels = ray.get(duels[0])
    of_tests: Asked = ray.get(asked[0])
    counts = count_duels(open_duels, of_tests, mine.items, mine.of, mine.first_us, limit=limit)
    return pa.table({"above": _lists(counts.above), "tied": _lists(counts.tied)})


def ranks_of(table: pa.Table) -> Ranks:
    """The counts of one part."""
    return Ranks(_matrix(table["above"]), _matrix(table["tied"]))


def _lists(matrix: npt.NDArray[Any]) -> pa.FixedSizeListArray:
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(matrix).reshape(-1)), matrix.shape[1])


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    width = column.type.list_size
    return np.concatenate([c.flatten().to_numpy().reshape(-1, width) for c in column.chunks])
