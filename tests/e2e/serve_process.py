"""`serve run` as its own process tree: started on a free loopback port, stopped by process id, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

REPO = Path(__file__).parents[2]
MARK = "DYNPROF_TEST_RUN"

# `serve run module:builder` has no option for the port; only a config file has. This sets its default, nothing else.
ON_PORT = """
import sys
from ray.serve.config import HTTPOptions
HTTPOptions.model_fields["port"].default = int(sys.argv.pop(1))
HTTPOptions.model_rebuild(force=True)
from ray.serve.scripts import cli
cli(prog_name="serve")
"""


@dataclass(frozen=True)
class ServeProcess:
    """A `serve run` in progress.

    Attributes:
        process: The driver.
        mark: Value of the variable `MARK` in the environment of everything it started.
        url: Where it answers.
        log: Its output.
    """

    process: subprocess.Popen[bytes]
    mark: str
    url: str
    log: Path

    def wait_ready(self, limit_s: float) -> None:
        """Return when `/health/ready` is 200; fail with the output when the process ends or time is up."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and self.process.poll() is None:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/health/ready", timeout=5).status_code == 200:
                    return
            time.sleep(0.2)
        raise AssertionError(f"serve run was not ready after {limit_s} s:\n{self.log.read_text()[-4000:]}")


@contextmanager
def serve_run(*arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[ServeProcess]:
    """Run `serve run --address local <arguments>`; at the end nothing that it started is alive.

    Args:
        arguments: Of the command.
        variables: Of its environment, more than there would be.
    """
    folder = Path(tempfile.mkdtemp(prefix="dp-"))  # short: the paths of Ray's sockets have a limit of 107 bytes
    mark, port = uuid.uuid4().hex, free_port()
    log = folder / "log"
    command = [sys.executable, "-c", ON_PORT, str(port), "run", "--address", "local", *arguments]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=REPO,
            env={**environment(mark, folder), **(variables or {})},
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    try:
        yield ServeProcess(process, mark, f"http://127.0.0.1:{port}", log)
    finally:
        stop(process, mark)
        shutil.rmtree(folder, ignore_errors=True)


def environment(mark: str, folder: Path) -> dict[str, str]:
    """Of the driver and, inherited, of all that it starts."""
    settings = {"RAY_TMPDIR": str(folder), "RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", MARK: mark}
    kept = {k: v for k, v in os.environ.items() if k not in ("RAY_ADDRESS", "RAY_SERVE_DEFAULT_HTTP_HOST")}
    return {**kept, **settings}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def stop(process: subprocess.Popen[bytes], mark: str) -> None:
    """Ask with SIGINT, as Ctrl-C would; kill by id whatever is left."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    deadline = time.monotonic() + 10
    while (alive := processes_of(mark)) and time.monotonic() < deadline:
        time.sleep(0.2)
    for pid in alive:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(10)


def processes_of(mark: str) -> list[int]:
    """Ids of the living processes that carry a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):  # ended meanwhile, or not ours to read
            if f"{MARK}={mark}".encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found
