"""The application over real HTTP in a thread of this process, without a cluster; and a browser to look at it."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from dynprof.live.open_log import open_log
from dynprof.workspace import Workspace
from serve.access import OPEN, Access
from serve.api import make_api
from serve.engine import Engine
from serve.follower import Follower
from serve.live_service import live_service
from serve.metrics import Metrics

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
READY_LIMIT_S = 20


@contextmanager
def serving(workspace: Workspace | None, access: Access = OPEN) -> Iterator[str]:
    """The URL of a deployment of a workspace with its live log; of one that serves nothing yet where there is none."""
    if workspace is None:
        with _listening(make_api(None, access=access)) as url:
            yield url
        return
    log, metrics = open_log(workspace.path("live")), Metrics()
    load = partial(Engine.open, workspace, neighbor_cache_bytes=1 << 24, log=log)
    follower = Follower(load("latest"), load, workspace, metrics)
    app = make_api(follower, live_service(log, follower), access=access, metrics=metrics)
    try:
        with _listening(app) as url:
            yield url
    finally:
        if follower.engine is not None:
            follower.engine.close()
        log.close()


@contextmanager
def _listening(app: Any) -> Iterator[str]:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + READY_LIMIT_S
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        sock.close()


@contextmanager
def chromium() -> Iterator[Any]:
    """A headless browser of Playwright's; the test skips where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: Debian's package `chromium` is one")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--enable-unsafe-swiftshader"]
        )
        try:
            yield browser
        finally:
            browser.close()
