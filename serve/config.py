"""What `serve run serve.app:build name=value ...` takes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dynprof.store import LATEST

__all__ = ["ServeArgs"]


class ServeArgs(BaseModel):
    """Arguments of the application. On the command line they are text, in a Serve config file YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workspace: str = Field(min_length=1, description="Folder or URI of the workspace.")
    snapshot: str = Field(LATEST, min_length=1, description="Name of a snapshot; all replicas get the same one.")
    num_replicas: int = Field(1, ge=1, le=1024)
    num_cpus: float = Field(1.0, gt=0, description="Of a replica; also its threads for matrix products.")
    max_ongoing_requests: int = Field(32, ge=1, description="Answered by a replica at a time.")
    max_queued_requests: int = Field(256, ge=1, description="Waiting beyond those; the next one is answered 429.")
    neighbor_cache_mb: int = Field(2048, ge=0, description="Memory of a replica for user matrices, in MiB.")
