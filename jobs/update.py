"""New events into the next snapshot, at the cost of what is new: `python -m jobs.update`. See `docs/update.md`.

Plain Ray tasks, not datasets: the rows are few, and starting a dataset would cost more than they do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import ray

from dynprof import __version__
from dynprof.embedded import CorpusVectors, open_vectors
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.lineage import CorpusView, corpus_of, present_corpus
from dynprof.live.log import EventLog
from dynprof.live.tombstones import Tombstones
from dynprof.snapshot import SNAPSHOTS, SnapshotSpec, format_time_us, latest_snapshot, parse_time_us, read_spec
from dynprof.workspace import Workspace
from jobs import encode, ingest
from jobs.absorb import absorb, trim_log
from jobs.build import as_options, build
from jobs.command import Stopwatch, hold_ray, parser, ray_session, run, start_logging
from jobs.erasing import drop_old_snapshots, erase_what_log_says
from jobs.ingest import IngestOptions
from jobs.live_flag import add_live_flag, live_log
from jobs.segment_vectors import Encoding, encode_segments, encoder_arguments, encoding_from
from jobs.update_segment import read_segment_of
from jobs.update_tasks import write_activity, write_layer

__all__ = ["UpdateOptions", "update"]

LOG = logging.getLogger("dynprof.update")


@dataclass(frozen=True)
class UpdateOptions:
    """What is new, and how the job runs. What a profile means comes from the latest snapshot.

    Attributes:
        reading: Files and columns, as `jobs.ingest` takes them; `n_buckets` is not looked at.
        as_of_us: Of the next snapshot, after all events; None is just after the last, and never before the last one's.
        encoding: How new texts are encoded.
        max_layers: More of them are followed by a full build.
        compact: Build in full anyway.
    """

    reading: IngestOptions
    as_of_us: int | None = None
    encoding: Encoding = field(default_factory=Encoding)
    max_layers: int = 32
    compact: bool = False

    def __post_init__(self) -> None:
        numbers = {"max_layers": (self.max_layers, 1), "actors": (self.encoding.actors, 0)}
        for flag, (number, least) in {**numbers, "batch_tokens": (self.encoding.batch_tokens, 0)}.items():
            if number < least:
                raise ConfigError(f"{flag}: expected a whole number >= {least}, found {number}.")


@dataclass(frozen=True)
class _Parent:
    """The snapshot to go on from: its name, meaning, manifest and corpus."""

    name: str
    spec: SnapshotSpec
    manifest: Mapping[str, Any]
    corpus: CorpusView


def update(
    workspace: Workspace, options: UpdateOptions, watch: Stopwatch, log: EventLog | None = None
) -> dict[str, Any]:
    """Write a segment of the corpus, its vectors and a layer over the latest snapshot; nothing where nothing is new.

    A log of live events is taken in before anything else, as a segment of its own. Of what the snapshot before this one
    had of it, its events are dropped in the end.

    Returns:
        The new snapshot's manifest, or the latest one's, with `snapshot`, `done_before`, `n_encoded_now` and `segment`,
        the manifest of what was read, {} where it was read before; `absorbed` and `trimmed`, numbers of live events;
        `erased`, the number of events that were taken out of the files.

    Raises:
        InputFileError, MissingColumnError: The input cannot be read.
        WorkspaceError: There is no snapshot to go on from, or it lacks events of its corpus.
        FingerprintError: The encoder of the snapshot is not to be had here.
        ConfigError: `as_of_us` is not after the last event.
    """
    parent = _parent(workspace)
    encoder = encoder_arguments(workspace, parent.spec.fingerprint, options.encoding)
    with watch.stage("ingest"):
        erased = erase_what_log_says(workspace, log)
        live = absorb(workspace, log)
        segment = read_segment_of(workspace, options.reading, None if log is None else Tombstones.of(log))
    view = present_corpus(workspace)
    with watch.stage("encode"):
        n_encoded = encode_segments(workspace, view, parent.spec.fingerprint, encoder, options.encoding, log)
    spec = _next_spec(parent, view, options.as_of_us)
    with watch.stage("build"):
        full = options if erased["done_before"] else replace(options, compact=True)
        manifest = _next_snapshot(workspace, parent, view, spec, full)
        if not erased["done_before"]:
            drop_old_snapshots(workspace)
    n_trimmed = 0 if manifest["done_before"] else trim_log(log, parent.corpus)
    counts = {"absorbed": live.get("n_events", 0), "trimmed": n_trimmed, "erased": erased["erased_events"]}
    return {**manifest, "segment": segment, "n_encoded_now": n_encoded, **counts}


def _parent(workspace: Workspace) -> _Parent:
    present_corpus(workspace)
    name = latest_snapshot(workspace)
    spec, manifest = read_spec(workspace, name)
    corpus = corpus_of(workspace, manifest["corpus_id"], whose=(SNAPSHOTS, name), what="a snapshot")
    last_us = corpus.manifest["last_event_us"]
    if last_us is not None and spec.as_of_us <= last_us:
        raise WorkspaceError(
            f"{workspace.path(SNAPSHOTS, name)}: expected a snapshot of all events of its corpus, the last of "
            f"{format_time_us(last_us)}, found one as of {format_time_us(spec.as_of_us)}. Run `python -m jobs.build` "
            "without --as-of, then update that."
        )
    return _Parent(name, spec, manifest, corpus)


def _next_spec(parent: _Parent, view: CorpusView, as_of_us: int | None) -> SnapshotSpec:
    last_us = view.manifest["last_event_us"]
    if as_of_us is None:
        as_of_us = max(parent.spec.as_of_us, 0 if last_us is None else last_us + 1)
    elif last_us is not None and as_of_us <= last_us:
        raise ConfigError(
            f"--as-of: expected a time after the last event, {format_time_us(last_us)}, found "
            f"{format_time_us(as_of_us)}. For an earlier one run `python -m jobs.build --as-of`."
        )
    return SnapshotSpec.from_json({**parent.spec.to_json(), "as_of_us": as_of_us})


def _next_snapshot(
    workspace: Workspace, parent: _Parent, view: CorpusView, spec: SnapshotSpec, options: UpdateOptions
) -> dict[str, Any]:
    """A layer over the parent, or a full build; the parent itself where nothing differs."""
    layers = parent.manifest.get("layers", [parent.name])
    same = (parent.corpus.corpus_id, parent.spec) == (view.corpus_id, spec)
    if options.compact or (not same and len(layers) > options.max_layers):
        return build(workspace, as_options(spec))
    if same:
        LOG.info("snapshot=%s nothing new", parent.name)
        return {**parent.manifest, "snapshot": parent.name, "done_before": True}
    vectors, segments = open_vectors(workspace, spec.fingerprint, view), view.since(parent.corpus.corpus_id)
    name = f"{spec.name(view.corpus_id)}-u{len(layers)}"
    workspace.remove(SNAPSHOTS, name)
    with ray_session():
        writing = ray.remote(write_layer).remote(vectors, parent.name, name, spec.to_json(), segments)
        active = ray.remote(write_activity)
        arguments = (workspace.uri, name, spec.as_of_us, view.segments)
        ray.get([active.remote(*arguments, bucket) for bucket in range(view.n_buckets if spec.activity else 0)])
        counts = ray.get(writing)
    described = {**_described(parent, view, spec, vectors, counts), "layers": [*layers, name]}
    workspace.write_manifest(described, SNAPSHOTS, name)
    return {**described, "snapshot": name, "done_before": False}


def _described(
    parent: _Parent, view: CorpusView, spec: SnapshotSpec, vectors: CorpusVectors, counts: Mapping[str, Any]
) -> dict[str, Any]:
    """The parent's manifest, brought up to date."""
    return {
        **parent.manifest,
        **spec.to_json(),
        **counts,
        "corpus_id": view.corpus_id,
        "created_at": datetime.now(UTC).isoformat(),
        "dynprof_version": __version__,
        "n_users": parent.manifest["n_users"] + counts["n_new_users"],
        "n_events": view.manifest["n_events_with_text"],
        "population_mean": list(vectors.manifest["mean_vector"]),
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, update, summarise."""
    made = parser("update", "Bring the latest snapshot up to date with new events.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    ingest.add_reading_flags(made, events_required=False)
    made.add_argument("--as-of", help="ISO 8601, after all events; default: just after the last event")
    encode.add_running_flags(made)
    add_live_flag(made)
    made.add_argument("--max-layers", type=int, default=32, help="updates over one build before the next one")
    made.add_argument("--compact", action="store_true", help="build in full, with tables of everybody's profiles")
    args = made.parse_args(argv)
    start_logging(args.log_level)
    options = UpdateOptions(
        ingest.options_from(args),
        None if args.as_of is None else parse_time_us(args.as_of, name="--as-of"),
        encoding_from(args),
        args.max_layers,
        args.compact,
    )
    watch, workspace = Stopwatch(), Workspace(args.workspace)
    with hold_ray(), live_log(workspace, args.live) as log:
        manifest = update(workspace, options, watch, log)
    return {"job": "update", **summary_of(manifest), "workspace": args.workspace, "seconds": watch.seconds}


def summary_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a summary that the update answers."""
    segment = manifest["segment"]
    return {
        "rows_in": segment.get("n_rows_read", 0),
        "rows_out": segment.get("n_events", 0),
        "quarantined": segment.get("n_quarantined", 0),
        "duplicates": segment.get("n_duplicates", 0),
        "absorbed": manifest["absorbed"],
        "trimmed": manifest["trimmed"],
        "erased": manifest["erased"],
        "erased_rows": segment.get("n_erased", 0),
        "revised_events": segment.get("n_revised_events", 0),
        "encoded_now": manifest["n_encoded_now"],
        "touched_users": 0 if manifest["done_before"] else manifest.get("n_touched_users", manifest["n_users"]),
        "new_users": 0 if manifest["done_before"] else manifest.get("n_new_users"),
        "snapshot": manifest["snapshot"],
        "layers": len(manifest.get("layers", [1])),
        "users": manifest["n_users"],
        "events": manifest["n_events"],
        "as_of": manifest["as_of"],
        "done_before": manifest["done_before"],
    }


if __name__ == "__main__":
    run(main)
