"""The errors dynprof raises on purpose.

Each says where, what was expected, what was found and what to do, and is also the builtin that a caller would
expect to catch.
"""

from __future__ import annotations

__all__ = [
    "AsOfError",
    "ConfigError",
    "DynprofError",
    "FingerprintError",
    "InputFileError",
    "LiveLogError",
    "MissingColumnError",
    "ModelNotFoundError",
    "SnapshotNotFoundError",
    "UnknownItemError",
    "UnknownUserError",
    "WorkspaceError",
]


class DynprofError(Exception):
    """Root of every deliberate error."""


class ConfigError(DynprofError, ValueError):
    """An argument or flag has a value that means nothing."""


class AsOfError(DynprofError, ValueError):
    """A state was asked for a time that its sums already contain."""


class InputFileError(DynprofError, OSError):
    """A file is absent, unreadable, or not what its name says."""


class LiveLogError(DynprofError, OSError):
    """The log of live events cannot be opened, written or read, or would not be durable."""


class MissingColumnError(DynprofError, KeyError):
    """A needed column is absent. The message names those found and the `--columns` to try."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ModelNotFoundError(DynprofError, FileNotFoundError):
    """No weights for an encoder. The message says what to install or where to put them."""


class WorkspaceError(DynprofError, RuntimeError):
    """A workspace is unfinished, of another version, or does not hold what a job needs."""


class FingerprintError(WorkspaceError):
    """Vectors of two encoders would have been mixed."""


class SnapshotNotFoundError(WorkspaceError, LookupError):
    """No finished snapshot of that name."""


class UnknownUserError(DynprofError, LookupError):
    """The snapshot has no such user."""


class UnknownItemError(DynprofError, LookupError):
    """The corpus has no such item, or none with a text that was encoded."""
