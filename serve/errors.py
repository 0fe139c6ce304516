"""One error body for all errors, and never a stack trace in it."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dynprof.errors import AsOfError, ConfigError, SnapshotNotFoundError, UnknownItemError, UnknownUserError
from serve.text_encoder import EncoderUnavailableError

__all__ = [
    "ERROR_RESPONSES",
    "AccessError",
    "ErrorAnswer",
    "ErrorDetail",
    "NotReadyError",
    "ReloadError",
    "UnknownMapError",
    "UnknownReportError",
    "add_error_handlers",
    "detail_of",
    "error_response",
    "responses",
]

LOG = logging.getLogger("dynprof.serve")

_MOST_SHOWN = 100
_CODES = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


class ErrorDetail(BaseModel):
    """What went wrong, for a program and for a person."""

    code: str = Field(examples=["invalid_parameter"])
    message: str
    parameter: str | None = Field(description="The parameter at fault; null where it is none.")


class ErrorAnswer(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail


class NotReadyError(Exception):
    """No snapshot is loaded."""


class ReloadError(Exception):
    """The wanted snapshot cannot be loaded."""


class UnknownMapError(Exception):
    """There is no such map of the snapshot."""


class UnknownReportError(Exception):
    """The workspace has no such report."""


class AccessError(Exception):
    """The caller has no token, or not one for this.

    Args:
        status: 401 or 403.
        message: What is missing.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "The body is no JSON.",
        401: "A token is needed, and none that is known was sent.",
        403: "The token is known, but not for this.",
        404: "The snapshot has no such user, or the corpus no such item.",
        413: "The body is too large.",
        422: "A parameter is unknown or has a value that means nothing.",
        429: "Too many requests; `Retry-After` says how many seconds to wait.",
        500: "A defect; the cause is in the log of the replica.",
        503: "No snapshot is loaded yet, or the encoder is not on this machine.",
    }.items()
}


def responses(*without: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, but for some that it cannot have."""
    return {status: said for status, said in ERROR_RESPONSES.items() if status not in without}


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of an application the one body."""
    app.add_exception_handler(RequestValidationError, _invalid)
    for kind in (*_KNOWN, ConfigError):
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(AccessError, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(_LastResort)


_KNOWN: dict[type[Exception], tuple[int, str, str | None]] = {
    UnknownUserError: (404, "unknown_user", "user_id"),
    UnknownItemError: (404, "unknown_item", "item_id"),
    SnapshotNotFoundError: (404, "unknown_snapshot", "snapshot"),
    UnknownMapError: (404, "unknown_map", "axes"),
    UnknownReportError: (404, "unknown_report", "name"),
    AsOfError: (422, "as_of_too_early", "as_of"),
    EncoderUnavailableError: (503, "encoder_unavailable", None),
    NotReadyError: (503, "not_ready", None),
    ReloadError: (409, "reload_failed", "snapshot"),
}


def detail_of(error: Exception) -> ErrorDetail:
    """What is said of an error that a question can have."""
    _, code, parameter = _describe(error)
    return ErrorDetail(code=code, message=str(error), parameter=parameter)


def _describe(error: Exception) -> tuple[int, str, str | None]:
    """Status, code and parameter; a `ConfigError` begins with the name of the parameter."""
    for kind, described in _KNOWN.items():
        if isinstance(error, kind):
            return described
    return 422, "invalid_parameter", str(error).partition(":")[0]


def error_response(status: int, code: str, message: str, parameter: str | None = None) -> Response:
    """The one body."""
    named = None if parameter is None else _sayable(parameter)
    body = ErrorAnswer(error=ErrorDetail(code=code, message=_sayable(message), parameter=named))
    return Response(body.model_dump_json(), status, media_type="application/json")


def _sayable(text: str) -> str:
    """The same where UTF-8 can say it; what was sent may hold half a surrogate pair."""
    return text.encode("utf-8", "backslashreplace").decode()


async def _known(_: Request, error: Exception) -> Response:
    status, code, parameter = _describe(error)
    return error_response(status, code, str(error), parameter)


async def _refused(_: Request, error: Any) -> Response:
    answer = error_response(error.status, "unauthorized" if error.status == 401 else "forbidden", str(error))
    if error.status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


async def _invalid(_: Request, error: Any) -> Response:
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _no_json()
    where = [str(part) for part in first["loc"][1:]]
    if not where and first["type"] == "value_error":  # of several parameters together: the message names the first
        where = [str(first["ctx"]["error"]).partition(":")[0]]
    name = ".".join(where) or str(first["loc"][0])
    return error_response(422, "invalid_parameter", _explain(name, first), name)


def _explain(name: str, problem: dict[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"{name}: this route has no such parameter. /docs lists those it has."
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    found = repr(problem["input"])
    found = found if len(found) <= _MOST_SHOWN else f"{found[:_MOST_SHOWN]}..."
    return f"{name}: {problem['msg'][:1].lower()}{problem['msg'][1:]}, found {found}."


def _no_json() -> Response:
    return error_response(400, "invalid_parameter", "body: expected JSON in UTF-8, found something else.", "body")


async def _http(request: Request, error: Any) -> Response:
    if error.status_code == 400:  # FastAPI's word for a body that cannot be decoded
        return _no_json()
    message = f"{request.method} {request.url.path}: {error.detail}. /docs lists what there is."
    answer = error_response(error.status_code, _CODES.get(error.status_code, "http_error"), message)
    answer.headers.update(error.headers or {})
    return answer


class _LastResort:
    """Log what nobody handles and answer 500. Starlette's own way would raise it again after the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception:
            LOG.exception("path=%s failed", scope.get("path"))
            if started or scope["type"] != "http":
                raise
            message = "The server failed to answer; its log says why."
            await error_response(500, "internal_error", message)(scope, receive, send)
