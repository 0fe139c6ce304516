"""Reads without FastAPI's machinery: it describes the route and explains what is wrong; what is right goes past it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from serve.access import may
from serve.loaded import engine_of

__all__ = ["DirectRoute", "json_answer"]


class DirectRoute(APIRoute):
    """A route whose function takes an id of the path, `query`, `engine` and `request`, and gives a `Response`.

    FastAPI resolves what a function depends on anew for every request, half a millisecond of Python. Here the same is
    done in a straight line: the scope `read`, the engine, the question. Where the question does not fit its model
    FastAPI is asked after all, so that errors are its own.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        described, function = super().get_route_handler(), self.endpoint
        model: type[BaseModel] = get_type_hints(function)["query"]
        (named,) = self.param_convertors

        async def answer(request: Request) -> Response:
            may(request, "read")
            engine = engine_of(request)
            try:
                query = model.model_validate(dict(request.query_params))
            except ValidationError:
                return await described(request)
            response: Response = await function(request.path_params[named], query, engine, request)
            return response

        return answer


def json_answer(body: bytes | str) -> Response:
    """An answer that is JSON already."""
    return Response(body, media_type="application/json")
