"""What runs on the workers of `jobs.monitor`: a user bucket, some items, a shard of texts; each writes its part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from dynprof.drift.bucket import BucketTrails, open_bucket
from dynprof.drift.bucket_pass import Asked, bucket_tables
from dynprof.drift.items import replay_items
from dynprof.drift.lists import LIST_LENGTH, LIST_METRICS, Reader, best_of
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.storage import PARTS, part_name, read_parts
from dynprof.drift.tables import lists_of
from dynprof.drift.topic_posts import topic_posts
from dynprof.embedded import CorpusVectors
from dynprof.embeddings import open_shard
from dynprof.evaluation.item_vectors import find_vectors
from dynprof.evaluation.retrieval import Queries, Ranks
from dynprof.evaluation.shard_counts import ShardTexts, count_shard
from dynprof.evaluation.storage import REPORTS
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

__all__ = ["bucket_part", "items_part", "posts_part", "shard_part"]

Batch = dict[str, Any]
Refs = Sequence[ray.ObjectRef]
"""References within a list: Ray hands over no copy, a task fetches its own."""


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


def shard_part(
    batch: Batch,
    *,
    workspace_uri: str,
    report: str,
    texts: Refs,
    queries: Refs,
    catalogue: np.ndarray[Any, np.dtype[np.int64]],
    reader: Refs,
) -> Mapping[str, Any]:
    """One shard's vectors against all tests and all readers."""
    number, workspace = int(batch["part"][0]), Workspace(workspace_uri)
    mine, asked, people = ray.get(texts[number]), ray.get(queries[0]), ray.get(reader[0])
    lists = _lists(workspace, mine, people)
    workspace.write_parquet(lists, REPORTS, report, PARTS, part_name("lists", number))
    counted = _counts(workspace, mine, asked, catalogue)
    workspace.write_parquet(counted, REPORTS, report, PARTS, part_name("counts", number))
    return {"shard": [number]}


def _open(corpus: CorpusVectors, number: int, asked: Asked) -> BucketTrails:
    spec = asked.spec
    return open_bucket(corpus, number, dict(spec.type_weights), spec.as_of_us, asked.mean)


def _lists(workspace: Workspace, texts: ShardTexts, people: Reader) -> pa.Table:
    stop = int(np.searchsorted(texts.items, len(people.first_us)))  # later items are no candidates
    reader = open_shard(workspace, texts.folder, texts.shard)
    chunk = VectorChunk.of([reader.get_batch(b) for b in range(reader.num_record_batches)])
    hashes = texts.hashes.slice(0, stop)
    vectors = find_vectors(chunk, hashes, where=workspace.path("embeddings", texts.folder)).take(slice(0, stop))
    width = len(LIST_METRICS) * LIST_LENGTH
    if not stop or not len(people.profiles):
        return pa.table({"items": lists_of(np.empty((0, width), np.int64)), "scores": lists_of(np.empty((0, width)))})
    found = best_of(texts.items[:stop], vectors, people)
    n = len(people.profiles)
    return pa.table({"items": lists_of(found.items.reshape(n, -1)), "scores": lists_of(found.scores.reshape(n, -1))})


def _counts(workspace: Workspace, texts: ShardTexts, asked: Queries, catalogue: np.ndarray[Any, Any]) -> pa.Table:
    counts = count_shard(workspace, texts, asked, catalogue) if len(asked) else Ranks.zeros(asked.scores.shape)
    row = pa.array(np.arange(len(asked)))
    return pa.table({"row": pc.cast(row, pa.int64()), "above": lists_of(counts.above), "tied": lists_of(counts.tied)})
