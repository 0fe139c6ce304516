"""`python -m jobs.generate`: write a synthetic world whose right answers are known. Needs no Ray."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tqdm import tqdm

from dynprof.errors import ConfigError
from dynprof.workspace import Workspace
from dynprof.world import WorldSpec, read_world, write_world
from jobs import command

__all__ = ["main"]

LOG = logging.getLogger("dynprof.generate")


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Generate as the flags say; returns the summary.

    Raises:
        ConfigError: A flag has a value that means nothing.
        WorkspaceError: `--out` is not empty and `--force` is not given, or it cannot be written.
    """
    flags = _parser().parse_args(argv)
    command.start_logging(flags.log_level)
    spec = WorldSpec(flags.users, flags.events, flags.seed, _parse_start(flags.start), flags.days)
    watch, folder = command.Stopwatch(), Workspace(flags.out)
    before = None if flags.force else read_world(spec, folder, rows_per_file=flags.rows_per_file)
    with watch.stage("generate"):
        manifest = before or _write(spec, folder, flags)
    rows = manifest["rows"]
    LOG.info("job=generate out=%s events=%d users=%d items=%d", flags.out, rows["events"], rows["users"], rows["items"])
    return {
        "job": "generate",
        "out": flags.out,
        "rows_out": rows["events"],
        "users": rows["users"],
        "items": rows["items"],
        "seed": spec.seed,
        "done_before": before is not None,
        "seconds": watch.seconds,
    }


def _write(spec: WorldSpec, folder: Workspace, flags: argparse.Namespace) -> dict[str, Any]:
    with tqdm(total=spec.n_events, unit=" events", unit_scale=True, disable=None) as bar:
        return write_world(spec, folder, rows_per_file=flags.rows_per_file, force=flags.force, on_events=bar.update)


def _parser() -> argparse.ArgumentParser:
    made = command.parser("generate", "Write a synthetic world: events, users, items, and the truth about them.")
    made.add_argument("--out", required=True, metavar="DIR", help="folder, local or on object storage")
    made.add_argument("--users", required=True, type=int, metavar="N", help="users, some of them bots")
    made.add_argument("--events", required=True, type=int, metavar="N", help="events; exactly so many come out")
    made.add_argument("--seed", default=0, type=int, help="the same seed and sizes give the same files")
    made.add_argument(
        "--start", default="2024-01-01", metavar="TIME", help="first moment, ISO 8601, UTC without a zone"
    )
    made.add_argument("--days", default=365, type=int, help="length of the world")
    made.add_argument("--rows-per-file", default=500_000, type=int, metavar="N", help="most rows of a file")
    made.add_argument("--force", action="store_true", help="replace the world that is in DIR")
    return made


def _parse_start(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--start: expected an ISO 8601 time, such as 2024-01-01 or 2024-01-01T06:00:00Z, found {text!r}."
        ) from None


if __name__ == "__main__":
    command.run(main, sys.argv[1:])
