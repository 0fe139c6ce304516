"""The files of the page, as they are sent: compressed once, recognised by their hash, and told what they may load."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from fastapi import Request, Response

__all__ = ["CONTENT_SECURITY_POLICY", "PageFile", "page_file"]

_EMPTY_STYLE = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' '{_EMPTY_STYLE}'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""No other host, no script and no style within a page, no text that becomes code.

Plotly adds rules one by one to a style element that it makes; the hash is that of an empty one, so that it may be.
"""

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PLOTLY = "plotly.min.js"
_YEAR_S = 365 * 86_400
_LEAST_COMPRESSED = 1_000


@dataclass(frozen=True)
class PageFile:
    """One file.

    Attributes:
        body: Its bytes.
        packed: The same, compressed; None where that saves nothing.
        etag: Of its content.
        media_type: Of it.
        caching: The header that says how long it may be kept without asking.
    """

    body: bytes
    packed: bytes | None
    etag: str
    media_type: str
    caching: str

    def answer(self, request: Request) -> Response:
        """200 with the content, or 304 where whoever asks has it."""
        headers = {**_HEADERS, "ETag": self.etag, "Cache-Control": self.caching, "Vary": "Accept-Encoding"}
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        if self.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.packed, 200, {**headers, "Content-Encoding": "gzip"}, self.media_type)
        return Response(self.body, 200, headers, self.media_type)


def page_file(name: str) -> PageFile | None:
    """A file of the page by its name; None where there is none of that name.

    Plotly is the one of its Python package, and kept for a year under a name with its version. All others are asked for
    every time, and answered with 304 where nothing changed.
    """
    return _read(name) if name in _files() else None


@cache
def _files() -> dict[str, tuple[Traversable, str]]:
    """Each file by its name, with the header that says how long it may be kept."""
    plotly = resources.files("plotly") / "package_data" / _PLOTLY
    ours = {f.name: (f, "no-cache") for f in resources.files("serve").joinpath("page").iterdir() if f.is_file()}
    return {**ours, f"plotly-{metadata.version('plotly')}.min.js": (plotly, f"public, max-age={_YEAR_S}, immutable")}


@cache  # of files that there are: whoever asks for other names fills no memory
def _read(name: str) -> PageFile:
    file, caching = _files()[name]
    body = file.read_bytes()
    if file.name == "index.html":
        body = body.replace(b"PLOTLY_VERSION", metadata.version("plotly").encode())
    packed = gzip.compress(body, 6, mtime=0) if len(body) >= _LEAST_COMPRESSED else None
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return PageFile(body, packed, etag, _media_type(file.name), caching)


def _media_type(name: str) -> str:
    kinds = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    suffix = name[name.rfind(".") :]
    return f"{kinds[suffix]}; charset=utf-8" if suffix in kinds else mimetypes.guess_type(name)[0] or "text/plain"
