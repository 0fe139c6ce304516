"""Files without erased users and events, byte for byte: `python -m jobs.erase`. See `docs/operations.md`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynprof.errors import ConfigError
from dynprof.live.log import EventLog
from dynprof.snapshot import SNAPSHOTS, latest_snapshot, read_spec
from dynprof.workspace import Workspace
from jobs.build import as_options, build
from jobs.command import Stopwatch, hold_ray, parser, run, start_logging
from jobs.erasing import drop_old_snapshots, erase_what_log_says
from jobs.live_flag import add_live_flag, live_log

__all__ = ["erase_and_build"]


def erase_and_build(workspace: Workspace, log: EventLog) -> dict[str, Any]:
    """Take what was erased out of every file, then build the latest snapshot anew; older ones go.

    Returns:
        `erased_events` and `erased_users` of the corpus, `snapshot` (None without one) and `done_before`.

    Raises:
        WorkspaceError: No finished corpus.
    """
    found = erase_what_log_says(workspace, log)
    if found["done_before"]:
        return found
    snapshot = None if found["snapshot"] is None else _build_again(workspace, found["snapshot"])
    drop_old_snapshots(workspace)
    more = erase_and_build(workspace, log)  # of what was erased after the plan of a killed run was made
    counts = {name: found[name] + more[name] for name in ("erased_events", "erased_users")}
    return {**counts, "snapshot": more["snapshot"] or snapshot, "done_before": False}


def _build_again(workspace: Workspace, before: str) -> str:
    if workspace.read_manifest(SNAPSHOTS, before) is None:  # removed by a run that was killed after it had built
        return latest_snapshot(workspace)
    spec, _ = read_spec(workspace, before)
    return str(build(workspace, as_options(spec))["snapshot"])


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, erase, summarise."""
    made = parser("erase", "Write every file of a workspace without the users and events that were erased.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    add_live_flag(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    watch, workspace = Stopwatch(), Workspace(args.workspace)
    with hold_ray(), live_log(workspace, args.live) as log:
        if log is None:
            raise ConfigError(
                f"--live: expected a log of live events, which knows who was erased, found none in {workspace.uri}. "
                "Name it."
            )
        with watch.stage("erase"):
            found = erase_and_build(workspace, log)
    return {"job": "erase", **found, "workspace": args.workspace, "seconds": watch.seconds}


if __name__ == "__main__":
    run(main)
