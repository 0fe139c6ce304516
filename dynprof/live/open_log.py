"""From an address to a log: a path is SQLite, a server's address Valkey."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from dynprof.errors import ConfigError
from dynprof.live.log import EventLog
from dynprof.live.sqlite_log import SqliteLog
from dynprof.workspace import Workspace

__all__ = ["LOG_FILE", "open_log", "own_log"]

LOG_FILE = "events.sqlite"
_SERVERS = ("valkey", "valkeys", "redis", "rediss")


def open_log(uri: str | Path) -> EventLog:
    """Open a log; it is made where it is not there.

    Args:
        uri: A folder (the log is `events.sqlite` in it), a file with a suffix of `.sqlite` or `.db`, `file://...`, or
            `valkey://...` (see `ValkeyLog`).

    Raises:
        ConfigError: The address means nothing, or the client of Valkey is not installed.
        LiveLogError: The log cannot be opened, or would not be durable.
    """
    split = urlsplit(str(uri))
    if split.scheme in _SERVERS:
        return _valkey(str(uri))
    if split.scheme not in ("", "file") and "://" in str(uri):
        raise ConfigError(
            f"log: expected a path or valkey://..., found {split.scheme}://. SQLite needs a local disk; for several "
            "machines take Valkey."
        )
    path = Path(unquote(split.path)) if split.scheme == "file" else Path(uri)
    return SqliteLog(path if path.suffix in (".sqlite", ".db") else path / LOG_FILE)


def own_log(workspace: Workspace) -> str | None:
    """Address of a workspace's own log, there or not; None in object storage: SQLite needs a disk."""
    return workspace.path("live", LOG_FILE) if workspace.is_local else None


def _valkey(uri: str) -> EventLog:
    try:
        from dynprof.live.valkey_log import ValkeyLog
    except ImportError as error:
        raise ConfigError(
            f"log: expected the client of Valkey and Redis for {urlsplit(uri).scheme}://, found: {error}. "
            "Install it: pip install 'dynprof[valkey]'."
        ) from error
    return ValkeyLog(uri)
