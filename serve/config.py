"""What `serve run serve.app:build name=value ...` takes, and the only place where the environment is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from dynprof.errors import ConfigError
from dynprof.store import LATEST
from serve.access import OPEN, Access, parse_tokens
from serve.gate import Limits

__all__ = ["TOKENS", "ReplicaSettings", "ServeArgs", "read_access"]

TOKENS = "DYNPROF_TOKENS"
"""Environment variable with tokens, in the format of the file; a secret of the cluster, not an argument."""


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
    tokens_file: str | None = Field(None, min_length=1, description="On every node: `name scope,scope token` a line.")
    max_body_kb: int = Field(4096, ge=1, description="Of a request's body, in KiB.")
    requests_per_s: float = Field(0.0, ge=0, description="Of one caller on one replica; 0: as many as come.")
    burst: int = Field(50, ge=1, description="Requests that a caller who was silent may send at once.")
    reload_poll_s: float = Field(2.0, gt=0, description="How often a replica looks for another wanted snapshot.")

    @property
    def limits(self) -> Limits:
        """What a replica takes."""
        return Limits(self.max_body_kb << 10, self.requests_per_s, self.burst)


@dataclass(frozen=True)
class ReplicaSettings:
    """What a replica is told beside its snapshot. Holds no token: Ray shows it to whoever may see its dashboard.

    Attributes:
        tokens_file: Where they stand, on the replica's own node.
        limits: What it takes.
        reload_poll_s: How often to look for another wanted snapshot.
        deployed_us: When the application was deployed, microseconds since 1970.
    """

    tokens_file: str | None
    limits: Limits
    reload_poll_s: float
    deployed_us: int


def read_access(tokens_file: str | None) -> Access:
    """Tokens of a file and of the environment, together.

    Raises:
        ConfigError: The file cannot be read, or a line of either is no token.
    """
    lines = []
    if tokens_file is not None:
        try:
            lines.append(Path(tokens_file).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"tokens_file: expected a readable text file, found {error}.") from error
    if os.environ.get(TOKENS):
        lines.append(os.environ[TOKENS])
    if not lines:
        return OPEN
    access = parse_tokens("\n".join(lines), source=" and ".join(filter(None, (tokens_file, TOKENS))))
    if not access.tokens:
        raise ConfigError(
            "tokens_file: expected at least one token, found none. Without the argument none is asked for."
        )
    return access
