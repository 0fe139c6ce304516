"""Membership in sorted numbers by bisection: `np.isin` hashes both sides, which took half of a large world's time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["is_among"]


def is_among(numbers: npt.NDArray[np.int64], ascending: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Whether each of (n,) numbers is one of the (m,) sorted ones; both may be empty."""
    if not len(ascending):
        return np.zeros(len(numbers), np.bool_)
    place = np.searchsorted(ascending, numbers).clip(max=len(ascending) - 1)
    found: npt.NDArray[np.bool_] = ascending[place] == numbers
    return found
