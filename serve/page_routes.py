"""The page itself, at the root of the deployment. Its files hold no data, so nobody needs a token for them."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response

from serve.page_files import page_file

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

# Plain functions: the first request of a file reads and compresses it.


@router.get("/")
def index(request: Request) -> Response:
    """The page."""
    return _answer("index.html", request)


@router.get("/page/{name}")
def file(name: str, request: Request) -> Response:
    """What the page loads."""
    return _answer(name, request)


def _answer(name: str, request: Request) -> Response:
    found = page_file(name)
    if found is None:
        raise HTTPException(404, "Not Found")
    return found.answer(request)
