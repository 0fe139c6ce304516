"""The main job: ingest, encode, build and evaluate in order: `python -m jobs.pipeline`.

Every stage skips what is finished, so the same command resumes a killed run and does nothing after a finished one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynprof.workspace import Workspace
from jobs import build, encode, evaluate, ingest
from jobs.command import Stopwatch, hold_ray, parser, run, start_logging
from jobs.live_flag import add_live_flag, tombstones_at

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, run the stages, summarise."""
    made = parser("pipeline", "Events to profiles: ingest, encode, build and evaluate, in order.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    ingest.add_flags(made)
    encode.add_flags(made)
    build.add_flags(made)
    evaluate.add_flags(made)
    add_live_flag(made)
    made.add_argument("--no-evaluate", action="store_true", help="stop after the build")
    args = made.parse_args(argv)
    start_logging(args.log_level)
    # All flags are read before anything runs: a typo must not cost an hour.
    reading, encoding = ingest.options_from(args), encode.options_from(args)
    building, judging = build.options_from(args), evaluate.options_from(args)
    encode.identify(encoding)
    workspace, watch = Workspace(args.workspace), Stopwatch()
    summary: dict[str, Any] = {"job": "pipeline", "workspace": args.workspace}
    with hold_ray():
        with watch.stage("ingest"):
            corpus = ingest.ingest(workspace, reading, tombstones_at(workspace, args.live))
        with watch.stage("encode"):
            embeddings = encode.encode(workspace, encoding)
        with watch.stage("build"):
            snapshot = build.build(workspace, building.of(embeddings["fingerprint"]))
        done = [m["done_before"] for m in (corpus, embeddings, snapshot)]
        summary |= ingest.summary_of(corpus) | encode.summary_of(embeddings) | build.summary_of(snapshot)
        if not args.no_evaluate:
            with watch.stage("evaluate"):
                report = evaluate.evaluate(workspace, judging.of(embeddings["fingerprint"]))
            done.append(report["done_before"])
            summary |= evaluate.summary_of(report)
    return {**summary, "done_before": all(done), "seconds": watch.seconds}


if __name__ == "__main__":
    run(main)
