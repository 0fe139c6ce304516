"""What may go wrong with live events, in the one error body."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response

from dynprof.errors import LiveLogError
from serve.errors import ErrorAnswer, ErrorDetail

__all__ = ["LIVE_RESPONSES", "RefusedError", "add_live_error_handlers"]

LOG = logging.getLogger("dynprof.serve")

_RETRY_S = 1

LIVE_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        413: "The body or the batch is larger than the server takes.",
        422: "The body is no JSON, an id is empty, or the one event that was posted is rejected.",
        429: "Too many events wait; `Retry-After` says when to send this again.",
        503: "There is no log, or it cannot be written now: nothing is promised, send it again.",
    }.items()
}


class RefusedError(Exception):
    """A request that is not carried out, for a reason that its sender can do something about.

    Args:
        status: Of the answer.
        code: Of the error body.
        message: Where, expected, found, what to do.
        parameter: At fault; None where it is none.
        retry_after_s: When to try again; None where that does not help.
    """

    def __init__(
        self, status: int, code: str, message: str, parameter: str | None = None, *, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.detail = ErrorDetail(code=code, message=message, parameter=parameter)
        self.retry_after_s = retry_after_s


def add_live_error_handlers(app: FastAPI) -> None:
    """Give the errors of live events the one body."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(LiveLogError, _log_failed)


async def _refused(_: Request, error: Any) -> Response:
    return _answer(error.status, error.detail, error.retry_after_s)


async def _log_failed(request: Request, error: Exception) -> Response:
    # The reason names files and hosts: it is for the log of the replica, not for whoever asks.
    LOG.error("path=%s %s", request.url.path, error)
    message = "The log of live events cannot be read or written now; nothing of this request is promised. Ask again."
    return _answer(503, ErrorDetail(code="log_unavailable", message=message, parameter=None), _RETRY_S)


def _answer(status: int, detail: ErrorDetail, retry_after_s: int | None) -> Response:
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return Response(ErrorAnswer(error=detail).model_dump_json(), status, headers, media_type="application/json")
