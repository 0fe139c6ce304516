"""A report for people: `python -m jobs.report` turns `reports/<name>/` into `reports/<name>.html`, PNG and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynprof.reporting.evaluation_page import write_evaluation
from dynprof.reporting.monitor_page import is_monitor, write_monitor
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, parser, run, start_logging


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, write, summarise."""
    made = parser("report", "Write the page of a finished evaluation or monitor, one file that needs no network.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    made.add_argument("--name", required=True, help="of the report: the folder below reports/")
    args = made.parse_args(argv)
    start_logging(args.log_level)
    watch = Stopwatch()
    with watch.stage("report"):
        write = write_monitor if is_monitor(args.name) else write_evaluation
        written = write(Workspace(args.workspace), args.name)
    return {
        "job": "report",
        "page": written[0],
        "files": len(written),
        "workspace": args.workspace,
        "seconds": watch.seconds,
    }


if __name__ == "__main__":
    run(main)
