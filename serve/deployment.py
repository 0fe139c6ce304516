"""The Ray Serve deployment: one replica, one HTTP application, the engine of the snapshot that is wanted."""

from __future__ import annotations

import gc
import logging
import sys
from functools import partial

from fastapi import FastAPI
from ray import serve
from ray.serve.exceptions import RayServeException

from dynprof.errors import DynprofError
from dynprof.live.open_log import open_log
from dynprof.workspace import Workspace
from serve.api import make_api
from serve.binding import check_binding, listening_host
from serve.config import ReplicaSettings, read_access
from serve.engine import Engine
from serve.follower import Follower, Load, wished
from serve.live_service import live_service
from serve.metrics import Metrics
from serve.monitor_gauges import MonitorGauges

__all__ = ["ProfileServer"]

LOG = logging.getLogger("dynprof.serve")

_SWITCH_S = 0.0005
"""How long a thread that multiplies or reads may keep the loop that answers profiles waiting; Python's default is ten
times that, and each hop between the two pays it."""


@serve.deployment
@serve.ingress()
class ProfileServer:
    """Loads the snapshot before it takes the first request: Serve sends none to a replica under construction.

    Args:
        workspace: URI of the workspace.
        snapshot: Name of the snapshot, resolved, so that a replica started later serves the same one.
        neighbor_cache_bytes: Memory for user matrices.
        settings: The rest.

    Raises:
        ConfigError: It could be reached from elsewhere, and no tokens are configured.
    """

    def __init__(self, workspace: str, snapshot: str, neighbor_cache_bytes: int, *, settings: ReplicaSettings) -> None:
        self._settings, self._access = settings, read_access(settings.tokens_file)
        check_binding(self._access, listening_host())
        sys.setswitchinterval(_SWITCH_S)
        gc.freeze()  # what is imported stays: no request is to wait until all of it has been looked through
        where = Workspace(workspace)
        self._metrics = Metrics(_replica_name(), MonitorGauges(where).text)
        log = None if settings.live is None else open_log(settings.live)
        load = partial(Engine.open, where, neighbor_cache_bytes=neighbor_cache_bytes, log=log)
        engine = _open(where, load, snapshot, settings.deployed_us)
        self._follower = Follower(engine, load, where, self._metrics, since_us=settings.deployed_us)
        self._follower.follow(settings.reload_poll_s)
        self._live = None if log is None else live_service(log, self._follower)

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Called by Serve after the constructor."""
        return make_api(
            self._follower, self._live, access=self._access, limits=self._settings.limits, metrics=self._metrics
        )


def _open(workspace: Workspace, load: Load, snapshot: str, deployed_us: int) -> Engine:
    """What was asked for since the deployment, where it can be loaded; else what was deployed."""
    wish = wished(workspace, since_us=deployed_us)
    if wish is not None and wish[0] != snapshot:
        try:
            return load(wish[0])
        except DynprofError:
            LOG.exception("snapshot=%s not loaded, serving %s", wish[0], snapshot)
    return load(snapshot)


def _replica_name() -> str:
    try:
        return str(serve.get_replica_context().replica_id.unique_id)
    except RayServeException:  # in a test, without a cluster
        return "local"
