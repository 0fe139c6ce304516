"""What a request passes before a route sees it: who asks, how often, how much is sent; and what is counted."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.access import Access, Caller
from serve.errors import error_response
from serve.metrics import Metrics

__all__ = ["Gate", "Limits", "RateLimit"]

_MOST_CALLERS = 10_000


@dataclass(frozen=True)
class Limits:
    """What one replica takes.

    Attributes:
        body_bytes: Of a request's body.
        requests_per_s: Of one caller below /v1; 0: as many as come.
        burst: Requests that a caller who was silent may send at once.
    """

    body_bytes: int = 4 << 20
    requests_per_s: float = 0.0
    burst: int = 50


class RateLimit:
    """A bucket of tokens for every caller, refilled all the time. Of those not seen for longest nothing is kept."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits, self._clock = limits, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, caller: str) -> float:
        """0 where the caller may go on, which takes one from its bucket; else the seconds until it may."""
        per_s = self._limits.requests_per_s
        if per_s <= 0:
            return 0.0
        now = self._clock()
        left, since = self._left.pop(caller, (float(self._limits.burst), now))
        left = min(float(self._limits.burst), left + (now - since) * per_s)
        may = left >= 1
        self._left[caller] = (left - 1 if may else left, now)
        if len(self._left) > _MOST_CALLERS:
            self._left.popitem(last=False)
        return 0.0 if may else (1 - left) / per_s


class Gate:
    """ASGI middleware.

    Args:
        app: What comes after.
        access: Who may ask.
        limits: How much and how often.
        metrics: Where to count.
    """

    def __init__(self, app: ASGIApp, access: Access, limits: Limits, metrics: Metrics) -> None:
        self._app, self._access, self._limits, self._metrics = app, access, limits, metrics
        self._rate = RateLimit(limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer in the route's place."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        authorization = headers.get(b"authorization")
        caller = self._access.caller(None if authorization is None else authorization.decode("latin-1"))
        scope["caller"] = caller
        with self._metrics.request(scope) as watch:
            refused = self._refusal(scope, caller, headers)
            if refused is not None:
                await refused(scope, receive, watch(send))
                return
            await self._app(scope, _bounded(receive, self._limits.body_bytes), watch(send))

    def _refusal(self, scope: Scope, caller: Caller, headers: dict[bytes, bytes]) -> ASGIApp | None:
        """An answer without asking anybody; None where the request may go on."""
        if scope["path"].startswith("/v1"):
            client = scope.get("client") or ("", 0)
            wait_s = self._rate.wait_s(f"token {caller.name}" if caller.name else f"address {client[0]}")
            if wait_s > 0:
                answer = error_response(
                    429, "too_many_requests", "Too many requests: `Retry-After` says when to go on."
                )
                answer.headers["Retry-After"] = str(math.ceil(wait_s))
                return answer
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > self._limits.body_bytes:
            return error_response(413, "body_too_large", _too_large(self._limits.body_bytes))
        return None


def _bounded(receive: Receive, most_bytes: int) -> Receive:
    """The same, but a body that goes on too long is an error: its length need not have been announced."""
    n_bytes = 0

    async def count() -> Message:
        nonlocal n_bytes
        message = await receive()
        n_bytes += len(message.get("body", b""))
        if n_bytes > most_bytes:
            raise HTTPException(413, _too_large(most_bytes))
        return message

    return count


def _too_large(most_bytes: int) -> str:
    return f"Expected a body of at most {most_bytes} bytes, found more. Send it in several requests."
