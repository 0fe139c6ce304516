"""moto's S3 on the loopback, which can be told to fail as real storage does, and remembers what it was asked."""

from __future__ import annotations

import io
import logging
import random
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from re import match, search
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.wsgi import get_input_stream

BUCKET = "dynprof"
FAULTS = ("503", "500", "dropped before", "dropped after", "cut")
_STATUS = {
    "403": ("AccessDenied", "403 Forbidden"),
    "500": ("InternalError", "500 Internal Error"),
    "503": ("SlowDown", "503 Slow Down"),
}
Start = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True)
class Request:
    """What was asked.

    Attributes:
        method: Of HTTP.
        key: Path below the bucket, decoded.
        query: As it came.
        who: The access key that signed it.
        body: What was sent, for PUT.
        fault: What the client was told instead of the truth; None for the truth.
    """

    method: str
    key: str
    query: str
    who: str
    body: bytes
    fault: str | None

    @property
    def content(self) -> bytes:
        """What was put, without the frame of a body that is signed piece by piece."""
        if not match(rb"[0-9a-fA-F]+(;chunk-signature=[0-9a-f]+)?\r\n", self.body):
            return self.body
        content, at = b"", 0
        while True:
            line = self.body.index(b"\r\n", at)
            size = int(self.body[at:line].partition(b";")[0], 16)
            if size == 0:
                return content
            content += self.body[line + 2 : line + 2 + size]
            at = line + size + 4


@dataclass
class ObjectStore:
    """An S3 server in this process.

    Attributes:
        share: Of requests that fail, drawn from `draw`.
        down: Asked before every request; while it is true, all fail with 503.
        refuse: Nobody may do anything.
        requests: All there were.
    """

    port: int = 0
    share: float = 0.0
    down: Callable[[Request], bool] = lambda _: False
    refuse: bool = False
    requests: list[Request] = field(default_factory=list)
    draw: random.Random = field(default_factory=lambda: random.Random(0))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._moto = DomainDispatcherApplication(create_backend_app)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead here."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "driver",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def address(self, folder: str) -> str:
        """A URI that leads here, with the credentials of the tests but without any other variable."""
        return f"s3://{BUCKET}/{folder}?endpoint_override=127.0.0.1:{self.port}&scheme=http"

    def written(self, pattern: str, *, who: str = "") -> list[Request]:
        """Requests that put a file whose key matches, in order; the truth of storage, whatever the client was told."""
        puts = [r for r in self.requests if r.method == "PUT" and r.fault not in (*_STATUS, "dropped before")]
        return [r for r in puts if search(pattern, r.key) and who in r.who]

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        body = get_input_stream(environ).read()
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), "HTTP_TRANSFER_ENCODING": ""}
        path = environ["PATH_INFO"].encode("latin-1").decode()
        found = search(r"Credential=([^/]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        asked = Request(
            environ["REQUEST_METHOD"],
            path.removeprefix(f"/{BUCKET}").lstrip("/"),
            environ.get("QUERY_STRING", ""),
            found[1] if found else "",
            body if environ["REQUEST_METHOD"] == "PUT" else b"",
            None,
        )
        with self.lock:
            fails = self.draw.random() < self.share
            fault = self.draw.choice(FAULTS) if fails else None
            fault = "403" if self.refuse else "503" if self.down(asked) else fault
            self.requests.append(Request(**{**vars(asked), "fault": fault}))
        return self._answer(environ, start, fault)

    def _answer(self, environ: dict[str, Any], start: Start, fault: str | None) -> Iterable[bytes]:
        if fault == "dropped before":
            raise _hung_up(environ)
        if fault in _STATUS:
            code, status = _STATUS[fault]
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told to fail</Message></Error>".encode()
            start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(text)))])
            return [text]
        if fault is None:
            return self._moto(environ, start)
        head: list[Any] = []
        whole = b"".join(self._moto(environ, lambda *given: head.extend(given[:2])))
        if fault == "dropped after":
            raise _hung_up(environ)
        start(*head)
        return _half(whole, environ)


def _half(whole: bytes, environ: dict[str, Any]) -> Iterator[bytes]:
    yield whole[: len(whole) // 2]
    raise _hung_up(environ)


def _hung_up(environ: dict[str, Any]) -> ConnectionResetError:
    """Close the connection under the server, which takes it for a client that went away."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    return ConnectionResetError()


@contextmanager
def object_store() -> Iterator[ObjectStore]:
    """A store with an empty bucket, until the block ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = ObjectStore()
    server = make_server("127.0.0.1", 0, store, threaded=True)
    store.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        _make_bucket(store.port)
        yield store
    finally:
        server.shutdown()
        thread.join(20)
        server.server_close()


def _make_bucket(port: int) -> None:
    import pyarrow.fs as pafs

    made = pafs.S3FileSystem(endpoint_override=f"127.0.0.1:{port}", scheme="http", allow_bucket_creation=True)
    made.create_dir(BUCKET)
