"""A process that appends to a log and says which ids were acknowledged: for tests of kills and of many writers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random

REPO = Path(__file__).parents[1]


def start_writer(uri: str, seed: int, n_batches: int, *, die_at: str = "", ids: int = 400) -> subprocess.Popen[str]:
    """Start one.

    Args:
        uri: Of the log.
        seed: Decides which events it appends, and in which order.
        n_batches: Of up to 20 events each.
        die_at: `<batch>:<step>`: it kills itself with SIGKILL at this step of this append (SQLite).
        ids: Events are drawn from so many.
    """
    command = [sys.executable, str(Path(__file__)), uri, str(seed), str(n_batches), die_at, str(ids)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), str(REPO / "tests")])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


def acknowledged(output: str) -> set[str]:
    """Ids in whole lines: a line is written after the append returned."""
    return {event_id for line in output.split("\n")[:-1] for event_id in line.split()}


def main(uri: str, seed: str, n_batches: str, die_at: str, ids: str) -> None:
    from live_log_laws import make_event

    from dynprof.errors import LiveLogError
    from dynprof.live.open_log import open_log
    from dynprof.live.sqlite_log import SqliteLog

    fatal_batch, _, fatal_step = die_at.partition(":")
    batch = -1

    def die(step: str) -> None:
        if step == fatal_step and str(batch) == fatal_batch:
            os.kill(os.getpid(), signal.SIGKILL)

    log = SqliteLog(uri, on_step=die) if die_at else open_log(uri)
    rng = Random(int(seed))
    for _ in range(int(n_batches)):
        batch += 1
        events = [make_event(rng.randrange(int(ids))) for _ in range(rng.randint(1, 20))]
        try:
            log.append(events)
        except LiveLogError:  # the server was killed
            return
        say([event.event_id for event in events])
    log.close()


def say(event_ids: Sequence[str]) -> None:
    sys.stdout.write(" ".join(event_ids) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
