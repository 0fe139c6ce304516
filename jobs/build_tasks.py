"""What runs on the workers of `jobs.build`: one user bucket from its files to its part of the snapshot."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dynprof.activity import activity_table
from dynprof.build import BucketEvents, BuiltBucket, build_runs
from dynprof.embedded import CorpusVectors
from dynprof.keys import bucket_name
from dynprof.schema import EVENTS, profiles_schema, states_schema
from dynprof.segments import iter_events, read_bios, read_events
from dynprof.snapshot import SNAPSHOTS, SnapshotSpec
from dynprof.user_runs import UserRun, runs_of_users
from dynprof.workspace import Workspace

__all__ = ["build_one_bucket", "sum_one_bucket", "write_bucket"]

_EVENTS_PER_READ = {True: 32_768, False: 1_048_576}
"""Events read at a time, by whether the vectors are memory-mapped. From object storage every run of users fetches the
bucket's vectors again; few and large runs then take 35 MiB of columns."""

_USERS_PER_PASS = {True: 1_024, False: 16_384}
"""Users summed at a time: 11 or 170 MiB of sums with seven decays of 384 dimensions. Few keep the sums near the
processor."""

_COLUMNS = ["user_id", "timestamp", "event_type", "text_hash", "weight"]


def build_one_bucket(
    batch: dict[str, Any],
    *,
    workspace_uri: str,
    snapshot: str,
    spec: Mapping[str, Any],
    vectors: CorpusVectors,
    population: Sequence[float],
) -> dict[str, Any]:
    """One bucket to its files, in passes of bounded size; returns its number."""
    bucket, workspace, meaning = int(batch["part"][0]), Workspace(workspace_uri), SnapshotSpec.from_json(spec)
    if meaning.activity:
        columns = ["user_id", "timestamp", "event_type"]
        events = read_events(workspace, bucket, columns, segments=vectors.segments)
        active = activity_table(events, meaning.as_of_us)
        workspace.write_parquet(active, SNAPSHOTS, snapshot, "activity", bucket_name(bucket))
    passes = build_runs(
        _runs(bucket, vectors),
        vectors.of_bucket(bucket),
        meaning,
        population=np.asarray(population, np.float32),
        users_at_once=_USERS_PER_PASS[workspace.is_local],
    )
    write_bucket(workspace, snapshot, bucket, meaning.dim, passes)
    return {"bucket": [bucket]}


def write_bucket(workspace: Workspace, snapshot: str, bucket: int, dim: int, passes: Iterable[BuiltBucket]) -> None:
    """Both tables of a bucket as the passes come, with the counts of users and events in the profiles' footer.

    The states' file comes last, as the sign that the bucket is done.
    """
    folder = (SNAPSHOTS, snapshot)

    def states() -> Iterator[pa.RecordBatch]:
        schema = profiles_schema(dim)
        options = {
            "compression": "none",
            "use_dictionary": ["user_id", "kind"],
            "write_statistics": ["user_id", "kind"],
        }
        counts = {"n_users": 0, "n_events": 0}
        with (
            workspace.create(*folder, "profiles", bucket_name(bucket)) as sink,
            pq.ParquetWriter(sink, schema, **options) as profiles,
        ):
            for built in passes:
                profiles.write_table(built.profiles)
                counts["n_users"] += len(built.states)
                counts["n_events"] += pc.sum(built.states["n_events"], min_count=0).as_py()
                yield built.states
            profiles.add_key_value_metadata({"dynprof": json.dumps(counts)})

    workspace.write_ipc(states(), states_schema(dim), *folder, "states", bucket_name(bucket, "arrow"))


def sum_one_bucket(batch: dict[str, Any], *, spec: Mapping[str, Any], vectors: CorpusVectors) -> dict[str, Any]:
    """The sum of the vectors of a bucket's events and their number: what the population's mean is made of."""
    bucket, meaning = int(batch["part"][0]), SnapshotSpec.from_json(spec)
    mine, total = vectors.of_bucket(bucket), np.zeros(meaning.dim)
    times = np.zeros(len(mine.hashes), np.int64)
    for run in _runs(bucket, vectors):
        selected = BucketEvents.select([run.events], run.bios, meaning, mine.hashes)
        times += np.bincount(selected.rows, minlength=len(times))
    for first_row, chunk in mine.chunks():
        total += chunk.weighted_sum(times[first_row : first_row + len(chunk)])
    return {"bucket": [bucket], "n_events": [times.sum()], "vector_sum": total[None]}


def _runs(bucket: int, vectors: CorpusVectors) -> Iterator[UserRun]:
    workspace, segments = vectors.workspace, vectors.segments
    rows = _EVENTS_PER_READ[workspace.is_local]
    events = iter_events(workspace, bucket, _COLUMNS, rows=rows, segments=segments)
    bios = read_bios(workspace, bucket, ["user_id", "text_hash"], segments=segments)
    return runs_of_users(events, bios, pa.schema([EVENTS.field(name) for name in _COLUMNS]))
