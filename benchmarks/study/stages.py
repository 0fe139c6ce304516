"""The measurements of the study. Each writes one results table below its folder, and is skipped where that stands."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.study.category import predict, profiles_of_users
from benchmarks.study.corpora import Posts, ask_at
from benchmarks.study.measures import summarise, table_of
from benchmarks.study.profiles import Asked, asked_of, grid, unit_profiles
from benchmarks.study.tomorrow import Tests, choose, rank, spans
from dynprof.decay import Decay
from dynprof.evaluation.metrics import metric
from dynprof.workspace import Workspace

Array = npt.NDArray[Any]

__all__ = ["HALF_LIVES", "Stage", "category_table", "run_stage", "tomorrow_table"]

HALF_LIVES = ("6h", "1d", "3d", "7d", "30d", "90d", "365d")
_FEWER = ("7d", "30d", "365d")
_METRICS = ("ndcg@10", "hit_rate@10", "mrr")
_ACTIVITY = ((1, 10, "1-9"), (10, 100, "10-99"), (100, 1_000, "100-999"), (1_000, 1 << 40, "1,000+"))


@dataclass(frozen=True)
class Stage:
    """One measurement.

    Attributes:
        name: Of its file.
        measure: Makes its table.
    """

    name: str
    measure: Callable[[], pa.Table]


def run_stage(stage: Stage, folder: Path) -> pa.Table:
    """The table of a stage, from its file where that stands."""
    path = folder / f"{stage.name}.parquet"
    if path.exists():
        return pq.read_table(path)
    began = time.perf_counter()
    table = stage.measure()
    half = path.with_suffix(".part")
    pq.write_table(table, half)
    half.rename(path)
    print(
        f"stage={stage.name} rows={len(table)} seconds={time.perf_counter() - began:.0f}", file=sys.stderr, flush=True
    )
    return table


def tomorrow_table(workspace: str, n_tests: int, encoder: str) -> pa.Table:
    """'Which of tomorrow's posts is this user's?', three test windows, by language, drift and activity."""
    posts = Posts.load(Workspace(workspace))
    decays = grid(HALF_LIVES)
    methods = [*asked_of(decays), Asked("same language", "language"), Asked("random", "random")]
    families = {"same language": "counts", "random": "counts"}
    values: dict[str, list[Array]] = {}
    kept = []
    for window, span in spans(posts).items():
        tests = choose(posts, window, span, n_tests)
        above, tied, n_candidates = rank(posts, tests, decays)
        above, tied = _with_chance(above, tied, n_candidates)
        found = {name: metric(name)(above, tied) for name in _METRICS}
        found["auc"] = 1 - (above + tied / 2) / np.maximum(n_candidates - 1, 1)[:, None]
        for name, mine in found.items():
            values.setdefault(name, []).append(mine)
        kept.append(tests)
        print(
            f"window={window} tests={len(tests.users)} users={len(np.unique(tests.users))}", file=sys.stderr, flush=True
        )
    rows = []
    for name, each in values.items():
        parts = [(t.window, v, t.users) for t, v in zip(kept, each, strict=True)]
        parts.append(("test", np.concatenate(each[1:]), np.concatenate([t.users for t in kept[1:]])))
        for window, v, users in parts:
            rows += summarise(v, users, methods, metric=name, window=window, families=families, encoder=encoder)
    traits = _traits(posts, kept[1:])
    users = np.concatenate([t.users for t in kept[1:]])
    whole = np.concatenate(values["ndcg@10"][1:])
    for (part, value), mine in traits.items():
        rows += summarise(
            whole[mine],
            users[mine],
            methods,
            metric="ndcg@10",
            window="test",
            families=families,
            part=(part, value),
            encoder=encoder,
        )
    return table_of(rows)


def _with_chance(above: Array, tied: Array, n_candidates: Array) -> tuple[Array, Array]:
    """A last column in which all candidates tie."""
    zeros = np.zeros((len(above), 1), np.int64)
    return np.hstack([above, zeros]), np.hstack([tied, n_candidates[:, None] - 1])


def _traits(posts: Posts, kept: list[Tests]) -> dict[tuple[str, str], Array]:
    """Rows of each slice: language of the post, number of events before, thirds of 1 - cosine of 7 d and 365 d."""
    users = np.concatenate([t.users for t in kept])
    days = np.concatenate([t.day_us for t in kept])
    items = np.concatenate([t.items for t in kept])
    spoken = np.full(posts.log.n_items, "", object)
    spoken[posts.log.items] = posts.languages
    languages = spoken[items].astype(str)
    pairs, pair = np.unique(np.stack([users, days], axis=1), axis=0, return_inverse=True)
    asked = ask_at(posts, pairs[:, 0], pairs[:, 1])
    blocks = np.array_split(np.arange(len(pairs)), max(1, len(pairs) // 200))
    decays = [Decay("exponential", "7d"), Decay("exponential", "365d")]
    near = np.concatenate([unit_profiles(posts, asked.take(b), decays)[:, :2] for b in blocks])
    drift = (1 - np.einsum("nd,nd->n", near[:, 0], near[:, 1]))[pair.reshape(-1)]
    n_before = asked.n_history[pair.reshape(-1)]
    low, high = np.quantile(drift, [1 / 3, 2 / 3])
    found = {
        ("drift", "low"): drift <= low,
        ("drift", "middle"): (drift > low) & (drift <= high),
        ("drift", "high"): drift > high,
    }
    for a, b, label in _ACTIVITY:
        found["activity", label] = (n_before >= a) & (n_before < b)
    names, counts = np.unique(languages, return_counts=True)
    for name in names[np.argsort(-counts)][:5]:
        found["language", str(name)] = languages == name
    return {k: v for k, v in found.items() if v.any()}


def category_table(workspace: str, posts_file: str, encoder: str) -> pa.Table:
    """Whether the account category is in the profile: accuracy on users not fitted on, against the majority."""
    posts = Posts.load(Workspace(workspace))
    decays = grid(_FEWER)
    profiles, categories = profiles_of_users(posts, posts.category(posts_file), decays)
    right, majority = predict(profiles, categories)
    values = np.column_stack([right, majority])
    methods = [*asked_of(decays), Asked("majority", "majority")]
    users = np.arange(len(values))
    return table_of(
        summarise(
            values, users, methods, metric="accuracy", window="test", families={"majority": "counts"}, encoder=encoder
        )
    )
