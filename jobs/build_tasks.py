"""What runs on the workers of `jobs.build`: one user bucket from its files to its part of the snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynprof.activity import activity_table
from dynprof.build import BucketEvents, BuiltBucket, build_bucket, sum_of_events
from dynprof.embedded import CorpusVectors
from dynprof.keys import bucket_name
from dynprof.schema import profiles_schema, states_schema
from dynprof.segments import iter_events, read_bios, read_events
from dynprof.snapshot import SNAPSHOTS, SnapshotSpec
from dynprof.workspace import Workspace

__all__ = ["build_one_bucket", "sum_one_bucket", "write_bucket"]

_EVENTS_PER_READ = 131_072

_USERS_PER_PASS = {True: 1_024, False: 16_384}
"""Users summed at a time, by whether the vectors are memory-mapped: 11 or 170 MiB of sums with seven decays of 384
dimensions. Few keep the sums near the processor; from object storage every pass fetches the vectors again."""


def build_one_bucket(
    batch: dict[str, Any],
    *,
    workspace_uri: str,
    snapshot: str,
    spec: Mapping[str, Any],
    vectors: CorpusVectors,
    population: Sequence[float],
) -> dict[str, Any]:
    """One bucket to its files, in passes of bounded size; returns its counts."""
    bucket, workspace, meaning = int(batch["part"][0]), Workspace(workspace_uri), SnapshotSpec.from_json(spec)
    if meaning.activity:
        columns = ["user_id", "timestamp", "event_type"]
        events = read_events(workspace, bucket, columns, segments=vectors.segments)
        active = activity_table(events, meaning.as_of_us)
        workspace.write_parquet(active, SNAPSHOTS, snapshot, "activity", bucket_name(bucket))
    mine = vectors.of_bucket(bucket)
    selected = _select(vectors, bucket, meaning, mine.hashes)
    mean = np.asarray(population, np.float32)
    users_per_pass = _USERS_PER_PASS[workspace.is_local]

    def passes() -> Iterator[BuiltBucket]:
        for first in range(0, max(1, len(selected.user_ids)), users_per_pass):
            part = selected.between(first, first + users_per_pass)
            yield build_bucket(part, mine.chunks(), meaning, population=mean)

    counts = {"n_users": len(selected.user_ids), "n_events": len(selected.users)}
    write_bucket(workspace, snapshot, bucket, meaning.dim, passes(), counts)
    return {"bucket": [bucket], **{k: [v] for k, v in counts.items()}}


def write_bucket(
    workspace: Workspace, snapshot: str, bucket: int, dim: int, passes: Iterator[BuiltBucket], counts: Mapping[str, int]
) -> None:
    """Both tables of a bucket as the passes come; the states' file last, as the sign that the bucket is done."""
    folder = (SNAPSHOTS, snapshot)

    def states() -> Iterator[pa.RecordBatch]:
        schema = profiles_schema(dim)
        options = {
            "compression": "none",
            "use_dictionary": ["user_id", "kind"],
            "write_statistics": ["user_id", "kind"],
        }
        with (
            workspace.create(*folder, "profiles", bucket_name(bucket)) as sink,
            pq.ParquetWriter(sink, schema, **options) as profiles,
        ):
            for built in passes:
                profiles.write_table(built.profiles)
                yield built.states

    workspace.write_ipc(states(), states_schema(dim), *folder, "states", bucket_name(bucket, "arrow"), metadata=counts)


def sum_one_bucket(batch: dict[str, Any], *, spec: Mapping[str, Any], vectors: CorpusVectors) -> dict[str, Any]:
    """The sum of the vectors of a bucket's events and their number: what the population's mean is made of."""
    bucket, meaning = int(batch["part"][0]), SnapshotSpec.from_json(spec)
    mine = vectors.of_bucket(bucket)
    selected = _select(vectors, bucket, meaning, mine.hashes)
    total = sum_of_events(selected, mine.chunks(), meaning.dim)
    return {"bucket": [bucket], "n_events": [len(selected.users)], "vector_sum": total[None]}


def _select(vectors: CorpusVectors, bucket: int, meaning: SnapshotSpec, known: pa.Array) -> BucketEvents:
    workspace, segments = vectors.workspace, vectors.segments
    columns = ["user_id", "timestamp", "event_type", "text_hash", "weight"]
    events = iter_events(workspace, bucket, columns, rows=_EVENTS_PER_READ, segments=segments)
    bios = read_bios(workspace, bucket, ["user_id", "text_hash"], segments=segments)
    return BucketEvents.select(events, bios, meaning, known)
