"""The parts of a report put together from what buckets, items and shards have said. No number is made twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.drift.spec import MonitorSpec, decay_name
from dynprof.drift.summaries import curve_rows, maturity_rows, norm_rows, spearman_rows, staleness_rows
from dynprof.drift.surprise import robust_z
from dynprof.drift.tables import SUDDEN, matrix_from, stacked
from dynprof.drift.topics import SuddenTopics, TopicWindows, sudden_topics
from dynprof.drift.users import MIN_POSTS

__all__ = ["ReadParts", "drift_table", "evolution_tables", "joined_topics", "rows_table", "topic_rows"]

ReadParts = Callable[[str], pa.Table | None]
"""All parts of a table by name; None where there is none."""

_SHAPES: Mapping[str, tuple[str, ...]] = {
    "curve": ("kind", "decay", "n_from", "n_to", "n_rows"),
    "maturity": ("kind", "decay", "schedule", "alpha", "n_entities"),
    "norms": ("kind", "decay", "schedule", "quantile", "norm"),
    "staleness": ("kind", "decay", "schedule", "n_rows", "mean"),
    "spearman": ("kind", "decay", "schedule", "n_entities", "spearman"),
    "cost": ("schedule", "metric", "n_tests", "value"),
    "popularity": ("metric", "group", "n_users", "arp"),
    "population": ("measure", "value", "limit", "alarm"),
}
"""First columns of the tables, which an empty one has too."""


def rows_table(name: str, rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Rows as a table, with its first columns where there are no rows."""
    found = list(rows)
    return pa.Table.from_pylist(found) if found else pa.table({c: pa.array([], pa.string()) for c in _SHAPES[name]})


def evolution_tables(read: ReadParts, spec: MonitorSpec) -> dict[str, pa.Table]:
    """`entities`, `curve`, `maturity`, `norms`, `staleness`, `spearman`, of users and items."""
    decays = [decay_name(d) for d in spec.decays]
    kinds = {"user": read("interactions"), "item": read("item_interactions")}
    known = {kind: table for kind, table in kinds.items() if table is not None and len(table)}
    entities = pa.concat_tables([t for t in (read("entities"), read("item_entities")) if t is not None])
    made = {
        "curve": (r for k, t in known.items() for r in curve_rows(t, decays, k)),
        "maturity": maturity_rows(entities, spec.alphas, spec.min_interactions),
        "norms": (r for k, t in known.items() for r in norm_rows(t, decays, k)),
        "staleness": (r for k, t in known.items() for r in staleness_rows(t, decays, k)),
        "spearman": spearman_rows(entities),
    }
    return {"entities": entities, **{name: rows_table(name, rows) for name, rows in made.items()}}


def drift_table(users: pa.Table, turns: npt.NDArray[np.float64]) -> pa.Table:
    """One row a user: how far the short profile is from the long one, against others and against the own past.

    Args:
        users: `USERS`.
        turns: (n,) 1 - cosine to the profile in the earlier snapshot; NaN where there is none.
    """
    z = robust_z(users["drift"].to_numpy())
    kept = users.select(["user_id", "n_events", "norm", "drift", "z_own"])
    return kept.append_column("z_all", pa.array(z)).append_column("turn", pa.array(turns, from_pandas=True))


def joined_topics(parts: Callable[[list[str] | None], Iterable[pa.Table]], n_topics: int, dim: int) -> TopicWindows:
    """The windows of all buckets, added up; one bucket's are held at a time.

    Args:
        parts: Reads some columns, or all, of each bucket's table in turn.
        n_topics: Number of topics.
        dim: Length of a vector.
    """
    starts = [np.unique(part["start_us"].to_numpy()) for part in parts(["start_us"])]
    start_us = np.unique(np.concatenate([np.empty(0, np.int64), *starts]))
    counts = np.zeros((len(start_us), n_topics), np.int64)
    sums = np.zeros((len(start_us), n_topics, dim))
    for part in parts(None):
        if len(part):
            cell = np.searchsorted(start_us, part["start_us"].to_numpy()), part["topic"].to_numpy()
            counts[cell] += part["n"].to_numpy()  # each cell once a bucket
            sums[cell] += matrix_from(part["sum"])
    return TopicWindows(start_us, counts, sums)


def topic_rows(windows: TopicWindows, spec: MonitorSpec) -> pa.Table:
    """`SUDDEN` of topics: windows in which one turned, or had an unusual share of all posts."""
    if not len(windows.start_us):
        return SUDDEN.empty_table()
    found = sudden_topics(windows, spec.decays[0], spec.window_us, history=spec.history)
    return stacked(_topics(windows, found, spec), SUDDEN)


def _topics(windows: TopicWindows, found: SuddenTopics, spec: MonitorSpec) -> Iterator[dict[str, object]]:
    share, turn = (found.shares, found.share_z, spec.share_z), (found.surprises, found.turn_z, spec.sudden_z)
    for reason, (values, z, limit) in (("share", share), ("turn", turn)):
        for row, topic in np.argwhere((z > limit) & (windows.counts >= MIN_POSTS)).tolist():
            start = int(windows.start_us[row])
            yield {
                "kind": "topic",
                "id": str(topic),
                "reason": reason,
                "start": start,
                "stop": start + spec.window_us,
                "n_events": int(windows.counts[row, topic]),
                "value": float(values[row, topic]),
                "z": float(z[row, topic]),
            }
