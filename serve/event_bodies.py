"""The body of a request that posts events: read up to its limit, parsed, and taken for what it can be."""

from __future__ import annotations

import json
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request

from serve.errors import NotReadyError
from serve.live import LiveService
from serve.live_errors import RefusedError

__all__ = ["LoadedLive", "Posted", "PostedBody"]

_SHOWN_CHARS = 200


class Posted:
    """Events as they were posted.

    Attributes:
        records: What should be events.
        alone: One event that was posted as such, so that its outcome is the request's.
    """

    def __init__(self, value: Any) -> None:
        self.alone = isinstance(value, dict) and not isinstance(value.get("events"), list)
        wrapped = value["events"] if isinstance(value, dict) and not self.alone else value
        self.records: list[Any] = [value] if self.alone else wrapped


async def _live(request: Request) -> LiveService:
    live: LiveService | None = request.app.state.live
    if live is None:
        raise NotReadyError("This server takes no live events: it was started without a log.")
    return live


LoadedLive = Annotated[LiveService, Depends(_live)]


async def _posted(request: Request, live: LoadedLive) -> Posted:
    value = _parse(await _read(request, live.limits.body_bytes))
    if not isinstance(value, dict | list):
        found = f'body: expected an event, a list of events or {{"events": [...]}}, found {type(value).__name__}.'
        raise RefusedError(422, "invalid_body", found, "body")
    posted = Posted(value)
    if len(posted.records) > live.limits.events:
        message = (
            f"events: expected at most {live.limits.events:,}, found {len(posted.records):,}. None was taken; send "
            "them in several requests."
        )
        raise RefusedError(413, "too_many_events", message, "events")
    return posted


PostedBody = Annotated[Posted, Depends(_posted)]


async def _read(request: Request, most_bytes: int) -> bytes:
    """The body; reading stops where it is too long, whatever its header says."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most_bytes:
            message = f"body: expected at most {most_bytes:,} bytes, found more. Send fewer events a request."
            raise RefusedError(413, "body_too_large", message, "body")
        parts.append(part)
    return b"".join(parts)


def _parse(body: bytes) -> Any:
    """JSON; also with NaN, or with bytes that are no text, so that only the events that have them are rejected."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(body.decode(errors="surrogateescape"))
    except (ValueError, RecursionError) as error:
        message = f"body: expected JSON, found: {str(error)[:_SHOWN_CHARS]}."
        raise RefusedError(422, "invalid_body", message, "body") from error
