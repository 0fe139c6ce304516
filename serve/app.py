"""The application: `serve run serve.app:build workspace=DIR`."""
# No `from __future__ import annotations`: Serve reads the type of `args` from the signature to check the arguments.

import time

from ray.serve import Application
from ray.serve.config import BackpressureConfig

from dynprof.errors import WorkspaceError
from dynprof.live.open_log import open_log, own_log
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from serve.binding import check_binding, listening_host
from serve.config import ReplicaSettings, ServeArgs, read_access
from serve.deployment import ProfileServer

__all__ = ["build"]


def build(args: ServeArgs) -> Application:
    """Check that there is something to serve, and say how it is deployed.

    Args:
        args: See `ServeArgs`; a wrong one is an error here, before anything starts.

    Raises:
        ConfigError: Wrong tokens; or none, and Serve listens on a public address.
        SnapshotNotFoundError: No finished snapshot of that name.
        LiveLogError: The log of live events cannot be opened, or would not be durable.
        WorkspaceError: There is no such workspace, or it does not hold what the snapshot needs.
    """
    check_binding(read_access(args.tokens_file), listening_host())
    workspace = Workspace(args.workspace)
    if not workspace.exists():
        raise WorkspaceError(
            f"workspace: expected the folder of a workspace, found nothing at {workspace.uri}. "
            "Run `python -m jobs.pipeline` first, or name another one: workspace=DIR."
        )
    snapshot = SnapshotStore(workspace, args.snapshot).name
    deployment = ProfileServer.options(  # type: ignore[attr-defined]
        num_replicas=args.num_replicas,
        max_ongoing_requests=args.max_ongoing_requests,
        max_queued_requests=args.max_queued_requests,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        ray_actor_options={"num_cpus": args.num_cpus},
    )
    live = _live_address(args.live, workspace)
    settings = ReplicaSettings(live, args.tokens_file, args.limits, args.reload_poll_s, time.time_ns() // 1000)
    cache_bytes = args.neighbor_cache_mb << 20
    application: Application = deployment.bind(workspace.uri, snapshot, cache_bytes, settings=settings)
    return application


def _live_address(asked: str | None, workspace: Workspace) -> str | None:
    """Where the log of live events is; None where there is to be none."""
    address = None if asked == "none" else asked or own_log(workspace)
    if address is not None:
        open_log(address).close()  # what is wrong with it is said here, before anything starts
    return address
