"""In this tier starting Ray, opening a socket and sleeping fail the test.

An audit hook sees sockets and processes wherever they come from, also from C and from names imported before the test.
The failure is pytest's own outcome, which `except Exception` in the code under test does not swallow.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

SOCKET_EVENTS = frozenset({"socket.bind", "socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg"})
RAY_PROCESSES = ("gcs_server", "raylet", "ray/_private/workers")

guarded = False


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook. Hooks cannot be removed, hence the switch."""
    if not guarded:
        return
    if event in SOCKET_EVENTS:
        pytest.fail(f"a unit test opened a socket ({event}): it belongs into tests/integration")
    if event == "subprocess.Popen" and any(name in str(arguments[:2]) for name in RAY_PROCESSES):
        pytest.fail("a unit test started Ray: it belongs into tests/integration")


sys.addaudithook(refuse)


def sleep(delay_s: float) -> None:
    """Stand in for `time.sleep`. Zero seconds only yield."""
    if delay_s > 0:
        pytest.fail(f"a unit test slept {delay_s} s: pass the time in, or move it to tests/integration")


def start_ray(*_: Any, **__: Any) -> None:
    """Stand in for `ray.init`, which would do much before it starts its first process."""
    pytest.fail("a unit test started Ray: it belongs into tests/integration")


@pytest.fixture(autouse=True)
def no_ray_no_socket_no_sleep(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Guard one test, its own fixtures included."""
    global guarded
    asyncio_sleep = asyncio.sleep

    async def yield_only(delay: float, *arguments: Any, **options: Any) -> Any:
        sleep(delay)
        return await asyncio_sleep(delay, *arguments, **options)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(asyncio, "sleep", yield_only)
    if "ray" in sys.modules:  # importing it for a test that does not use it would cost more than the test
        monkeypatch.setattr("ray.init", start_ray)
    guarded = True
    yield
    guarded = False
