"""What a training keeps on disk while it runs, so that a killed one goes on: examples, and the state after an epoch."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from dynprof.filesystems import open_input
from dynprof.ranker.examples import Examples
from dynprof.ranker.model import MODELS
from dynprof.workspace import Workspace

__all__ = ["TrainingFiles"]

_STATE = "state.pt"
_CURVE = "curve.json"


class TrainingFiles:
    """The folder `models/<name>/training-<digest>`; removed when the model is finished.

    Args:
        workspace: Where.
        name: Of the model.
        digest: Of all that changes a weight: what another training left is not taken up.
    """

    def __init__(self, workspace: Workspace, name: str, digest: str) -> None:
        self.workspace = workspace
        self.folder = (MODELS, name, f"training-{digest}")

    def has_examples(self, part: str) -> bool:
        """Whether a part is written."""
        return self.workspace.exists(*self.folder, f"{part}.npz")

    def write_examples(self, part: str, examples: Examples) -> None:
        """Write a part whole."""
        packed = io.BytesIO()
        np.savez(packed, **vars(examples))
        with self.workspace.create(*self.folder, f"{part}.npz") as sink:
            sink.write(packed.getvalue())

    def iter_examples(self, prefix: str) -> Iterator[Examples]:
        """The parts whose names begin so, in the order of their names."""
        for file in self.workspace.files(*self.folder, suffix=".npz"):
            if file.startswith(prefix):
                arrays = np.load(io.BytesIO(self._read(file)), allow_pickle=False)
                yield Examples(**{key: arrays[key] for key in arrays.files})

    def read_examples(self, prefix: str) -> Examples:
        """All of these parts, at least one, one after the other."""
        return Examples.join(list(self.iter_examples(prefix)))

    def write_state(self, state: dict[str, Any]) -> None:
        """Write what `Fitting.state` gave, the curve beside it for people and progress."""
        packed = io.BytesIO()
        torch.save(state, packed)
        with self.workspace.create(*self.folder, _STATE) as sink:
            sink.write(packed.getvalue())
        with self.workspace.create(*self.folder, _CURVE) as sink:
            sink.write(json.dumps(state["curve"]).encode())

    def read_state(self) -> dict[str, Any] | None:
        """What was written last; None before the first epoch."""
        if not self.workspace.exists(*self.folder, _STATE):
            return None
        found: dict[str, Any] = torch.load(io.BytesIO(self._read(_STATE)), map_location="cpu", weights_only=True)
        return found

    def read_curve(self) -> list[dict[str, float]]:
        """The learning curve until now."""
        if not self.workspace.exists(*self.folder, _CURVE):
            return []
        found: list[dict[str, float]] = json.loads(self._read(_CURVE))
        return found

    def remove(self) -> None:
        """Nothing is left of it."""
        self.workspace.remove(*self.folder)

    def _read(self, file: str) -> bytes:
        with open_input(self.workspace.filesystem, self.workspace.path(*self.folder, file)) as source:
            return bytes(source.read())
