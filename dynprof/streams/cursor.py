"""How far a stream has been read, kept where the next run finds it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from dynprof.errors import WorkspaceError
from dynprof.filesystems import open_input
from dynprof.workspace import Workspace

__all__ = ["CURSORS", "Cursor"]

CURSORS = ("live", "cursors")
"""Folder of the workspace."""


@dataclass(frozen=True)
class Cursor:
    """A number in a file that is replaced whole. Written after what it stands for is durable, never before.

    Attributes:
        workspace: Where.
        name: Of the stream: letters, digits, `-`, `_` and `.`.
    """

    workspace: Workspace
    name: str

    def read(self) -> int | None:
        """The number; None before the first one.

        Raises:
            WorkspaceError: The file is something else.
        """
        parts = (*CURSORS, f"{self.name}.json")
        if not self.workspace.exists(*parts):
            return None
        path = self.workspace.path(*parts)
        with open_input(self.workspace.filesystem, path) as source:
            raw = source.read()
        try:
            return int(json.loads(raw)["cursor"])
        except (ValueError, TypeError, KeyError) as error:
            raise WorkspaceError(
                f"{path}: expected a JSON object with the number `cursor`, found {raw[:60]!r}. Remove the file to "
                "start where the stream is now, or give a time with --from."
            ) from error

    def write(self, position: int) -> None:
        """Replace the number; it is on the disk when this returns."""
        with self.workspace.create(*CURSORS, f"{self.name}.json") as sink:
            sink.write(json.dumps({"cursor": position}).encode())
