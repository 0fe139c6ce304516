"""Does the tuned profile beat the static one where it must? Chosen on the validation window, judged after it.

The bars: under the same similarity the tuned profile has a higher NDCG@10 with an interval above zero, at least 8 %
more for users with high drift, never over 1 % less for stable ones. Two questions: the next event among all that
appeared before (`--task next`), and which of a day's new texts are the user's (`--task day`), for people who post.

The limit: K = 17 sums a test event are read once; a point of the grid is a product of 18 numbers with them, looked at
until ten candidates are better. One process, no Ray: what is counted is what `jobs.evaluate --tune` counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.day_task import day_tests, eligible_posts
from benchmarks.machine import machine
from benchmarks.tuning_verdicts import Judged, rows_of, together
from dynprof.decay import Decay
from dynprof.embedded import latest_fingerprint, open_vectors
from dynprof.evaluation import index_events
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.loading import read_bucket
from dynprof.evaluation.log import EventLog, EventNames
from dynprof.evaluation.metrics import metric
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, eligible_events
from dynprof.evaluation.retrieval import Ranks
from dynprof.evaluation.slices import drift_thirds
from dynprof.evaluation.windows import cut_periods
from dynprof.lineage import present_corpus
from dynprof.snapshot import DEFAULT_PRIOR_WEIGHT
from dynprof.tuning.bank_sums import BankSums, bank_sums
from dynprof.tuning.duel import Asked, Duels, count_duels
from dynprof.tuning.fit_data import fit_data, sample_candidates
from dynprof.tuning.grid import Grid, Similarity, coefficients_of
from dynprof.tuning.learned import LearnedCurve, fit_curve
from dynprof.tuning.rounds import LIMIT, rank_grid
from dynprof.tuning.sealed import SealedLog, fitting_window, seal
from dynprof.tuning.search import TUNING_METRIC, Search, Tried, search
from dynprof.vector_chunk import VectorChunk
from dynprof.workspace import Workspace

_N_PARTS = 32


@dataclass(frozen=True)
class Data:
    """A log and the vectors of its items, in memory."""

    log: EventLog
    vectors: ItemVectors
    dim: int


@dataclass(frozen=True)
class Asks:
    """Tests of a window, the first candidate of each, and what is none beside what the user had before."""

    tests: TestEvents
    first: npt.NDArray[np.int64]
    own: Sequence[npt.NDArray[np.int32]] | None = None


def ask(data: Data, window: Window, task: str, n: int, seed: int) -> Asks:
    """A sample of the window's tests."""
    found = eligible_posts(data.log, window) if task == "day" else eligible_events(data.log, window)
    if len(found) > n:
        found = np.sort(np.random.default_rng(seed).choice(found, n, replace=False))
    if task == "day":
        of_days = day_tests(data.log, found)
        return Asks(of_days.tests, of_days.first_candidate, of_days.own)
    tests = choose_tests(data.log, found)
    return Asks(tests, np.zeros(len(tests), np.int64))


def sums_of(data: Data, asks: Asks, window: Window, grid: Grid) -> BankSums:
    """Bank sums of the tests."""
    n_early = int(np.searchsorted(data.log.first_us, window.start_us))
    early = data.vectors.take(slice(0, n_early))
    mean = early.mean(axis=0, dtype=np.float64) if n_early else np.zeros(data.dim)
    priors = np.broadcast_to(mean.astype(np.float32), (len(asks.tests), data.dim))
    return bank_sums(data.log, data.vectors, asks.tests, priors, grid.bank)


def counter(data: Data, asks: Asks) -> Any:
    """A `search.Count` in this process."""

    def count_parts(duels: Duels, asked: Asked, parts: range) -> Iterator[Ranks]:
        for part in parts:
            items = np.arange(part, data.log.n_items, _N_PARTS)
            of = ItemVectors(data.vectors.chunk, data.vectors.rows[items])
            yield count_duels(duels, asked, items, of, data.log.first_us[items], limit=LIMIT)

    def count(
        sums: BankSums,
        coefficients: npt.NDArray[np.float64],
        prior_weights: npt.NDArray[np.float64],
        similarities: Sequence[Similarity],
    ) -> Ranks:
        half_lives_s = np.array([s.half_life_s or np.inf for s in similarities])
        asked = Asked.of(data.log, asks.tests, half_lives_s, first_candidate=asks.first, also_left_out=asks.own)
        return rank_grid(sums, coefficients, prior_weights, asked, count_parts, _N_PARTS)

    return count


def learn(data: Data, sealed: SealedLog, best: Tried, grid: Grid, args: argparse.Namespace) -> list[LearnedCurve]:
    """Curves fitted before the validation window, on the same task."""
    window = fitting_window(sealed)
    asks = ask(data, window, args.task, args.n_fit, args.seed)
    if not len(asks.tests):
        return []
    sums = sums_of(data, asks, window, grid)
    sampled = sample_candidates(
        data.log, asks.tests, seed=args.seed, first_candidate=asks.first, also_left_out=asks.own
    )
    made = fit_data(data.log, asks.tests, sums, sampled, data.vectors.take, best.similarity.half_life_s)
    start = np.maximum(best.reading.coefficients, 0).tolist()
    settings = [(free, l2) for free in (False, True) for l2 in (1e-4, 1e-2)]
    return [
        fit_curve(made, l2=l2, free=free, prior_weight=best.prior_weight, bank=grid.bank, start=start)
        for free, l2 in settings
    ]


def drift_slices(sums: BankSums, n_history: npt.NDArray[np.int64], grid: Grid) -> npt.NDArray[np.int64]:
    """(n,) `drift_thirds` of 1 - cosine between the 7-day and the 365-day profile: 0 stable, 2 high drift."""
    spans = np.stack([coefficients_of(Decay("exponential", h), grid.bank) for h in ("7d", "365d")])
    short, long = np.swapaxes(sums.directions(spans, np.full(2, DEFAULT_PRIOR_WEIGHT)), 0, 1).astype(np.float64)
    norms = np.linalg.norm(short, axis=1) * np.linalg.norm(long, axis=1)
    drift = np.maximum(1 - np.divide((short * long).sum(1), norms, out=np.ones(len(norms)), where=norms > 0), 0.0)
    return drift_thirds(np.where(n_history > 0, drift, np.nan))


def judge(data: Data, window: Window, chosen: dict[str, Tried], grid: Grid, args: argparse.Namespace) -> Judged | None:
    """The chosen readings and static, each under its similarity; None without tests."""
    asks = ask(data, window, args.task, args.max_events, args.seed)
    if not len(asks.tests):
        return None
    sums, static = sums_of(data, asks, window, grid), coefficients_of(Decay("static"), grid.bank)
    count, values = counter(data, asks), []
    for tried in chosen.values():
        kappas = np.array([DEFAULT_PRIOR_WEIGHT, tried.prior_weight])
        ranks = count(sums, np.stack([static, tried.reading.coefficients]), kappas, [tried.similarity])
        values.append(metric(TUNING_METRIC)(ranks.above, ranks.tied)[:, ::-1])
    thirds = drift_slices(sums, asks.tests.n_history, grid)
    return Judged(np.asarray(asks.tests.users, np.int64), thirds, np.stack(values, 1))


def choices(found: Search, similarities: Sequence[Similarity]) -> dict[str, Tried]:
    """The winner, and the best under each similarity."""
    best = {"chosen": found.best}
    for similarity in similarities:
        under = [t for t in found.tried if t.similarity == similarity and t.reading.decay is not None]
        best[similarity.name] = under[0]
    return best


def load(workspace: Workspace) -> tuple[Data, EventNames]:
    """Log and vectors of the newest encoder."""
    view = present_corpus(workspace)
    log, names = index_events([read_bucket(workspace, b, view.segments) for b in range(view.n_buckets)])
    matrix = open_vectors(workspace, latest_fingerprint(workspace), view).load(names.text_hashes)
    vectors = ItemVectors(VectorChunk(names.text_hashes, [matrix]), np.arange(len(matrix)))
    return Data(log, vectors, matrix.shape[1]), names


def tune(data: Data, sealed: SealedLog, grid: Grid, args: argparse.Namespace) -> Search:
    """The search on the validation window, from the sealed log alone."""
    asks = ask(data, sealed.validation, args.task, args.max_events, args.seed)
    found = search(
        sums_of(data, asks, sealed.validation, grid),
        grid,
        counter(data, asks),
        type_weights={},
        prior_weight=DEFAULT_PRIOR_WEIGHT,
        learn=(lambda best: learn(data, sealed, best, grid, args)) if args.n_fit else None,
    )
    if found is None:
        raise SystemExit("no event of the validation window can be predicted")
    for tried in [*found.tried[:10], *(t for t in found.tried if t.reading.name.startswith("learned"))]:
        shares = np.round(tried.reading.coefficients, 3).tolist()
        print(
            f"{tried.value:.4f} {tried.reading.name}, {tried.similarity.name}, kappa {tried.prior_weight} {shares}",
            flush=True,
        )
    return found


def parse() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--task", choices=["next", "day"], default="next")
    parser.add_argument("--max-events", type=int, default=1_000, help="of each window")
    parser.add_argument("--n-fit", type=int, default=500, help="events that the learned decay is fitted on")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Tune, then open the test windows."""
    args, times = parse(), [time.perf_counter()]
    data, names = load(Workspace(args.workspace))
    times.append(time.perf_counter())
    periods = cut_periods(data.log, 0.2, 3)
    sealed = seal(data.log, names, periods.validation)
    known = Data(sealed.log, data.vectors, data.dim)
    grid = Grid(item_half_lives=()) if args.task == "day" else Grid()
    found = tune(known, sealed, grid, args)
    times.append(time.perf_counter())
    chosen = choices(found, grid.similarities())
    validation = judge(known, sealed.validation, chosen, grid, args)
    judged = {} if validation is None else {"validation": validation}
    for number, window in enumerate(periods.tests.open(found.best.reading.name)):
        if (test := judge(data, window, chosen, grid, args)) is not None:
            judged[f"test {number + 1}"] = test
    tested = [w for name, w in judged.items() if name != "validation"]
    if not tested:
        raise SystemExit("no event of the test windows can be predicted")
    judged["tests"] = together(tested)
    rows = [row for name, tests in judged.items() for row in rows_of(tests, name, chosen)]
    times.append(time.perf_counter())
    best = found.best
    answer = {
        "bench": "tuning",
        "task": args.task,
        "n_events": len(data.log),
        "n_tests": len(found.values),
        "n_points": len(found.tried),
        "chosen": {"name": best.reading.name, "similarity": best.similarity.name, "value": best.value},
        "seconds": dict(zip(("load", "tune", "judge"), np.round(np.diff(times), 1).tolist(), strict=True)),
        "rows": rows,
        "machine": machine(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
