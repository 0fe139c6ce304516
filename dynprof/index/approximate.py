"""Ways to find most of the nearest rows without comparing all of them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from dynprof.index.cells import Cells
from dynprof.index.graph import Graph

__all__ = ["APPROXIMATE", "Approximate"]

APPROXIMATE: dict[str, type[Cells] | type[Graph]] = {"cells": Cells, "graph": Graph}
"""Kinds by name, as the manifest of an index has them."""


class Approximate(Protocol):
    """What finds rows. Safe to use from several threads."""

    least_asked: int
    """Rows to ask for, at least: the best ten are to be among them."""

    def __len__(self) -> int:
        """Number of rows."""

    @property
    def size_bytes(self) -> int:
        """Memory."""

    def nearest(self, unit: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
        """About `count` rows with about the largest cosines with a vector of norm 1."""
