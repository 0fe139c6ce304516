"""Items replayed: the decayed mean of the profiles of those who came to them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.drift.replayed import Replayed
from dynprof.drift.spec import MonitorSpec
from dynprof.drift.tables import matrix_from
from dynprof.drift.trail import Trail

__all__ = ["replay_items"]


def replay_items(crowd: pa.Table, names: pa.StringArray, spec: MonitorSpec) -> tuple[pa.Table, pa.Table]:
    """`INTERACTIONS` and `ENTITIES` of some items.

    Args:
        crowd: Who came to them, rows of all buckets in any order.
        names: What item numbers stand for.
        spec: The question.
    """
    replayed = Replayed("item", spec.decays, spec.alphas)
    item, decay = (crowd[name].to_numpy() for name in ("item", "decay"))
    for number in np.unique(item).tolist():
        for which in range(len(spec.decays)):
            mine = crowd.filter(pa.array((item == number) & (decay == which)))
            trail = _trail(mine)
            nothing = np.zeros(trail.vectors.shape[1], np.float32)
            replayed.add(names[number].as_py(), trail, which, prior=nothing, prior_weight=0.0)
    return replayed.tables()


def _trail(rows: pa.Table) -> Trail:
    """In order of time; of one time by the vectors, so that the order of the buckets does not matter."""
    vectors = matrix_from(rows["vector"]).astype(np.float32)
    at_us = rows["at_us"].to_numpy()
    order = np.lexsort((vectors @ np.arange(vectors.shape[1], dtype=np.float32), at_us))
    weights = np.asarray(pc.cast(rows["weight"], pa.float64()))
    return Trail(at_us[order], weights[order], vectors[order])
