"""What runs on the workers of `jobs.monitor`: a user bucket, some items, a shard of texts; each writes its part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import ray

from dynprof.drift.bucket import BucketTrails, open_bucket
from dynprof.drift.bucket_pass import Asked, bucket_tables
from dynprof.drift.items import replay_items
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.storage import PARTS, part_name, read_parts
from dynprof.drift.topic_posts import topic_posts
from dynprof.embedded import CorpusVectors
from dynprof.evaluation.storage import REPORTS
from dynprof.workspace import Workspace
from jobs.evaluate_tasks import judge_part

__all__ = ["Inquiry", "bucket_part", "items_part", "posts_part", "shard_part"]

Batch = dict[str, Any]
Refs = Sequence[ray.ObjectRef]
"""References within a list: Ray hands over no copy, a task fetches its own."""


@dataclass(frozen=True)
class Inquiry:
    """Questions that every shard answers.

    Attributes:
        table: Where the answers go.
        queries: Reference to `Queries` and what their users had.
        catalogue: (n,) of each question.
        list_size: Of the lists; 0 for none.
    """

    table: str
    queries: ray.ObjectRef
    catalogue: npt.NDArray[np.int64]
    list_size: int


def bucket_part(batch: Batch, *, corpus: CorpusVectors, asked: Refs, report: str) -> Mapping[str, Any]:
    """A user bucket to its part of every table; the last one says that it is done."""
    number, question = int(batch["part"][0]), ray.get(asked[0])
    for table, rows in bucket_tables(_open(corpus, number, question), question, number):
        corpus.workspace.write_parquet(rows, REPORTS, report, PARTS, part_name(table, number))
    return {"bucket": [number]}


def posts_part(batch: Batch, *, corpus: CorpusVectors, asked: Refs, windows: Refs, report: str) -> Mapping[str, Any]:
    """The posts of one bucket behind the sudden windows of topics."""
    number, question = int(batch["part"][0]), ray.get(asked[0])
    bucket = _open(corpus, number, question)
    rows = topic_posts(bucket, ray.get(windows[0]), question.centres, question.spec.window_us)
    corpus.workspace.write_parquet(rows, REPORTS, report, PARTS, part_name("topic_posts", number))
    return {"bucket": [number]}


def items_part(
    batch: Batch, *, workspace_uri: str, report: str, spec: MonitorSpec, names: Refs, n_parts: int
) -> Mapping[str, Any]:
    """Every n-th sampled item, from what all buckets wrote about it."""
    number, workspace = int(batch["part"][0]), Workspace(workspace_uri)
    crowd = read_parts(workspace, report, "crowd")
    mine = crowd.filter(pa.array(crowd["item"].to_numpy() % n_parts == number))
    interactions, entities = replay_items(mine, ray.get(names[0]), spec)
    for table, rows in (("item_interactions", interactions), ("item_entities", entities)):
        workspace.write_parquet(rows, REPORTS, report, PARTS, part_name(table, number))
    return {"bucket": [number]}


def shard_part(batch: Batch, *, workspace_uri: str, report: str, texts: Refs, asked: Sequence[Inquiry]) -> Batch:
    """The vectors of a part of the shards against all tests and all readers."""
    number, workspace = int(batch["part"][0]), Workspace(workspace_uri)
    for one in asked:
        queries: Refs = [one.queries]
        rows = judge_part(
            batch,
            workspace_uri=workspace_uri,
            texts=texts,
            queries=queries,
            catalogue=one.catalogue,
            list_size=one.list_size,
        )
        workspace.write_parquet(rows, REPORTS, report, PARTS, part_name(one.table, number))
    return {"shard": [number]}


def _open(corpus: CorpusVectors, number: int, asked: Asked) -> BucketTrails:
    spec = asked.spec
    return open_bucket(corpus, number, dict(spec.type_weights), spec.as_of_us, asked.mean)
