"""The guard of this tier holds: what unit tests may not do fails them, what they need works."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import time

import pytest
import ray


def test_opening_a_connection_fails_a_unit_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="opened a socket"):
        socket.create_connection(("127.0.0.1", 9))


def test_listening_fails_a_unit_test() -> None:
    with socket.socket() as server, pytest.raises(pytest.fail.Exception, match="opened a socket"):
        server.bind(("127.0.0.1", 0))


def test_sleeping_fails_a_unit_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="slept"):
        time.sleep(0.001)


def test_sleeping_in_a_coroutine_fails_a_unit_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="slept"):
        asyncio.run(asyncio.sleep(0.001))


def test_starting_ray_fails_a_unit_test() -> None:
    for start in (ray.init, lambda: ray.put(1)):  # the second one would start it on its own
        with pytest.raises(pytest.fail.Exception, match="started Ray"):
            start()
    assert not ray.is_initialized()


def test_starting_a_process_of_ray_fails_a_unit_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="started Ray"):
        subprocess.Popen(["/nowhere/ray/core/src/ray/gcs/gcs_server"])


def test_code_that_swallows_exceptions_does_not_swallow_the_failure() -> None:
    with pytest.raises(pytest.fail.Exception), contextlib.suppress(Exception):
        time.sleep(0.001)


def test_event_loops_and_other_processes_work() -> None:
    asyncio.run(asyncio.sleep(0))
    assert subprocess.run([sys.executable, "-c", "print(1)"], capture_output=True, check=True).stdout == b"1\n"
