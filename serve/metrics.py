"""Numbers for Prometheus: what was asked, how long it took, what is served."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.samples import Sample
from starlette.types import Message, Scope, Send

from serve.engine import Engine

__all__ = ["Metrics"]

_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH"})

Watch = Callable[[Send], Send]


class Metrics:
    """Of one replica. Safe to use from several threads.

    Args:
        replica: Its name, a label of every number: behind a proxy each scrape meets another replica.
        monitor: Gives what the newest monitor report says, in the same format; the same from every replica.
    """

    def __init__(self, replica: str = "", monitor: Callable[[], bytes] = bytes) -> None:
        self._registry, self._replica, self._monitor = CollectorRegistry(), replica, monitor
        self._seconds = Histogram(
            "dynprof_request_seconds",
            "Requests answered, by route and status",
            ["replica", "method", "route", "status"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._open = Gauge("dynprof_requests_open", "Being answered", ["replica"], registry=self._registry)
        self._reloads = Counter("dynprof_reloads", "Loads of snapshots", ["replica", "result"], registry=self._registry)
        self._serving = Gauge(
            "dynprof_snapshot", "1: this one is served", ["replica", "snapshot"], registry=self._registry
        )
        self._as_of = Gauge("dynprof_snapshot_as_of_seconds", "Its time", ["replica"], registry=self._registry)
        self._users = Gauge("dynprof_users", "In the snapshot", ["replica"], registry=self._registry)
        self._items = Gauge("dynprof_items", "That can be recommended", ["replica"], registry=self._registry)

    @contextmanager
    def request(self, scope: Scope) -> Iterator[Watch]:
        """Time a request; what is yielded has to see what is sent."""
        status, started = "500", time.perf_counter()
        self._open.labels(self._replica).inc()

        def watch(send: Send) -> Send:
            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = str(message["status"])
                await send(message)

            return sending

        try:
            yield watch
        finally:
            self._open.labels(self._replica).dec()
            route = getattr(scope.get("route"), "path", "none")  # of no route: paths that people try are not kept
            method = scope["method"] if scope["method"] in _METHODS else "other"
            labels = (self._replica, method, route, status)
            self._seconds.labels(*labels).observe(time.perf_counter() - started)

    def request_samples(self) -> Iterator[Sample]:
        """What was counted of requests: the samples of `dynprof_request_seconds`."""
        for family in self._seconds.collect():
            yield from family.samples

    def serving(self, engine: Engine) -> None:
        """Another snapshot is served."""
        self._serving.clear()
        self._serving.labels(self._replica, engine.store.name).set(1)
        self._as_of.labels(self._replica).set(engine.store.spec.as_of_us / 1e6)
        self._users.labels(self._replica).set(engine.store.n_users)
        self._items.labels(self._replica).set(len(engine.items))

    def reloaded(self, result: str) -> None:
        """A snapshot was loaded (`ok`), or could not be (`failed`)."""
        self._reloads.labels(self._replica, result).inc()

    def text(self) -> bytes:
        """All of it, in Prometheus' text format. Reads a report now and then: not on an event loop."""
        return bytes(generate_latest(self._registry)) + self._monitor()
