"""One error body for all errors, and never a stack trace in it."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dynprof.errors import AsOfError, UnknownUserError

__all__ = ["ERROR_RESPONSES", "ErrorAnswer", "NotReadyError", "add_error_handlers"]

LOG = logging.getLogger("dynprof.serve")

_MOST_SHOWN = 100
_CODES = {404: "not_found", 405: "method_not_allowed"}


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


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "The snapshot has no such user."},
    422: {"model": ErrorAnswer, "description": "A parameter is unknown or has a value that means nothing."},
    500: {"model": ErrorAnswer, "description": "A defect; the cause is in the log of the replica."},
    503: {"model": ErrorAnswer, "description": "No snapshot is loaded yet."},
}


def add_error_handlers(app: FastAPI) -> None:
    """Give every error of an application the one body."""
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UnknownUserError, _handler(404, "unknown_user", "user_id"))
    app.add_exception_handler(AsOfError, _handler(422, "as_of_too_early", "as_of"))
    app.add_exception_handler(NotReadyError, _handler(503, "not_ready"))
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(_LastResort)


def _answer(status: int, code: str, message: str, parameter: str | None = None) -> Response:
    body = ErrorAnswer(error=ErrorDetail(code=code, message=message, parameter=parameter))
    return Response(body.model_dump_json(), status, media_type="application/json")


def _handler(status: int, code: str, parameter: str | None = None) -> Any:
    async def handle(_: Request, error: Exception) -> Response:
        return _answer(status, code, str(error), parameter)

    return handle


async def _invalid(_: Request, error: Any) -> Response:
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return _answer(422, "invalid_parameter", _explain(name, first), name)


def _explain(name: str, problem: dict[str, Any]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"{name}: this route has no such parameter. /docs lists those it has."
    if problem["type"] == "value_error":
        return str(problem["ctx"]["error"])
    found = repr(problem["input"])
    found = found if len(found) <= _MOST_SHOWN else f"{found[:_MOST_SHOWN]}..."
    return f"{name}: {problem['msg'][:1].lower()}{problem['msg'][1:]}, found {found}."


async def _http(request: Request, error: Any) -> Response:
    message = f"{request.method} {request.url.path}: {error.detail}. /docs lists what there is."
    answer = _answer(error.status_code, _CODES.get(error.status_code, "http_error"), message)
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
            await _answer(500, "internal_error", message)(scope, receive, send)
