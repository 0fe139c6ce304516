"""What every baseline is worth on an embedded workspace, and how long it takes to tune, to fit and to score.

Tests are the events of the last `--test-share`, of items that the user has not had; settings are chosen on the stretch
of the same size before them, from a log that is cut off at its end; fits see what is before the tests.

    python -m benchmarks.bench_baselines --workspace DIR [--outside EXCHANGE]

With `--ask EXCHANGE` it writes the questions for the models of another environment there (extras/rectools_models.py),
and no more.

Prints one JSON line; progress goes to stderr. There is no physical limit to hold these times against: most are spent in
the libraries' own products.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from dynprof.baselines import BASELINES, Baseline, Settings, tune_trials
from dynprof.baselines.outside import OUTSIDE, OutsideModel, write_questions
from dynprof.decay import Decay
from dynprof.embedded import latest_fingerprint, open_vectors
from dynprof.evaluation import EventLog, Ranks, TestEvents, choose_tests, eligible_events, last_window, rank_baselines
from dynprof.evaluation.contestant import place
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.loading import Plan, Question, load_plan
from dynprof.evaluation.metrics import metric
from dynprof.lineage import present_corpus
from dynprof.snapshot import DEFAULT_TYPE_WEIGHTS
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

_SWEEPS = ("newest", "popular", "random")  # the columns of `rank_baselines`
_LONGEST = 200
_METRICS = ("hit_rate@10", "ndcg@10", "mrr")


def load(workspace: Workspace, test_share: float, max_events: int) -> tuple[Plan, ItemVectors]:
    """The log, the tests and the vectors of all items."""
    fingerprint = latest_fingerprint(workspace)
    question = Question(
        fingerprint=fingerprint,
        decays=(Decay("static"),),
        type_weights=DEFAULT_TYPE_WEIGHTS,
        prior_weight=0.0,
        test_share=test_share,
        max_events=max_events,
        include_seen=False,
        seed=0,
    )
    corpus = present_corpus(workspace)
    plan = load_plan(workspace, question, corpus)
    hashes = plan.names.text_hashes
    vectors = open_vectors(workspace, fingerprint, corpus).load(hashes)
    return plan, ItemVectors(VectorChunk(hashes, [vectors]), np.arange(len(vectors)))


def validation(log: EventLog, start_us: int, test_share: float, most: int) -> tuple[EventLog, TestEvents, int]:
    """The log up to the tests, at most `most` tests of its last stretch, and the start of that."""
    before = log.before(start_us)
    window = last_window(before, test_share / (1 - test_share))
    eligible = eligible_events(before, window)
    keys = np.random.default_rng(0).integers(0, 1 << 63, len(eligible)).astype(np.uint64)
    return before, choose_tests(before, eligible, keys, max_events=most), window.start_us


def seconds_of(work: Callable[[], Any]) -> tuple[Any, float]:
    """What the work returns and how long it took."""
    start = time.perf_counter()
    return work(), round(time.perf_counter() - start, 2)


def values(ranks: Ranks, column: int = 0) -> dict[str, float]:
    """Means over the tests."""
    above, tied = ranks.above[:, column], ranks.tied[:, column]
    return {name: round(float(metric(name)(above, tied).mean()), 5) for name in _METRICS}


def judge(name: str, plan: Plan, vectors: ItemVectors, args: argparse.Namespace) -> dict[str, Any]:
    """Tune, fit and score one baseline."""
    log, start_us = plan.log, plan.window.start_us
    before, tests, begins_us = validation(log, start_us, args.test_share, args.validation_events)

    def tuned() -> list[dict[str, Any]]:
        return (
            []
            if args.untuned
            else [
                {"settings": trial.settings, "ndcg@10": round(trial.value, 5)}
                for trial in tune_trials(name, before, tests, vectors=vectors, start_us=begins_us)
            ]
        )

    trials, tune_s = seconds_of(tuned)
    chosen: Settings = max(trials, key=lambda trial: float(trial["ndcg@10"]))["settings"] if trials else {}
    made, fit_s = seconds_of(lambda: BASELINES[name](before, chosen))
    placed, score_s = seconds_of(lambda: place(made.watch(log, vectors), log, plan.tests))
    found = {"method": name, **values(placed.ranks), "settings": dict(chosen), "tune_s": tune_s, "fit_s": fit_s}
    return {**found, "score_s": score_s, "trials": trials}


def outside(plan: Plan, folder: Path) -> Iterator[dict[str, Any]]:
    """What models of another environment answered."""
    for name in OUTSIDE:
        if not (folder / name).exists():
            continue
        made: Baseline = OutsideModel(name, folder)
        placed, score_s = seconds_of(partial(place, made.watch(plan.log), plan.log, plan.tests))
        yield {"method": name, **values(placed.ranks), "score_s": score_s}


def rows(plan: Plan, vectors: ItemVectors, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One a method."""
    ranks, score_s = seconds_of(lambda: rank_baselines(plan.log, plan.tests))
    for column, name in enumerate(_SWEEPS):
        yield {"method": name, **values(ranks, column), "score_s": score_s}
    for name in args.methods.split(",") if args.methods else BASELINES:
        yield judge(name, plan, vectors, args)
    if args.outside:
        yield from outside(plan, args.outside)


def main() -> None:
    """Parse flags, judge, print."""
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--workspace", required=True, help="folder or URI of an embedded workspace")
    made.add_argument("--test-share", type=float, default=0.2)
    made.add_argument("--max-events", type=int, default=2_000, help="largest sample of test events; 0: all")
    made.add_argument("--validation-events", type=int, default=2_000, help="largest sample of validation events")
    made.add_argument("--untuned", action="store_true", help="every setting at its default")
    made.add_argument("--methods", help="comma-separated names; default: all")
    made.add_argument("--outside", type=Path, help="folder with the answers of other environments")
    made.add_argument("--ask", type=Path, help="folder to write the questions for other environments to")
    args = made.parse_args()
    plan, vectors = load(Workspace(args.workspace), args.test_share, args.max_events)
    if args.ask:
        write_questions(args.ask, plan.log.before(plan.window.start_us), plan.log, plan.tests, longest=_LONGEST)
        return
    facts, found = plan.facts(), []
    known = np.count_nonzero(plan.tests.targets < plan.n_early)
    print(f"tests={facts.n_tested} items={facts.n_items} targets known to the fit={known}", file=sys.stderr)
    for row in rows(plan, vectors, args):
        print({k: v for k, v in row.items() if k != "trials"}, file=sys.stderr, flush=True)
        found.append(row)
    tested = {
        "tests": facts.n_tested,
        "users": facts.n_users,
        "items": facts.n_items,
        "targets_known_to_fit": int(known),
    }
    print(json.dumps({"benchmark": "baselines", **tested, "methods": found, "machine": machine()}))


if __name__ == "__main__":
    main()
