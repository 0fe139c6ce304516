"""What the ranker is worth against counts and fitted baselines: three rolling test windows of an embedded workspace.

The ranker is fitted on what is before the first test window, stopping on the last stretch of that (with `--refit`
before each window on what is before it); baselines are fitted before each window, with the settings that
`dynprof.baselines.tune` chooses before the first one. The tests are a sample of each window, the same for all; every
item that appeared strictly before a test and that the user has not had is a candidate.

    python -m benchmarks.bench_ranker --workspace DIR [--max-events 2000] [--model NAME]

Prints one JSON line: of each window every method's NDCG@10, hit rate@10 and coverage@10, and the ranker less each of
them with a paired 95 % bootstrap interval over users and a p-value, by Holm over the methods. Progress goes to stderr.
There is no physical limit to hold it against.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import machine
from dynprof.baselines import BASELINES, TUNED_WINDOW, tune
from dynprof.duration import parse_duration
from dynprof.evaluation.baselines import COUNTS
from dynprof.evaluation.bootstrap import bootstrap_means, percentile_interval
from dynprof.evaluation.contestant import Placed, place
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.metrics import hit_rate, ndcg
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, eligible_events
from dynprof.evaluation.windows import cut_periods, window_name
from dynprof.ranker.contestant import Ranker, ranker_factory
from dynprof.ranker.model import RankerModel, load_model
from dynprof.ranker.reading import read_item_vectors, read_log, read_tags
from dynprof.ranker.traces import Tags
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace

_AT = 10
_FITTED = ("item kNN", "EASE", "iALS")
Values = dict[str, npt.NDArray[np.float64]]
Scorer = Callable[[EventLog, Window], Any]


def note(*parts: object) -> None:
    """Progress."""
    print(time.strftime("%H:%M:%S"), *parts, file=sys.stderr, flush=True)


def sample(log: EventLog, window: Window, most: int, seed: int) -> TestEvents:
    """Test events of a window, at most so many."""
    eligible = eligible_events(log, window)
    if len(eligible) > most:
        eligible = np.sort(np.random.default_rng(seed).choice(eligible, most, replace=False))
    return choose_tests(log, eligible)


def baselines(log: EventLog, start_us: int, validation: Window, args: argparse.Namespace) -> dict[str, Scorer]:
    """What makes each method for a window: fitted on the log before it."""
    made: dict[str, Scorer] = {}
    for name in ("newest", "popular"):
        made[name] = lambda fit, _, name=name: COUNTS[name](fit, {})
    for span in args.spans.split(","):
        settings = {"window_s": parse_duration(span)}
        made[f"popular {span}"] = lambda fit, _, settings=settings: BASELINES[TUNED_WINDOW](fit, settings)
    known = log.before(start_us)
    tests = sample(known, validation, args.validation_events, args.seed)
    for name in args.fitted.split(",") if args.fitted else ():
        note("tuning", name)
        chosen = tune(name, known, tests, start_us=validation.start_us)
        made[name] = lambda fit, _, name=name, chosen=chosen: BASELINES[name](fit, chosen)
    return made


def ranker(vectors: ItemVectors, tags: Tags, model: RankerModel | None, args: argparse.Namespace) -> Scorer:
    """The ranker: a model on disk, or fitted here, once or before each window."""
    kept: list[Ranker] = []
    settings = {"train_events": args.train_events, "epochs": args.epochs, "seed": args.seed}
    settings["validation_events"] = args.validation_events

    def make(fit: EventLog, _: Window) -> Ranker:
        if model is not None:
            return Ranker(model.scorer, tags, model.meaning.bank)
        if args.refit or not kept:
            note("fitting the ranker on", len(fit), "events")
            kept[:] = [ranker_factory(vectors, tags)(fit, settings)]
            note("fitted")
        return kept[0]

    return make


def values_of(placed: Placed) -> Values:
    """Metrics of each test event."""
    above, tied = placed.ranks.above[:, 0], placed.ranks.tied[:, 0]
    return {"ndcg@10": ndcg(above, tied, _AT), "hit_rate@10": hit_rate(above, tied, _AT)}


def coverage(placed: Placed, catalogue: int) -> float:
    """Share of the items that are in any list."""
    listed = np.unique(placed.lists[:, 0, :_AT])
    return float(np.count_nonzero(listed >= 0) / catalogue)


def against(ours: Values, theirs: Values, users: npt.NDArray[np.int32], draws: int) -> dict[str, Any]:
    """The ranker's NDCG@10 less another's: difference, interval, relative lift and two-sided p."""
    both = np.column_stack([ours["ndcg@10"], theirs["ndcg@10"]])
    replicates = bootstrap_means(both, users, n_replicates=draws)
    differences = replicates[:, 0] - replicates[:, 1]
    low, high = percentile_interval(differences[:, None])
    mean = both.mean(axis=0)
    below = (np.count_nonzero(differences <= 0) + 1) / (draws + 1)
    return {
        "difference": round(float(mean[0] - mean[1]), 5),
        "interval": [round(float(low[0]), 5), round(float(high[0]), 5)],
        "relative": round(float(mean[0] / mean[1] - 1), 4) if mean[1] > 0 else None,
        "p": round(float(min(1.0, 2 * min(below, 1 - below + 1 / (draws + 1)))), 5),
    }


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's correction."""
    found, largest = {}, 0.0
    for place_, name in enumerate(sorted(p_values, key=lambda n: p_values[n])):
        largest = max(largest, min(1.0, p_values[name] * (len(p_values) - place_)))
        found[name] = round(largest, 5)
    return found


def judge(
    log: EventLog, vectors: ItemVectors, window: Window, methods: Mapping[str, Scorer], args: argparse.Namespace
) -> dict[str, Any]:
    """All methods on the same tests of one window; the ranker is the last one."""
    tests, fit = sample(log, window, args.max_events, args.seed), log.before(window.start_us)
    found: dict[str, dict[str, Any]] = {}
    values: dict[str, Values] = {}
    for name, make in methods.items():
        start = time.perf_counter()
        contestant = make(fit, window)
        placed = place(contestant.watch(log, vectors), log, tests)
        values[name] = values_of(placed)
        means = {key: round(float(value.mean()), 5) for key, value in values[name].items()}
        share = coverage(placed, int(tests.catalogue.max()))
        found[name] = {**means, "coverage@10": round(share, 5), "seconds": round(time.perf_counter() - start, 1)}
        note(name, found[name])
    rest = [name for name in methods if name != "ranker"]
    compared = {name: against(values["ranker"], values[name], tests.users, args.draws) for name in rest}
    corrected = holm({name: compared[name]["p"] for name in rest})
    for name in rest:
        found[name]["ranker_less_this"] = {**compared[name], "p_holm": corrected[name]}
    best = max(rest, key=lambda name: found[name]["ndcg@10"])
    return {
        "n_tests": len(tests),
        "n_users": len(np.unique(tests.users)),
        "methods": found,
        "best_baseline": best,
        "ranker_less_best": found[best]["ranker_less_this"],
        "coverage_less_best": round(found["ranker"]["coverage@10"] - found[best]["coverage@10"], 5),
    }


def windows(log: EventLog, vectors: ItemVectors, tags: Tags, args: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Every test window in turn."""
    periods = cut_periods(log, args.test_share, args.windows)
    model = load_model(Workspace(args.workspace), args.model) if args.model else None
    methods = baselines(log, periods.tests.start_us, periods.validation, args)
    methods["ranker"] = ranker(vectors, tags, model, args)
    for number, window in enumerate(periods.tests.open(None)):
        note("window", number + 1)
        yield window_name(number, args.windows), judge(log, vectors, window, methods, args)


def main() -> None:
    """Parse flags, measure, print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--workspace", required=True)
    made.add_argument("--test-share", type=float, default=0.2)
    made.add_argument("--windows", type=int, default=3)
    made.add_argument("--max-events", type=int, default=2_000, help="tests a window")
    made.add_argument(
        "--validation-events", type=int, default=1_000, help="to tune baselines on, and to stop the fit by"
    )
    made.add_argument("--spans", default="15m,30m,1h,1d,7d", help="windows of popularity")
    made.add_argument("--fitted", default=",".join(_FITTED), help="baselines that are fitted")
    made.add_argument("--model", help="of the workspace; it must not have seen the test windows (default: fit one)")
    made.add_argument("--refit", action="store_true", help="before each window")
    made.add_argument("--train-events", type=int, default=12_000)
    made.add_argument("--epochs", type=int, default=12)
    made.add_argument("--draws", type=int, default=1_000)
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    store = SnapshotStore(Workspace(args.workspace))
    log, names = read_log(store.workspace, store.corpus, store.spec.type_weights)
    tags = read_tags(store.workspace, store.corpus, names)
    vectors = read_item_vectors(store.workspace, store.spec.fingerprint, store.corpus, names)
    note("events", len(log), "items", log.n_items)
    found = dict(windows(log, vectors, tags, args))
    print(json.dumps({"benchmark": "ranker", "settings": vars(args), "windows": found, "machine": machine()}))


if __name__ == "__main__":
    main()
