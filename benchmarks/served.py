"""`serve run` on a workspace, as its own processes on a free loopback port, and what memory its replicas share."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Served", "serving", "summary"]

_MARK = "DYNPROF_BENCHMARK"
_FAST = {"RAY_SERVE_ENABLE_HA_PROXY": "1", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        url: Where.
        ready_s: From the start of the command to the first 200 of `/health/ready`, Ray's own start included.
        mark: In the environment of all its processes.
    """

    url: str
    ready_s: float
    mark: str

    def replicas(self) -> list[dict[str, float]]:
        """MiB of each replica: `rss`, and `pss`, in which a page that n processes share counts for 1/n."""
        found = []
        for process in _marked(self.mark):
            with suppress(OSError):
                name = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ")
                if name.startswith(b"ray::ServeReplica"):
                    found.append(_memory(process))
        return found


@contextmanager
def serving(workspace: str, *, replicas: int, fast: bool, limit_s: float) -> Iterator[Served]:
    """Serve within the block; afterwards nothing that was started is alive.

    Args:
        workspace: Folder.
        replicas: How many.
        fast: Ray's mode for throughput.
        limit_s: Until it must be ready.

    Raises:
        TimeoutError: It was not.
    """
    mark, port = uuid.uuid4().hex, _free_port()
    folder = Path(tempfile.mkdtemp(prefix="dp-"))  # short: the paths of Ray's sockets have a limit of 107 bytes
    config = {
        "http_options": {"host": "127.0.0.1", "port": port, "request_timeout_s": 30},
        "applications": [
            {
                "name": "dynprof",
                "route_prefix": "/",
                "import_path": "serve.app:build",
                "args": {"workspace": workspace, "num_replicas": replicas},
            }
        ],
    }
    (folder / "serve.yaml").write_text(json.dumps(config))  # JSON is YAML
    environment = {**os.environ, _MARK: mark, "RAY_TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "ray.serve.scripts", "run", "--address", "local", str(folder / "serve.yaml")]
    start = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment | (_FAST if fast else {}), stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_ready(process, url, limit_s, folder / "log")
        yield Served(url, round(time.perf_counter() - start, 2), mark)
    finally:
        _stop(process, mark)


def _wait_ready(process: subprocess.Popen[bytes], url: str, limit_s: float, log: Path) -> None:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"{url}/health/ready", timeout=5) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise TimeoutError(f"serve run: expected to be ready after {limit_s} s, found:\n{log.read_text()[-3000:]}")


def _stop(process: subprocess.Popen[bytes], mark: str) -> None:
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(30)
    for left in _marked(mark):
        with suppress(OSError):
            os.kill(left, signal.SIGKILL)
    process.wait()


def _marked(mark: str) -> list[int]:
    """Processes that have the mark in their environment: all that this run started, and nothing else."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def _memory(process: int) -> dict[str, float]:
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0].lower(): int(line.split()[1]) for line in lines}
    return {name: round(kib[name] / 1024, 1) for name in ("rss", "pss")}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def summary(replicas: list[dict[str, float]]) -> dict[str, Any]:
    """Of all replicas together: what they hold, and what they would hold if they shared nothing."""
    return {
        "replicas": len(replicas),
        "rss_mib": round(sum(r["rss"] for r in replicas), 1),
        "pss_mib": round(sum(r["pss"] for r in replicas), 1),
    }
