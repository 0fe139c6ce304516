"""From rows of interactions and entities to what a reader looks at: curves, maturity, norms, staleness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.drift.popularity_bias import rank_correlation
from dynprof.drift.schedules import REAL_TIME, SCHEDULES
from dynprof.drift.tables import matrix_from

__all__ = ["curve_rows", "maturity_rows", "norm_rows", "spearman_rows", "staleness_rows"]

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_BINS_PER_OCTAVE = 2
_STALE = 0.1

Row = dict[str, object]


def curve_rows(interactions: pa.Table, decays: Sequence[str], kind: str) -> Iterator[Row]:
    """By number of interactions, in real time: medians and quartiles of step, norm, resultant length, distance.

    Numbers of interactions are brought together by half octaves: 1, 2, 3, 4-5, 6-7, 8-11, ...
    """
    for number, decay in enumerate(decays):
        mine = _of(interactions, number, 0)
        largest = int(pc.max(mine["n"]).as_py() or 0)
        edges = _edges(largest)
        place = np.searchsorted(edges, mine["n"].to_numpy(), side="right") - 1
        columns = {name: mine[name].to_numpy() for name in ("step", "norm", "resultant", "away")}
        order = np.argsort(place, kind="stable")
        bounds = np.searchsorted(place[order], np.arange(len(edges) + 1))
        for i, low in enumerate(edges.tolist()):
            rows = order[bounds[i] : bounds[i + 1]]
            if not len(rows):
                continue
            high = int(edges[i + 1]) - 1 if i + 1 < len(edges) else largest
            row: Row = {"kind": kind, "decay": decay, "n_from": low, "n_to": high, "n_rows": len(rows)}
            for name, values in columns.items():
                row |= {f"{name}_{q}": v for q, v in zip(("p25", "p50", "p75"), _quartiles(values[rows]), strict=True)}
            yield row


def maturity_rows(entities: pa.Table, alphas: Sequence[float], least: int) -> Iterator[Row]:
    """By kind, decay, schedule and alpha, over entities with at least so many interactions.

    `of_real_time`: the median of real time over that of this schedule, what arXiv 2312.15265 puts at about a fifth.
    """
    enough = entities.filter(pc.greater_equal(entities["n_events"], least))
    for kind, decay in _groups(enough):
        found = {s.name: _chosen(enough, kind, decay, s.name) for s in SCHEDULES}
        real = matrix_from(found[REAL_TIME.name]["maturity"])
        for schedule, rows in found.items():
            n_star, n = matrix_from(rows["maturity"]), rows["n_events"].to_numpy()
            for i, alpha in enumerate(alphas):
                mine, middle = n_star[:, i], float(np.median(n_star[:, i]))
                yield {
                    "kind": kind,
                    "decay": decay,
                    "schedule": schedule,
                    "alpha": alpha,
                    "n_entities": len(mine),
                    "median": middle,
                    "p25": float(np.percentile(mine, 25)),
                    "p75": float(np.percentile(mine, 75)),
                    "share_of_all": float(np.median(mine / n)),
                    "at_the_end": float(np.mean(mine >= n)),
                    "of_real_time": float(np.median(real[:, i])) / middle,
                }


def norm_rows(interactions: pa.Table, decays: Sequence[str], kind: str) -> Iterator[Row]:
    """Quantiles of the norm of what is served, over all interactions, and each over that of real time."""
    for number, decay in enumerate(decays):
        real = None
        for which, schedule in enumerate(SCHEDULES):
            norms = _of(interactions, number, which)["norm"].to_numpy()
            if not len(norms):
                continue
            found = np.quantile(norms.astype(np.float64), QUANTILES)
            real = found if real is None else real
            for q, value, base in zip(QUANTILES, found.tolist(), real.tolist(), strict=True):
                ratio = value / base if base > 0 else None
                yield {
                    "kind": kind,
                    "decay": decay,
                    "schedule": schedule.name,
                    "quantile": q,
                    "norm": value,
                    "over_real_time": ratio,
                }


def staleness_rows(interactions: pa.Table, decays: Sequence[str], kind: str) -> Iterator[Row]:
    """1 - cosine of what was served and the perfect profile, over all interactions but an entity's first."""
    for number, decay in enumerate(decays):
        for which, schedule in enumerate(SCHEDULES):
            mine = _of(interactions, number, which)
            stale = mine["stale"].to_numpy()[mine["n"].to_numpy() > 1]
            if not len(stale):
                continue
            p50, p95 = np.quantile(stale.astype(np.float64), [0.5, 0.95]).tolist()
            yield {
                "kind": kind,
                "decay": decay,
                "schedule": schedule.name,
                "n_rows": len(stale),
                "mean": float(stale.mean(dtype=np.float64)),
                "p50": p50,
                "p95": p95,
                "above_a_tenth": float(np.mean(stale > _STALE)),
            }


def spearman_rows(entities: pa.Table) -> Iterator[Row]:
    """Rank correlation of the last norm and the number of interactions; no row where there is none."""
    for kind, decay in _groups(entities):
        for schedule in SCHEDULES:
            mine = _chosen(entities, kind, decay, schedule.name)
            found = rank_correlation(mine["last_norm"].to_numpy(), mine["n_events"].to_numpy())
            if found is not None:
                row: Row = {"kind": kind, "decay": decay, "schedule": schedule.name, "n_entities": len(mine)}
                yield row | {"spearman": found[0], "p": found[1]}


def _of(interactions: pa.Table, decay: int, schedule: int) -> pa.Table:
    which = pc.and_(pc.equal(interactions["decay"], decay), pc.equal(interactions["schedule"], schedule))
    return interactions.filter(which)


def _groups(entities: pa.Table) -> list[tuple[str, str]]:
    pairs = zip(entities["kind"].to_pylist(), entities["decay"].to_pylist(), strict=True)
    return list(dict.fromkeys(pairs))


def _chosen(entities: pa.Table, kind: str, decay: str, schedule: str) -> pa.Table:
    same = [pc.equal(entities[n], v) for n, v in (("kind", kind), ("decay", decay), ("schedule", schedule))]
    return entities.filter(pc.and_(pc.and_(same[0], same[1]), same[2]))


def _edges(largest: int) -> npt.NDArray[np.int64]:
    """First number of each group."""
    octaves = np.arange(_BINS_PER_OCTAVE * (int(np.log2(max(largest, 1))) + 1))
    return np.unique(np.floor(2 ** (octaves / _BINS_PER_OCTAVE) + 0.5).astype(np.int64))


def _quartiles(values: npt.NDArray[np.floating]) -> list[float | None]:
    finite = values[np.isfinite(values)].astype(np.float64)
    return [None] * 3 if not len(finite) else [float(v) for v in np.percentile(finite, [25, 50, 75])]
