"""Entities replayed into rows: what a bucket of users and a part of the items both do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.decay import Decay
from dynprof.drift.evolution import Evolution, evolve, maturity, resultant_lengths
from dynprof.drift.schedules import SCHEDULES
from dynprof.drift.spec import decay_name
from dynprof.drift.tables import ENTITIES, INTERACTIONS, stacked
from dynprof.drift.trail import Trail

__all__ = ["Replayed"]


class Replayed:
    """Collects the rows of entities of one kind.

    Args:
        kind: `user` or `item`.
        decays: All are replayed.
        alphas: Of maturity.
    """

    def __init__(self, kind: str, decays: Sequence[Decay], alphas: Sequence[float]) -> None:
        self._kind, self._decays, self._alphas = kind, decays, np.asarray(alphas, np.float64)
        self._rows: list[dict[str, object]] = []
        self._tables: list[pa.Table] = []

    def add(
        self, entity: str, trail: Trail, decay: int, *, prior: npt.NDArray[np.float32], prior_weight: float
    ) -> None:
        """Replay one entity with at least one interaction under one of the decays."""
        together = resultant_lengths(trail.vectors)
        found = evolve(trail, self._decays[decay], prior=prior, prior_weight=prior_weight)
        for number, schedule in enumerate(SCHEDULES):
            self._tables.append(_rows(found[schedule.name], together, decay, number))
            self._rows.append(self._summary(entity, decay, schedule.name, found[schedule.name]))

    def tables(self) -> tuple[pa.Table, pa.Table]:
        """`INTERACTIONS` and `ENTITIES`."""
        interactions = pa.concat_tables([INTERACTIONS.empty_table(), *self._tables])
        return interactions, stacked(self._rows, ENTITIES)

    def _summary(self, entity: str, decay: int, schedule: str, found: Evolution) -> dict[str, object]:
        steps = found.steps[1:]
        has_peak = bool(np.isfinite(steps).any())
        peak = int(np.nanargmax(steps)) if has_peak else 0
        return {
            "kind": self._kind,
            "id": entity,
            "decay": decay_name(self._decays[decay]),
            "schedule": schedule,
            "n_events": len(found.norms),
            "maturity": maturity(found.away, self._alphas).tolist(),
            "last_norm": float(found.norms[-1]),
            "mean_stale": float(found.stale.mean()),
            "peak_n": peak + 2 if has_peak else None,
            "peak_step": float(steps[peak]) if has_peak else None,
        }


def _rows(found: Evolution, together: npt.NDArray[np.float64], decay: int, schedule: int) -> pa.Table:
    n = len(found.norms)
    resultant = together if schedule == 0 else np.full(n, np.nan)
    columns = [found.norms, found.away, found.stale, found.steps, resultant]
    whole = [np.full(n, decay, np.int8), np.full(n, schedule, np.int8), np.arange(1, n + 1, dtype=np.int32)]
    return pa.table([*whole, *(c.astype(np.float32) for c in columns)], schema=INTERACTIONS)
