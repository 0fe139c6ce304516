"""The application: `serve run serve.app:build workspace=DIR`."""
# No `from __future__ import annotations`: Serve reads the type of `args` from the signature to check the arguments.

from ray.serve import Application
from ray.serve.config import BackpressureConfig

from dynprof.errors import WorkspaceError
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace
from serve.config import ServeArgs
from serve.deployment import ProfileServer

__all__ = ["build"]


def build(args: ServeArgs) -> Application:
    """Check that there is something to serve, and say how it is deployed.

    Args:
        args: See `ServeArgs`; a wrong one is an error here, before anything starts.

    Raises:
        SnapshotNotFoundError: No finished snapshot of that name.
        WorkspaceError: There is no such workspace, or it does not hold what the snapshot needs.
    """
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
    application: Application = deployment.bind(workspace.uri, snapshot, args.neighbor_cache_mb << 20)
    return application
