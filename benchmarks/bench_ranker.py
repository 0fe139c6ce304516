"""What the ranker is worth against every baseline: three rolling test windows of an embedded workspace.

The ranker is fitted on what is before the first test window, stopping on the last stretch of that (with `--refit`
before each window on what is before it); baselines are fitted before each window, with the settings that
`dynprof.baselines.tune` chooses on the validation window before the first one. The tests are a sample of each window,
the same for all; every item that appeared strictly before a test and that the user has not had is a candidate.

    python -m benchmarks.bench_ranker --workspace DIR [--max-events 2000] [--model NAME] [--baselines NAMES]

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
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.machine import machine
from dynprof.baselines import BASELINES, tune
from dynprof.decay import Decay
from dynprof.evaluation.baselines import COUNTS
from dynprof.evaluation.bootstrap import N_DRAWS, UserDraws
from dynprof.evaluation.comparison import NO_REFERENCE, compare
from dynprof.evaluation.contestant import Contestant, Placed, Watches, place
from dynprof.evaluation.histories import profiles_before
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.list_metrics import coverage
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.metrics import hit_rate, ndcg
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, eligible_events
from dynprof.evaluation.weighing import RECENT, Weighing
from dynprof.evaluation.windows import cut_periods, window_name
from dynprof.ranker.contestant import NAME, Ranker, ranker_factory
from dynprof.ranker.model import RankerModel, load_model
from dynprof.ranker.reading import read_item_vectors, read_log, read_tags
from dynprof.ranker.traces import Tags
from dynprof.store import SnapshotStore
from dynprof.workspace import Workspace

_AT = 10
_TESTS_AT_ONCE = 64
_PROFILES: dict[str, Weighing] = {"static": Decay("static"), **{w.kind: w for w in RECENT}}
_ALL = (*COUNTS, *_PROFILES, *BASELINES)
Maker = Callable[[EventLog], Contestant]


class Profile:
    """A contestant: the cosine of every item with one weighing of the user's past, without a prior."""

    def __init__(self, name: str, weighing: Weighing) -> None:
        self.name, self._weighing = name, weighing

    def watch(self, log: EventLog, vectors: ItemVectors | None = None) -> Profile:
        """See `Watches`."""
        if vectors is None:
            raise ValueError("expected vectors")
        self._log, self._vectors = log, vectors
        self._all = vectors.take(slice(0, log.n_items)).astype(np.float32)
        return self

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """See `Contestant`."""
        for start in range(0, len(tests), _TESTS_AT_ONCE):
            few = tests.take(slice(start, start + _TESTS_AT_ONCE))
            prior = np.zeros((len(few), self._all.shape[1]), np.float32)
            mine = profiles_before(self._log, self._vectors, few, [self._weighing], prior=prior, prior_weight=0.0)[:, 0]
            for products, catalogue in zip(mine @ self._all.T, few.catalogue.tolist(), strict=True):
                yield products[:catalogue]


def note(*parts: object) -> None:
    """Progress."""
    print(time.strftime("%H:%M:%S"), *parts, file=sys.stderr, flush=True)


def sample(log: EventLog, window: Window, most: int, seed: int) -> TestEvents:
    """Test events of a window, at most so many."""
    eligible = eligible_events(log, window)
    if len(eligible) > most:
        eligible = np.sort(np.random.default_rng(seed).choice(eligible, most, replace=False))
    return choose_tests(log, eligible)


def baselines(
    log: EventLog, vectors: ItemVectors, validation: Window, args: argparse.Namespace
) -> tuple[dict[str, Maker], dict[str, Any]]:
    """What makes each method from the log before a window, and the settings that were chosen.

    Args:
        log: Ends with the validation window.
        vectors: Of its items.
        validation: Where settings are chosen.
        args: Flags.
    """
    made: dict[str, Maker] = {}
    settings: dict[str, Any] = {}
    tests = sample(log, validation, args.validation_events, args.seed)
    for name in args.baselines.split(",") if args.baselines else _ALL:
        if name in COUNTS:
            made[name] = partial(_count, name)
        elif name in _PROFILES:
            made[name] = partial(_profile, name)
        else:
            note("tuning", name)
            settings[name] = tune(name, log, tests, vectors=vectors, start_us=validation.start_us)
            note("chosen", settings[name])
            made[name] = partial(_baseline, name, settings[name])
    return made, settings


def _count(name: str, log: EventLog) -> Contestant:
    return COUNTS[name](log, {})


def _profile(name: str, log: EventLog) -> Contestant:
    del log
    return Profile(name, _PROFILES[name])


def _baseline(name: str, settings: Mapping[str, float | None], log: EventLog) -> Contestant:
    return BASELINES[name](log, settings)


def ranker(vectors: ItemVectors, tags: Tags, model: RankerModel | None, args: argparse.Namespace) -> Maker:
    """The ranker: a model on disk, or fitted here, once or before each window."""
    kept: list[Contestant] = []
    settings = {"train_events": args.train_events, "epochs": args.epochs, "seed": args.seed}
    settings["validation_events"] = args.validation_events

    def make(log: EventLog) -> Contestant:
        if model is not None:
            return Ranker(model.scorer, tags, model.meaning.bank)
        if args.refit or not kept:
            note("fitting the ranker on", len(log), "events")
            kept[:] = [ranker_factory(vectors, tags)(log, settings)]
            note("fitted")
        return kept[0]

    return make


def against(
    gains: Mapping[str, npt.NDArray[np.float64]], users: npt.NDArray[np.int32], draws: int, seed: int
) -> dict[str, dict[str, Any]]:
    """The ranker's NDCG@10 less every other's: difference, interval, relative lift, p-value and Holm's."""
    names = [*(name for name in gains if name != NAME), NAME]
    ours = len(names) - 1
    references = np.where(np.arange(len(names)) == ours, NO_REFERENCE, ours)
    values = np.stack([gains[name] for name in names], axis=1)
    found = compare(values, users, references, UserDraws(users, n_draws=draws, seed=seed))
    told: dict[str, dict[str, Any]] = {}
    for column, name in enumerate(names[:-1]):
        theirs = float(found.value[column])
        told[name] = {
            "difference": round(-float(found.difference[column]), 5),
            "interval": [
                round(-float(found.difference_high[column]), 5),
                round(-float(found.difference_low[column]), 5),
            ],
            "relative": round(float(found.value[ours]) / theirs - 1, 4) if theirs > 0 else None,
            "p": round(float(found.p[column]), 5),
            "p_holm": round(float(found.p_holm[column]), 5),
        }
    return told


def judge(
    log: EventLog, vectors: ItemVectors, window: Window, methods: Mapping[str, Maker], args: argparse.Namespace
) -> dict[str, Any]:
    """All methods on the same tests of one window."""
    tests, fit = sample(log, window, args.max_events, args.seed), log.before(window.start_us)
    found: dict[str, dict[str, Any]] = {}
    gains: dict[str, npt.NDArray[np.float64]] = {}
    for name, make in methods.items():
        start = time.perf_counter()
        contestant = make(fit)
        if isinstance(contestant, Watches):
            contestant = contestant.watch(log, vectors)
        placed = place(contestant, log, tests)
        gains[name], found[name] = _measured(placed, int(tests.catalogue.max()))
        found[name]["seconds"] = round(time.perf_counter() - start, 1)
        note(name, found[name])
    for name, compared in against(gains, tests.users, args.draws, args.seed).items():
        found[name]["ranker_less_this"] = compared
    best = max((name for name in methods if name != NAME), key=lambda name: float(found[name]["ndcg@10"]))
    return {
        "n_tests": len(tests),
        "n_users": len(np.unique(tests.users)),
        "methods": found,
        "best_baseline": best,
        "ranker_less_best": found[best]["ranker_less_this"],
        "coverage_less_best": round(found[NAME]["coverage@10"] - found[best]["coverage@10"], 5),
    }


def _measured(placed: Placed, catalogue: int) -> tuple[npt.NDArray[np.float64], dict[str, Any]]:
    """NDCG@10 of each test event, and what is told of all."""
    above, tied = placed.ranks.above[:, 0], placed.ranks.tied[:, 0]
    gains = ndcg(above, tied, _AT)
    return gains, {
        "ndcg@10": round(float(gains.mean()), 5),
        "hit_rate@10": round(float(hit_rate(above, tied, _AT).mean()), 5),
        "coverage@10": round(coverage(placed.lists[:, 0, :_AT], catalogue), 5),
    }


def main() -> None:
    """Parse flags, measure, print."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--workspace", required=True)
    made.add_argument("--test-share", type=float, default=0.2)
    made.add_argument("--windows", type=int, default=3)
    made.add_argument("--max-events", type=int, default=2_000, help="tests a window")
    made.add_argument("--validation-events", type=int, default=1_000, help="to tune on, and to stop the fit by")
    made.add_argument("--baselines", help=f"comma-separated, of {', '.join(_ALL)} (default: all)")
    made.add_argument("--model", help="of the workspace; it must not have seen the test windows (default: fit one)")
    made.add_argument("--refit", action="store_true", help="before each window")
    made.add_argument("--train-events", type=int, default=12_000)
    made.add_argument("--epochs", type=int, default=12)
    made.add_argument("--draws", type=int, default=N_DRAWS)
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    store = SnapshotStore(Workspace(args.workspace))
    log, names = read_log(store.workspace, store.corpus, store.spec.type_weights)
    tags = read_tags(store.workspace, store.corpus, names)
    vectors = read_item_vectors(store.workspace, store.spec.fingerprint, store.corpus, names)
    note("events", len(log), "items", log.n_items)
    periods = cut_periods(log, args.test_share, args.windows)
    model = load_model(store.workspace, args.model) if args.model else None
    methods, settings = baselines(periods.for_tuning(log), vectors, periods.validation, args)
    methods[NAME] = ranker(vectors, tags, model, args)
    found = {}
    for number, window in enumerate(periods.tests.open(settings)):
        note("window", number + 1)
        found[window_name(number, args.windows)] = judge(log, vectors, window, methods, args)
    told = {"settings": vars(args), "chosen": settings, "windows": found, "machine": machine()}
    print(json.dumps({"benchmark": "ranker", **told}))


if __name__ == "__main__":
    main()
