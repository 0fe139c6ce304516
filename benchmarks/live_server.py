"""The routes of live events in one process with a log and its encoder, without Ray: what `bench_live` posts to."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import httpx
import uvicorn

from benchmarks.valkey_server import free_port
from dynprof.encoders import load_encoder
from dynprof.live.encoding import LiveEncoder
from dynprof.live.open_log import open_log
from serve.api import make_api
from serve.live import LiveLimits, LiveService

__all__ = ["live_server"]

START_LIMIT_S = 120.0


@contextmanager
def live_server(log: str, encoder: str) -> Iterator[str]:
    """Start the process; its URL. Ended by its id."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.live_server", "--log", log, "--encoder", encoder, "--port", str(port)]
    process = subprocess.Popen(command)
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_up(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_until_up(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return when the process answers."""
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.HTTPError):
            httpx.get(f"{url}/health/live", timeout=5)
            return
        time.sleep(0.05)
    raise RuntimeError(f"the server was not up after {START_LIMIT_S:.0f} s")


def main() -> None:
    """Serve until terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log", required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    log = open_log(args.log)
    encoder = LiveEncoder(log, load_encoder(args.encoder))
    encoder.start()
    limits = LiveLimits(waiting_events=100_000)
    app = make_api(None, live=LiveService(log, limits=limits, on_change=[encoder.wake]))
    uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="warning")
    encoder.close()
    log.close()


if __name__ == "__main__":
    main()
