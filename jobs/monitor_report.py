"""From the parts of a monitor to its report: what needs all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dynprof.drift.alarms import Verdict, judge, replay_measures
from dynprof.drift.costs import cost_rows
from dynprof.drift.engagement import Lift, lift
from dynprof.drift.popularity_bias import list_numbers
from dynprof.drift.population import MIN_USERS, compare_populations
from dynprof.drift.report import MonitorReport
from dynprof.drift.sections import drift_table, evolution_tables, joined_topics, rows_table, topic_rows
from dynprof.drift.tables import SUDDEN_POSTS, matrix_from
from dynprof.errors import UnknownUserError
from dynprof.snapshot import format_time_us
from dynprof.store import SnapshotStore
from jobs.monitor_passes import Passes

__all__ = ["make_report"]

_PERMUTATIONS = 500


@dataclass
class _Drift:
    """What the comparison of two snapshots said."""

    verdicts: Sequence[Verdict] = ()
    p: dict[str, float] = field(default_factory=dict)
    n_users: int = 0
    notes: list[str] = field(default_factory=list)


def make_report(passes: Passes, notes: Sequence[str]) -> MonitorReport:
    """Put the parts together. Needs a Ray session where topics were sudden: their posts are looked up."""
    spec, choice = passes.spec, passes.choice
    users = passes.read("users")
    drift, taken = _population(passes, users), lift(passes.read("engagement"), choice.log.n_items)
    tables = {
        **evolution_tables(passes.find, spec),
        **_sudden(passes),
        "drift": drift_table(users),
        "cost": rows_table("cost", _cost(passes)),
        "popularity": rows_table("popularity", _popularity(passes, users)),
        "population": rows_table("population", [vars(v) for v in drift.verdicts]),
    }
    facts = {
        "snapshot": spec.snapshot,
        "as_of": format_time_us(spec.as_of_us),
        "as_of_s": spec.as_of_us / 1e6,
        "against": None if spec.span is None else spec.span.against,
        "n_compared_users": drift.n_users,
        "n_events": len(choice.log),
        "n_users": len(np.unique(choice.log.users)),
        "n_items": choice.log.n_items,
        "n_sampled_users": len(users),
        "n_sampled_items": len(choice.items),
        "n_tests": len(choice.tests),
    }
    said = [*notes, *drift.notes, *_absent(passes, taken, tables)]
    return MonitorReport(spec.name, spec.to_json(), facts, tables, drift.verdicts, drift.p, taken, said)


def _population(passes: Passes, users: pa.Table) -> _Drift:
    spec = passes.spec
    if spec.span is None:
        return _Drift()
    dim, workspace = len(passes.asked.mean), passes.corpus.workspace
    stores = [SnapshotStore(workspace, name) for name in (spec.span.against, spec.snapshot)]
    rows, pairs = _in_both(users, stores, passes)
    if len(rows) < MIN_USERS:
        said = (
            f"No population drift: {len(rows)} sampled users have events before {spec.span.against} and are in both "
            f"snapshots; {MIN_USERS} are needed."
        )
        return _Drift(n_users=len(rows), notes=[said])
    replays = matrix_from(users["replays"].take(pa.array(rows)))
    replays = replays.reshape(len(rows), spec.replays, 2, dim).swapaxes(0, 1).astype(np.float32)
    measured, turns = replay_measures(replays, seed=spec.seed)
    moved = compare_populations(
        pairs[:, 0], pairs[:, 1], own_reference=turns, n_permutations=_PERMUTATIONS, seed=spec.seed
    )
    return _Drift(judge(moved, measured, spec.thresholds), moved.p, len(rows))


def _in_both(
    users: pa.Table, stores: Sequence[SnapshotStore], passes: Passes
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Rows of the users with events in both snapshots, and (n, 2, dim) their profiles as served."""
    decay, rows, pairs = passes.spec.decays[0], [], []
    ids, replayed = users["user_id"].to_pylist(), np.asarray(users["replays"].is_valid())
    for row in np.flatnonzero(replayed).tolist():
        try:
            found = [store.profile(ids[row], decay, store.spec.as_of_us) for store in stores]
        except UnknownUserError:
            continue
        if all(profile.mass > 0 for profile in found):
            rows.append(row)
            pairs.append([profile.vector for profile in found])
    dim = len(passes.asked.mean)
    return np.array(rows, np.int64), np.array(pairs, np.float32).reshape(-1, 2, dim)


def _sudden(passes: Passes) -> dict[str, pa.Table]:
    spec, k = passes.spec, len(passes.asked.centres)
    topics = topic_rows(joined_topics(partial(passes.each_part, "topics"), k, len(passes.asked.mean)), spec)
    windows = sorted({(int(r["id"]), r["start"]) for r in topics.select(["id", "start"]).to_pylist()})
    posts = passes.topic_posts(windows)
    mine = passes.read("posts")
    return {
        "sudden": pa.concat_tables([passes.read("sudden"), topics]),
        "sudden_posts": pa.concat_tables([mine, SUDDEN_POSTS.empty_table() if posts is None else posts]),
    }


def _cost(passes: Passes) -> list[dict[str, object]]:
    tests = passes.choice.tests
    return list(cost_rows(passes.ranks(), tests.users, seed=passes.spec.seed)) if len(tests) else []


def _popularity(passes: Passes, users: pa.Table) -> list[Any]:
    n_events = users["n_events"].to_numpy()
    return list(list_numbers(passes.lists(), n_events, passes.choice.log, passes.spec.as_of_us))


def _absent(passes: Passes, taken: Lift | None, tables: dict[str, pa.Table]) -> list[str]:
    """What the report cannot say, and what its numbers are."""
    spec, notes = passes.spec, []
    if taken is None:
        notes.append(
            f"No engagement: the log has no events of type {', '.join(spec.shown) or 'none'}, so nobody knows what was "
            "shown. Nothing is claimed."
        )
    else:
        notes.append("Engagement compares what was shown with what was not; who shows chooses, so it is no effect.")
    if not len(tables["cost"]):
        notes.append("No cost: no event of the test window is about an item that appeared before it.")
    if not len(passes.choice.items):
        notes.append(f"No items: none has {spec.min_interactions} interactions or more.")
    if not len(tables["maturity"]):
        notes.append(f"No maturity: no user or item has {spec.min_interactions} interactions or more.")
    notes.append("Profiles are means of unit vectors: a norm is at most 1, whatever the schedule.")
    return notes
