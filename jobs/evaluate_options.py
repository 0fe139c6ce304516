"""What an evaluation compares, and on what: options and the flags that give them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dynprof.duration import parse_duration
from dynprof.errors import ConfigError
from dynprof.evaluation import AUTO, profile_methods, sample_size
from dynprof.evaluation.bootstrap import N_DRAWS
from dynprof.evaluation.metrics import ALL_METRICS, DEFAULT_METRICS, parse_metric
from dynprof.recommend import DEFAULT_ITEM_HALF_LIFE
from dynprof.scoring import METRICS
from dynprof.snapshot import DEFAULT_PRIOR_WEIGHT, DEFAULT_TYPE_WEIGHTS, parse_type_weights
from jobs.contestants import choose_contestants

__all__ = ["EvaluateOptions", "add_flags", "add_own_flags", "options_from"]

_QUICK = ",".join(("random", "popular", "newest"))
"""Of the pipeline: counts alone."""


@dataclass(frozen=True)
class EvaluateOptions:
    """What to compare and on what. The defaults are the pipeline's: one window, plain cosine, no lists.

    Attributes:
        encoder: Fingerprint or name of finished embeddings; None for the newest.
        decays: Comma-separated kinds, or `all`; `static` is always there to compare with.
        half_lives: Every kind is tried at each.
        type_weights: Weight of an event by its type; types not named count 1.
        prior_weight: kappa, in units of event weight, >= 0.
        test_share: The test windows are the last such share of the events.
        max_events: Largest sample of test events of a window; 0 for all, `AUTO` by the number of texts.
        include_seen: Whether texts that the user had before stay candidates.
        seed: Of the sample and of the bootstrap.
        metrics: What is measured.
        n_windows: Of the test.
        validation: Whether the validation window is judged too.
        similarities: Every weighing is tried under each.
        item_half_lives: Of `cosine_time`.
        recent: Whether last item, means of the last events and the moving average are there.
        slices: Whether the test is cut by activity, drift, language and item age.
        leave_one_out: Each user's last event is the test, and all else the past: leaky.
        baselines: `all`, `none` or names of `jobs.contestants.CONTESTANTS`.
        n_draws: Of the bootstrap.
        report: Its name; None for one that follows from the question.
        outside: Folder between this and the models of another environment; None for none.
    """

    encoder: str | None = None
    decays: str = "all"
    half_lives: tuple[str, ...] = ("30d",)
    type_weights: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_TYPE_WEIGHTS))
    prior_weight: float = DEFAULT_PRIOR_WEIGHT
    test_share: float = 0.2
    max_events: int | str = AUTO
    include_seen: bool = False
    seed: int = 0
    metrics: tuple[str, ...] = DEFAULT_METRICS
    n_windows: int = 1
    validation: bool = False
    similarities: tuple[str, ...] = ("cosine",)
    item_half_lives: tuple[str, ...] = (DEFAULT_ITEM_HALF_LIFE,)
    recent: bool = False
    slices: bool = False
    leave_one_out: bool = False
    baselines: str = _QUICK
    n_draws: int = N_DRAWS
    report: str | None = None
    outside: str | None = None

    def __post_init__(self) -> None:
        for name in self.metrics:
            parse_metric(name)
        if not 0 < self.test_share < 1:
            raise ConfigError(f"--test-share: expected a share in (0, 1), found {self.test_share}.")
        sample_size(self.max_events, 0)
        if not 0 <= self.prior_weight < float("inf"):
            raise ConfigError(f"--prior-weight: expected a number >= 0, found {self.prior_weight}.")
        for name, number in (("--windows", self.n_windows), ("--draws", self.n_draws)):
            if number < 1:
                raise ConfigError(f"{name}: expected a number > 0, found {number}.")
        for half_life in self.item_half_lives:
            if not parse_duration(half_life, name="--item-half-life") > 0:
                raise ConfigError(f"--item-half-life: expected a duration > 0, found {half_life}.")
        profile_methods((), self.similarities, ())
        if not self.similarities or not self.item_half_lives:
            raise ConfigError("--similarities, --item-half-life: expected at least one of each, found none.")
        choose_contestants(self.baselines)

    def of(self, encoder: str) -> EvaluateOptions:
        """The same for the embeddings of one encoder or fingerprint."""
        return replace(self, encoder=encoder)


def add_flags(made: argparse.ArgumentParser) -> None:
    """The flags of the quick test; `jobs.pipeline` has them too."""
    made.add_argument(
        "--test-share", type=float, default=0.2, help="the last share of all events is predicted, whatever --as-of says"
    )
    made.add_argument(
        "--max-events",
        type=lambda text: int(text) if text.lstrip("-").isdigit() else text,
        default=AUTO,
        help="largest sample of test events of a window; 0: all; auto: 2000, fewer (at least 500) beyond 2.5 million "
        "texts",
    )
    made.add_argument("--include-seen", action="store_true", help="texts that the user had before stay candidates")
    made.add_argument(
        "--metrics",
        default=",".join(DEFAULT_METRICS),
        help="all, or some of hit_rate@K, recall@K, ndcg@K, mrr@K, mrr, popularity@K, novelty@K, diversity@K, "
        "serendipity@K, calibration@K, coverage@K, gini@K",
    )
    made.add_argument("--seed", type=int, default=0, help="of the sample and of the bootstrap")


def add_own_flags(made: argparse.ArgumentParser) -> None:
    """All flags of `jobs.evaluate`."""
    made.add_argument("--encoder", help="name or fingerprint of finished embeddings (default: the newest)")
    made.add_argument("--decays", default="all", help="comma-separated kinds, or all")
    made.add_argument("--half-life", "--half-lives", default="1d,7d,30d", help="one or several")
    made.add_argument("--weights", help="weight by event type: like=0.5,dislike=-1")
    made.add_argument("--prior-weight", type=float, default=DEFAULT_PRIOR_WEIGHT, help="of the bio, in events")
    add_flags(made)
    made.set_defaults(metrics="all")
    made.add_argument("--quick", action="store_true", help="as jobs.pipeline: one window, plain cosine, no lists")
    made.add_argument("--windows", type=int, default=3, help="the tested share is cut into so many, equally large")
    made.add_argument("--no-validation", action="store_true", help="leave out the window before the test windows")
    made.add_argument("--similarities", default=",".join(METRICS), help="some of cosine_time, cosine, basic")
    made.add_argument("--item-half-life", default=DEFAULT_ITEM_HALF_LIFE, help="of cosine_time, one or several")
    made.add_argument(
        "--no-recent", action="store_true", help="leave out last item, mean of last 5 and 20, moving average"
    )
    made.add_argument(
        "--no-slices", action="store_true", help="do not cut the test by activity, drift, language, item age"
    )
    made.add_argument(
        "--leave-one-out", action="store_true", help="test each user's last event; LEAKY, as papers do it"
    )
    made.add_argument(
        "--tune",
        action="store_true",
        help="choose on the validation window, also settings of baselines, write choice.json, and test the choice",
    )
    made.add_argument("--baselines", default="all", help="all, none, or names")
    made.add_argument("--outside", metavar="DIR", help="exchange with SASRec and HSTU, which need `make rectools`")
    made.add_argument("--draws", type=int, default=N_DRAWS, help="of the bootstrap")
    made.add_argument("--report", help="name of the report (default: follows from the question)")


def options_from(args: argparse.Namespace, *, encoder: str | None = None) -> EvaluateOptions:
    """Flags as options: those of `add_flags` and of the decays, which `jobs.build` has too, or all of them."""
    options = EvaluateOptions(
        encoder=encoder,
        decays=args.decays,
        half_lives=_listed(args.half_life),
        type_weights=parse_type_weights(args.weights),
        prior_weight=args.prior_weight,
        test_share=args.test_share,
        max_events=args.max_events,
        include_seen=args.include_seen,
        seed=args.seed,
        metrics=ALL_METRICS if args.metrics == "all" else _listed(args.metrics),
    )
    if "windows" not in args:  # the pipeline's
        return options
    if args.quick:
        metrics = DEFAULT_METRICS if args.metrics == "all" else options.metrics
        return replace(options, metrics=metrics, n_draws=args.draws, report=args.report)
    return replace(
        options,
        n_windows=args.windows,
        validation=not args.no_validation,
        similarities=_listed(args.similarities),
        item_half_lives=_listed(args.item_half_life),
        recent=not args.no_recent,
        slices=not args.no_slices,
        leave_one_out=args.leave_one_out,
        baselines=args.baselines,
        n_draws=args.draws,
        report=args.report,
        outside=args.outside,
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))
