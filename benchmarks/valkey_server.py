"""A real Valkey or Redis server on the loopback address, with its files in a folder; killed and started at will."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

__all__ = ["DURABLE", "ValkeyServer", "free_port", "server_binary"]

DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction", "--save", "")


def server_binary() -> str | None:
    """Path of the server, whichever of the two is installed."""
    return shutil.which("valkey-server") or shutil.which("redis-server")


class ValkeyServer:
    """One server process.

    Args:
        folder: Where its files lie, kept over restarts.
        settings: As on its command line.
    """

    def __init__(self, folder: Path, settings: tuple[str, ...] = DURABLE) -> None:
        self.folder = folder
        self.port = free_port()
        self._settings = settings
        self.start()

    @property
    def uri(self) -> str:
        """Address for `open_log`."""
        return f"valkey://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it answers."""
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--daemonize", "no"]
        command = [server_binary() or "", *options, "--loglevel", "warning", *self._settings]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with suppress(RedisError), Redis(port=self.port, retry=None) as client:
                if client.ping():
                    return
            time.sleep(0.02)
        raise AssertionError("the server did not answer within 30 s")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait(10)


def free_port() -> int:
    """A port of the loopback address that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
