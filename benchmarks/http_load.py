"""Bounded load on a local server: as fast as some connections can, or so many requests a second whatever happens."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np

__all__ = ["Load", "fastest", "steady"]

_CONNECTIONS = 8
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Load:
    """What came of it.

    Attributes:
        rate: Answers a second.
        p50_ms: Median; in `steady` from the moment the request was due, so that a stall counts for all it delays.
        p99_ms: 99th percentile.
        n_failed: Answers that were not 200.
        client: `wrk` or `python`, which has its own limit: some 3,000 a second on a core.
    """

    rate: float
    p50_ms: float
    p99_ms: float
    n_failed: int
    client: str


def fastest(urls: Sequence[str], seconds: float, *, connections: int = _CONNECTIONS) -> Load:
    """As many requests as some connections manage, each waiting for its answer: by wrk where it is installed."""
    wrk = shutil.which("wrk")
    return _wrk(wrk, urls, seconds, connections) if wrk else asyncio.run(_fastest(urls, seconds, connections))


def steady(urls: Sequence[str], seconds: float, rate: float, *, connections: int = 64) -> Load:
    """So many requests a second, on time, whether earlier ones were answered or not (up to `connections` at once)."""
    return asyncio.run(_steady(urls, seconds, rate, connections))


def _wrk(wrk: str, urls: Sequence[str], seconds: float, connections: int) -> Load:
    split = urlsplit(urls[0])
    paths = ",".join(f'"{urlsplit(u).path}?{urlsplit(u).query}"' for u in urls)
    script = f"local p={{{paths}}} local i=0 request=function() i=i%#p+1 return wrk.format('GET',p[i]) end"
    base = f"{split.scheme}://{split.netloc}"
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = [wrk, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--latency", "-s", file.name, base]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0])
    return Load(rate, _milliseconds(said, "50%"), _milliseconds(said, "99%"), int(failed[1]) if failed else 0, "wrk")


def _milliseconds(said: str, percentile: str) -> float:
    number, unit = re.findall(rf"{percentile}\s+([\d.]+)(us|ms|s)", said)[0]
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


class _Connection:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, url: str) -> None:
        split = urlsplit(url)
        self._host, self._port = split.hostname or "127.0.0.1", split.port or 80
        self._reader: asyncio.StreamReader | None = None

    async def get(self, url: str) -> int:
        """Status of the answer, once all of it is here."""
        if self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        split = urlsplit(url)
        target = f"{split.path}?{split.query}" if split.query else split.path
        self._writer.write(f"GET {target} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        if length is None:
            raise ValueError(f"{url}: expected an answer with its length, found {head[:80]!r}.")
        await self._reader.readexactly(int(length[1]))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        if self._reader is not None:
            self._writer.close()


async def _fastest(urls: Sequence[str], seconds: float, connections: int) -> Load:
    taken: list[float] = []
    failed = 0
    start = time.perf_counter()

    async def one(number: int) -> None:
        nonlocal failed
        connection, at = _Connection(urls[0]), number
        while time.perf_counter() - start < seconds:
            asked = time.perf_counter()
            status = await connection.get(urls[at % len(urls)])
            failed += status != 200
            taken.append(time.perf_counter() - asked)
            at += connections
        connection.close()

    await asyncio.gather(*(one(i) for i in range(connections)))
    return _load(taken, failed, time.perf_counter() - start)


async def _steady(urls: Sequence[str], seconds: float, rate: float, connections: int) -> Load:
    free: asyncio.Queue[_Connection] = asyncio.Queue()
    for _ in range(connections):
        free.put_nowait(_Connection(urls[0]))
    taken: list[float] = []
    failed = 0
    start = time.perf_counter()

    async def one(number: int, due: float) -> None:
        nonlocal failed
        connection = await free.get()
        status = await connection.get(urls[number % len(urls)])
        failed += status != 200
        taken.append(time.perf_counter() - due)
        free.put_nowait(connection)

    tasks = []
    for number in range(round(seconds * rate)):
        due = start + number / rate
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(one(number, due)))
    async with asyncio.timeout(_PATIENCE_S):
        await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait().close()
    return _load(taken, failed, time.perf_counter() - start)


def _load(taken: Sequence[float], failed: int, seconds: float) -> Load:
    p50, p99 = np.percentile(taken, [50, 99]) * 1e3
    return Load(round(len(taken) / seconds, 1), round(float(p50), 2), round(float(p99), 2), failed, "python")
