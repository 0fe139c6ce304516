"""A server that speaks Jetstream's protocol on a websocket: `cursor`, `wantedCollections`, one JSON message a frame."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

POST, LIKE = "app.bsky.feed.post", "app.bsky.feed.like"
START_US = 1_720_000_000_000_000


def post(number: int, *, text: str = "hello", did: str = "did:plc:ann", collection: str = POST) -> dict[str, Any]:
    """A post as Jetstream sends it. Three posts share a microsecond: the server's clock is no id."""
    record = {"$type": collection, "text": text, "langs": ["en"], "createdAt": "2024-07-03T09:46:40Z"}
    commit = {"rev": "r", "operation": "create", "collection": collection, "rkey": f"k{number}", "record": record}
    return {"did": did, "time_us": START_US + number // 3 * 1_000_000, "kind": "commit", "commit": commit}


def deleted(number: int, of: int, *, did: str = "did:plc:ann") -> dict[str, Any]:
    """The deletion of a post."""
    commit = {"rev": "r", "operation": "delete", "collection": POST, "rkey": f"k{of}"}
    return {"did": did, "time_us": START_US + number // 3 * 1_000_000, "kind": "commit", "commit": commit}


def account_deleted(number: int, did: str) -> dict[str, Any]:
    """The deletion of an account."""
    account = {"active": False, "status": "deleted", "did": did, "seq": 1, "time": "2024-07-03T09:46:40Z"}
    return {"did": did, "time_us": START_US + number // 3 * 1_000_000, "kind": "account", "account": account}


def uri(number: int, did: str = "did:plc:ann") -> str:
    """The id of a post."""
    return f"at://{did}/{POST}/k{number}"


class JetstreamServer:
    """Plays its messages to everyone who connects, from the asked position on, then what is added.

    Attributes:
        messages: By time. Append to them while it runs.
        requests: Query of every connection.
        n_sent: Messages sent, over all connections.
        breaks: Called with the number of a connection; after so many messages it breaks off. None: it stays.
        silent: Numbers of connections that say nothing.
    """

    def __init__(self, messages: list[Any]) -> None:
        self.messages = messages
        self.requests: list[dict[str, list[str]]] = []
        self.n_sent = 0
        self.breaks: Callable[[int], int | None] = lambda _: None
        self.silent: set[int] = set()

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator[str]:
        """Serve within the block; yields the address."""
        async with serve(self._play, "127.0.0.1", port) as server:
            yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/subscribe"

    async def _play(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        asked = parse_qs(urlsplit(socket.request.path).query)
        number = len(self.requests)
        self.requests.append(asked)
        cursor, left = int(asked.get("cursor", ["0"])[0]), self.breaks(number)
        if number in self.silent:
            await socket.wait_closed()
            return
        try:
            await self._send_from(socket, cursor, left, asked.get("wantedCollections"))
        except ConnectionClosed:
            return

    async def _send_from(
        self, socket: ServerConnection, cursor: int, left: int | None, wanted: list[str] | None
    ) -> None:
        at = 0
        while socket.state is State.OPEN:
            while at < len(self.messages):
                message = self.messages[at]
                at += 1
                if isinstance(message, dict):
                    collection = message.get("commit", {}).get("collection")
                    if message["time_us"] < cursor or (wanted and collection and collection not in wanted):
                        continue
                if left is not None:
                    if left == 0:
                        socket.transport.abort()
                        return
                    left -= 1
                await socket.send(message if isinstance(message, str) else json.dumps(message))
                self.n_sent += 1
            await asyncio.sleep(0.005)
