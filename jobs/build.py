"""Profiles and states of every user: `python -m jobs.build`. One task a user bucket, no shuffle."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dynprof import __version__
from dynprof.activity import ACTIVITY_FEATURES, activity_table
from dynprof.build import BucketEvents, BuiltBucket, build_bucket, sum_of_events
from dynprof.decay import Decay
from dynprof.embedded import CorpusVectors, latest_fingerprint, open_vectors
from dynprof.errors import ConfigError
from dynprof.keys import bucket_name
from dynprof.lineage import present_corpus
from dynprof.schema import profiles_schema, states_schema
from dynprof.segments import read_bios, read_events
from dynprof.snapshot import (
    DEFAULT_PRIOR_WEIGHT,
    DEFAULT_TYPE_WEIGHTS,
    SNAPSHOTS,
    SnapshotSpec,
    parse_decays,
    parse_time_us,
    parse_type_weights,
)
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, parser, ray_session, run, start_logging
from jobs.stages import collect, parts_of

__all__ = ["BuildOptions", "build", "build_one_bucket", "snapshot_spec", "write_bucket"]

LOG = logging.getLogger("dynprof.build")

_USERS_PER_PASS = 16_384
"""Users summed at a time: with seven decays of 384 dimensions, 170 MiB of sums."""


@dataclass(frozen=True)
class BuildOptions:
    """What the profiles mean.

    Attributes:
        fingerprint: Of the embeddings to sum; None takes the newest.
        decays: One profile a user each.
        as_of_us: Microseconds since 1970; None is one microsecond after the last event.
        type_weights: Weight of an event by its type.
        prior_weight: kappa, finite and >= 0.
        activity: Build the activity block too.

    Raises:
        ConfigError: `prior_weight` out of its range.
    """

    fingerprint: str | None = None
    decays: tuple[Decay, ...] = parse_decays("all", "30d")
    as_of_us: int | None = None
    type_weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TYPE_WEIGHTS))
    prior_weight: float = DEFAULT_PRIOR_WEIGHT
    activity: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.prior_weight < np.inf:
            raise ConfigError(f"--prior-weight: expected a number >= 0, found {self.prior_weight!r}.")

    def of(self, fingerprint: str) -> BuildOptions:
        """The same for the embeddings of one fingerprint."""
        return replace(self, fingerprint=fingerprint)


def build(workspace: Workspace, options: BuildOptions) -> dict[str, Any]:
    """Write one snapshot; nothing happens when one of the same meaning is there.

    Returns:
        The snapshot's manifest, with `snapshot` (its name) and `done_before`.

    Raises:
        WorkspaceError: No finished corpus or embeddings.
        FingerprintError: The embeddings are of another corpus.
    """
    view = present_corpus(workspace)
    corpus = view.manifest
    vectors = open_vectors(workspace, options.fingerprint or latest_fingerprint(workspace), view)
    embeddings = vectors.manifest
    spec = snapshot_spec(options, corpus, embeddings)
    name = spec.name(corpus["corpus_id"])
    manifest = workspace.read_manifest(SNAPSHOTS, name)
    if manifest is not None:
        LOG.info("snapshot=%s finished before, nothing to do", name)
        return {**manifest, "snapshot": name, "done_before": True}
    for table in ("profiles", "states", "activity"):
        workspace.sweep(SNAPSHOTS, name, table)
    done = set(workspace.files(SNAPSHOTS, name, "states"))  # the last file that a bucket writes
    todo = [b for b in range(corpus["n_buckets"]) if bucket_name(b, "arrow") not in done]
    LOG.info("snapshot=%s buckets=%d done=%d", name, corpus["n_buckets"], len(done))
    population = _population(spec, corpus, vectors)
    if todo:
        arguments = {
            "workspace_uri": workspace.uri,
            "snapshot": name,
            "spec": spec.to_json(),
            "vectors": vectors,
            "population": population,
        }
        with ray_session():
            collect(
                parts_of(todo).map_batches(build_one_bucket, batch_size=1, batch_format="numpy", fn_kwargs=arguments)
            )
    described = _describe(workspace, name, spec, corpus, {**embeddings, "mean_vector": population})
    workspace.write_manifest(described, SNAPSHOTS, name)
    return {**described, "snapshot": name, "done_before": False}


def _population(spec: SnapshotSpec, corpus: Mapping[str, Any], vectors: CorpusVectors) -> list[float]:
    """The mean vector of all events before `as_of`: the prior of users without a bio.

    The embeddings know it for a time after the last event. For an earlier one the events are gone through once more:
    what came later must not show.
    """
    if spec.as_of_us > (corpus["last_event_us"] or 0):
        return list(vectors.manifest["mean_vector"])
    arguments = {"spec": spec.to_json(), "vectors": vectors}
    with ray_session():
        parts = parts_of(range(corpus["n_buckets"]))
        rows = collect(parts.map_batches(_sum_bucket, batch_size=1, batch_format="numpy", fn_kwargs=arguments))
    total = np.sum([np.asarray(row["vector_sum"]) for row in sorted(rows, key=lambda row: row["bucket"])], axis=0)
    return list((total / max(1, sum(row["n_events"] for row in rows))).tolist())


def _sum_bucket(batch: dict[str, Any], *, spec: Mapping[str, Any], vectors: CorpusVectors) -> dict[str, Any]:
    bucket, meaning = int(batch["part"][0]), SnapshotSpec.from_json(spec)
    selected, chunks = _select(vectors, bucket, meaning), vectors.chunks(bucket)
    total = sum_of_events(selected, chunks, meaning.dim, n_shards=vectors.n_shards)
    return {"bucket": [bucket], "n_events": [len(selected.users)], "vector_sum": total[None]}


def _select(vectors: CorpusVectors, bucket: int, meaning: SnapshotSpec) -> BucketEvents:
    columns = ["user_id", "timestamp", "event_type", "text_hash", "weight"]
    events = read_events(vectors.workspace, bucket, columns, segments=vectors.segments)
    bios = read_bios(vectors.workspace, bucket, ["user_id", "text_hash"], segments=vectors.segments)
    return BucketEvents.select(events, bios, meaning)


def _describe(
    workspace: Workspace, name: str, spec: SnapshotSpec, corpus: Mapping[str, Any], embeddings: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest: what the profiles mean, and what came out."""
    files = [bucket_name(b, "arrow") for b in range(corpus["n_buckets"])]
    states = [workspace.ipc_metadata(SNAPSHOTS, name, "states", file) for file in files]
    return {
        **spec.to_json(),
        "corpus_id": corpus["corpus_id"],
        "encoder": embeddings["encoder"],
        "created_at": datetime.now(UTC).isoformat(),
        "dynprof_version": __version__,
        "n_buckets": corpus["n_buckets"],
        "n_users": sum(s["n_users"] for s in states),
        "n_events": sum(s["n_events"] for s in states),
        "population_mean": embeddings["mean_vector"],
        "sums_type": "float32",
        "vector_type": "float16",
        "activity_features": list(ACTIVITY_FEATURES) if spec.activity else [],
    }


def snapshot_spec(options: BuildOptions, corpus: Mapping[str, Any], embeddings: Mapping[str, Any]) -> SnapshotSpec:
    """What the profiles mean, from the flags and from what the manifests know."""
    as_of_us, last_us = options.as_of_us, corpus["last_event_us"]
    if as_of_us is None:
        as_of_us = 0 if last_us is None else last_us + 1
    return SnapshotSpec(
        embeddings["fingerprint"],
        embeddings["dim"],
        as_of_us,
        options.decays,
        options.type_weights,
        options.prior_weight,
        options.activity,
    )


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
    selected = _select(vectors, bucket, meaning)
    mean = np.asarray(population, np.float32)

    def passes() -> Iterator[BuiltBucket]:
        for first in range(0, max(1, len(selected.user_ids)), _USERS_PER_PASS):
            part = selected.between(first, first + _USERS_PER_PASS)
            chunks = vectors.chunks(bucket)
            yield build_bucket(part, chunks, meaning, n_shards=vectors.n_shards, population=mean)

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


def add_flags(made: argparse.ArgumentParser) -> None:
    """The flags that say what a profile means; `jobs.pipeline` has them too."""
    made.add_argument("--half-life", default="30d", help="of every decay, such as 12h, 30d or 1y")
    made.add_argument("--decays", default="all", help="comma-separated kinds, or all")
    made.add_argument("--as-of", help="ISO 8601; default: just after the last event")
    made.add_argument("--weights", help="type=number,... over the defaults, such as like=0.5,dislike=-1")
    made.add_argument("--prior-weight", type=float, default=DEFAULT_PRIOR_WEIGHT, help="kappa, in fresh events")
    made.add_argument("--activity", action="store_true", help="build the activity block too")


def options_from(args: argparse.Namespace, *, fingerprint: str | None = None) -> BuildOptions:
    """The flags of `add_flags` as options."""
    return BuildOptions(
        fingerprint,
        parse_decays(args.decays, args.half_life),
        None if args.as_of is None else parse_time_us(args.as_of, name="--as-of"),
        parse_type_weights(args.weights),
        args.prior_weight,
        args.activity,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, build, summarise."""
    made = parser("build", "Build one snapshot: profiles at every decay, and states.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    made.add_argument("--fingerprint", help="embeddings to use; default: the newest")
    add_flags(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    watch = Stopwatch()
    with watch.stage("build"):
        manifest = build(Workspace(args.workspace), options_from(args, fingerprint=args.fingerprint))
    return {"job": "build", **summary_of(manifest), "workspace": args.workspace, "seconds": watch.seconds}


def summary_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a summary that the snapshot answers."""
    return {
        "snapshot": manifest["snapshot"],
        "users": manifest["n_users"],
        "events": manifest["n_events"],
        "as_of": manifest["as_of"],
        "done_before": manifest["done_before"],
    }


if __name__ == "__main__":
    run(main)
