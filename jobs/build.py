"""Profiles and states of every user: `python -m jobs.build`. One task a user bucket, no shuffle."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from dynprof import __version__
from dynprof.activity import ACTIVITY_FEATURES
from dynprof.decay import Decay
from dynprof.embedded import CorpusVectors, continued_fingerprint, covers, latest_fingerprint, open_vectors
from dynprof.errors import ConfigError, SnapshotNotFoundError
from dynprof.keys import bucket_name
from dynprof.lineage import CorpusView, corpus_of, present_corpus
from dynprof.live.log import EventLog
from dynprof.snapshot import (
    DEFAULT_PRIOR_WEIGHT,
    DEFAULT_TYPE_WEIGHTS,
    SNAPSHOTS,
    SnapshotSpec,
    latest_snapshot,
    parse_decays,
    parse_time_us,
    parse_type_weights,
    read_spec,
)
from dynprof.workspace import Workspace
from jobs import encode
from jobs.absorb import absorb, trim_log
from jobs.build_tasks import build_one_bucket, sum_one_bucket
from jobs.command import Stopwatch, hold_ray, parser, ray_session, run, start_logging
from jobs.erasing import drop_old_snapshots, erase_what_log_says
from jobs.live_flag import add_live_flag, live_log
from jobs.segment_vectors import Encoding, encode_segments, encoder_arguments, encoding_from
from jobs.stages import collect, parts_of

__all__ = ["BuildOptions", "as_options", "build", "build_with_log", "snapshot_spec"]

LOG = logging.getLogger("dynprof.build")


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


def build_with_log(
    workspace: Workspace, options: BuildOptions, encoding: Encoding, log: EventLog | None, watch: Stopwatch
) -> dict[str, Any]:
    """`build` after a log of live events was taken into the corpus, with vectors of its texts.

    Returns:
        As `build`, with `absorbed` and `trimmed`, numbers of live events, and `erased`, how many events were taken out
        of the files.
    """
    if log is None:
        with watch.stage("build"):
            return {**build(workspace, options), "absorbed": 0, "trimmed": 0, "erased": 0}
    before = _corpus_of_latest(workspace)
    fingerprint = options.fingerprint or continued_fingerprint(workspace)
    with watch.stage("ingest"):
        erased = erase_what_log_says(workspace, log)
        live = absorb(workspace, log)
    view = present_corpus(workspace)
    with watch.stage("encode"):
        if not covers(workspace, fingerprint, view):
            encoder = encoder_arguments(workspace, fingerprint, encoding)
            encode_segments(workspace, view, fingerprint, encoder, encoding, log)
    with watch.stage("build"):
        manifest = build(workspace, options.of(fingerprint))
        if not erased["done_before"]:
            drop_old_snapshots(workspace)
    n_trimmed = 0 if before is None or manifest["done_before"] else trim_log(log, before)
    counts = {"absorbed": live.get("n_events", 0), "trimmed": n_trimmed, "erased": erased["erased_events"]}
    return {**manifest, **counts}


def _corpus_of_latest(workspace: Workspace) -> CorpusView | None:
    try:
        name = latest_snapshot(workspace)
    except SnapshotNotFoundError:
        return None
    return corpus_of(workspace, read_spec(workspace, name)[1]["corpus_id"], whose=(SNAPSHOTS, name), what="a snapshot")


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
        rows = collect(parts.map_batches(sum_one_bucket, batch_size=1, batch_format="numpy", fn_kwargs=arguments))
    total = np.sum([np.asarray(row["vector_sum"]) for row in sorted(rows, key=lambda row: row["bucket"])], axis=0)
    return list((total / max(1, sum(row["n_events"] for row in rows))).tolist())


def _describe(
    workspace: Workspace, name: str, spec: SnapshotSpec, corpus: Mapping[str, Any], embeddings: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest: what the profiles mean, and what came out."""
    files = [bucket_name(b) for b in range(corpus["n_buckets"])]
    counts = [workspace.parquet_metadata(SNAPSHOTS, name, "profiles", file) for file in files]
    return {
        **spec.to_json(),
        "corpus_id": corpus["corpus_id"],
        "encoder": embeddings["encoder"],
        "created_at": datetime.now(UTC).isoformat(),
        "dynprof_version": __version__,
        "n_buckets": corpus["n_buckets"],
        "n_users": sum(c["n_users"] for c in counts),
        "n_events": sum(c["n_events"] for c in counts),
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


def as_options(spec: SnapshotSpec) -> BuildOptions:
    """What builds a snapshot of the same meaning."""
    return BuildOptions(
        spec.fingerprint, spec.decays, spec.as_of_us, spec.type_weights, spec.prior_weight, spec.activity
    )


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
    encode.add_running_flags(made)
    add_live_flag(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    watch, workspace = Stopwatch(), Workspace(args.workspace)
    options = options_from(args, fingerprint=args.fingerprint)
    with hold_ray(), live_log(workspace, args.live) as log:
        manifest = build_with_log(workspace, options, encoding_from(args), log, watch)
    live = {name: manifest[name] for name in ("absorbed", "trimmed", "erased")}
    return {"job": "build", **summary_of(manifest), **live, "workspace": args.workspace, "seconds": watch.seconds}


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
