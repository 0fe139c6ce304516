"""The Ray Serve deployment: one replica, one engine, one HTTP application."""

from __future__ import annotations

from fastapi import FastAPI
from ray import serve

from dynprof.workspace import Workspace
from serve.api import make_api
from serve.engine import Engine

__all__ = ["ProfileServer"]


@serve.deployment
@serve.ingress()
class ProfileServer:
    """Loads the snapshot before it takes the first request: Serve sends none to a replica under construction.

    Args:
        workspace: URI of the workspace.
        snapshot: Name of the snapshot, resolved, so that a replica started later serves the same one.
        neighbor_cache_bytes: Memory for user matrices.
    """

    def __init__(self, workspace: str, snapshot: str, neighbor_cache_bytes: int) -> None:
        self._engine = Engine.open(Workspace(workspace), snapshot, neighbor_cache_bytes=neighbor_cache_bytes)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Called by Serve after the constructor."""
        return make_api(self._engine)
