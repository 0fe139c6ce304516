"""Many comparisons at once: p-values that count how many there were."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["holm"]


def holm(p: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Step-down corrected p-values, in the order given, of one family of tests.

    Args:
        p: (m,) in [0, 1].

    Returns:
        (m,) none below its `p`, all at most 1, in the same order of size.

    Source: Holm 1979.
    """
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out
