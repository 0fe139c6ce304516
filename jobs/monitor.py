"""How profiles evolve and whether the population moved: `python -m jobs.monitor`. Exit code 1 above a threshold."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.drift.bucket_pass import Asked
from dynprof.drift.choice import Choice, choose
from dynprof.drift.gauges import render_gauges
from dynprof.drift.report import render_markdown, report_document
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.storage import read_document, write_document
from dynprof.drift.topics import find_topics
from dynprof.embedded import CorpusVectors, open_vectors
from dynprof.lineage import corpus_of
from dynprof.reporting.monitor_page import write_monitor
from dynprof.snapshot import SNAPSHOTS, read_spec
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, ray_session, run, start_logging
from jobs.monitor_flags import make_parser, spec_from
from jobs.monitor_passes import Passes
from jobs.monitor_report import make_report

__all__ = ["main", "monitor"]

LOG = logging.getLogger("dynprof.monitor")

EXIT_ALARM = 1


def monitor(workspace: Workspace, spec: MonitorSpec, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Write `reports/<name>/` and show its Markdown on stderr; a report that stands there already is only named.

    Args:
        workspace: Where.
        spec: The question.
        notes: What is known to be absent, for the report.

    Returns:
        The report as JSON types, with `done_before`.

    Raises:
        WorkspaceError: Nothing to look at, or vectors are missing.
        FingerprintError: The embeddings are of another corpus.
    """
    if (document := read_document(workspace, spec.name)) is not None:
        LOG.info("report=%s finished before, nothing to do", spec.name)
        return {**document, "done_before": True}
    manifest = read_spec(workspace, spec.snapshot)[1]
    whose = (SNAPSHOTS, spec.snapshot)
    view = corpus_of(workspace, manifest["corpus_id"], whose=whose, what="a snapshot")
    vectors = open_vectors(workspace, spec.fingerprint, view)
    choice = choose(workspace, view, spec)
    LOG.info("events=%d users=%d items=%d", len(choice.log), len(choice.users), len(choice.items))
    earlier = manifest if spec.span is None else read_spec(workspace, spec.span.against)[1]
    means = [np.asarray(m["population_mean"], np.float32) for m in (manifest, earlier)]
    asked = _asked(spec, choice, vectors, *means)
    passes = Passes(vectors, view.n_buckets, asked, choice)
    with ray_session():
        passes.run()
        report = make_report(passes, notes)
    created = datetime.now(UTC)
    document = {**report_document(report), "created_at": created.isoformat()}
    markdown = render_markdown(document, report.tables)
    texts = {"report.md": markdown.encode(), "metrics.prom": render_gauges(document, created.timestamp())}
    write_document(workspace, spec.name, document, report.tables, texts)
    print(markdown, file=sys.stderr, flush=True)  # noqa: T201
    return {**document, "done_before": False}


def _asked(
    spec: MonitorSpec,
    choice: Choice,
    vectors: CorpusVectors,
    mean: npt.NDArray[np.float32],
    earlier_mean: npt.NDArray[np.float32],
) -> Asked:
    """What every bucket is asked; topics are found on the way."""
    hashes, user_ids = choice.names.text_hashes, choice.names.user_ids
    sampled = vectors.load(hashes.take(pa.array(choice.topic_items)))
    return Asked(
        spec=spec,
        users=user_ids.take(pa.array(choice.users)),
        items=hashes.take(pa.array(choice.items)),
        centres=find_topics(sampled, spec.topics, spec.seed),
        mean=mean,
        earlier_mean=earlier_mean,
        tests=choice.tests,
        bucket_of_test=choice.buckets,
        bucket_starts=choice.bucket_starts,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, monitor, summarise."""
    args = make_parser().parse_args(argv)
    start_logging(args.log_level)
    watch, workspace = Stopwatch(), Workspace(args.workspace)
    with watch.stage("monitor"):
        spec, notes = spec_from(args, workspace)
        document = monitor(workspace, spec, notes)
        if args.page:
            LOG.info("page=%s", write_monitor(workspace, spec.name)[0])
    return {"job": "monitor", **summary_of(document), "workspace": args.workspace, "seconds": watch.seconds}


def summary_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """One line: the report, the alarms, and the numbers that raised them."""
    return {
        "report": document["name"],
        "snapshot": document["facts"]["snapshot"],
        "against": document["facts"]["against"],
        "alarms": document["alarms"],
        "drift": {v["measure"]: {"value": v["value"], "limit": v["limit"]} for v in document["population"]},
        "sudden_windows": document["sudden"]["windows"],
        "users": document["facts"]["n_sampled_users"],
        "items": document["facts"]["n_sampled_items"],
        "events": document["facts"]["n_events"],
        "done_before": document["done_before"],
    }


def exit_code(summary: Mapping[str, Any]) -> int:
    """1 where something is above its threshold, so that a scheduler can act."""
    return EXIT_ALARM if summary["alarms"] else 0


if __name__ == "__main__":
    run(main, exit_code=exit_code)
