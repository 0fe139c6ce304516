"""Which decay is better on this corpus: `python -m jobs.evaluate`.

The driver holds the log as numbers and never a vector of a text; the vectors stream by, shard after shard.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from dynprof.decay import Decay
from dynprof.embedded import latest_fingerprint, open_vectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.evaluation import AUTO, Report, compare_methods, contest_methods, sample_size
from dynprof.evaluation.loading import Question, load_plan
from dynprof.evaluation.metrics import DEFAULT_METRICS, metric
from dynprof.evaluation.storage import read_report, write_report
from dynprof.lineage import present_corpus
from dynprof.snapshot import DEFAULT_PRIOR_WEIGHT, DEFAULT_TYPE_WEIGHTS, parse_decays, parse_type_weights
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, parser, run, start_logging
from jobs.evaluate_ranking import rank_tests

__all__ = ["EvaluateOptions", "evaluate"]

LOG = logging.getLogger("dynprof.evaluate")


@dataclass(frozen=True)
class EvaluateOptions:
    """What to compare and on what.

    Attributes:
        encoder: Fingerprint or name of finished embeddings; None for the newest.
        decays: Comma-separated kinds, or `all`; `static` is always there to compare with.
        half_lives: Every kind is tried at each.
        type_weights: Weight of an event by its type; types not named count 1.
        prior_weight: kappa, in units of event weight, >= 0.
        test_share: The test window is the last such share of the events.
        max_events: Largest sample of test events; 0 for all, `AUTO` by the number of texts.
        include_seen: Whether texts that the user had before stay candidates.
        seed: Of the sample and of the bootstrap.
        metrics: Columns of the table.
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

    def __post_init__(self) -> None:
        for name in self.metrics:
            metric(name)
        if not 0 < self.test_share < 1:
            raise ConfigError(f"--test-share: expected a share in (0, 1), found {self.test_share}.")
        sample_size(self.max_events, 0)
        if not 0 <= self.prior_weight < float("inf"):
            raise ConfigError(f"--prior-weight: expected a number >= 0, found {self.prior_weight}.")

    def of(self, encoder: str) -> EvaluateOptions:
        """The same for the embeddings of one encoder or fingerprint."""
        return replace(self, encoder=encoder)


def evaluate(workspace: Workspace, options: EvaluateOptions) -> dict[str, Any]:
    """Write `reports/<name>/` and show its table on stderr; a report that stands there already is only shown.

    Returns:
        The report as JSON types, with `report` (its name) and `done_before`.

    Raises:
        ConfigError: A flag that means nothing.
        WorkspaceError: No finished corpus or embeddings.
        FingerprintError: The embeddings are of another corpus.
    """
    corpus = present_corpus(workspace)
    question = _question(workspace, options)
    vectors = open_vectors(workspace, question.fingerprint, corpus)
    parameters = {**asdict(question), "metrics": list(options.metrics), "corpus_id": corpus.corpus_id}
    name = _report_name(parameters)
    if (stored := read_report(workspace, name)) is not None:
        LOG.info("report=%s finished before, nothing to do", name)
        document, table = stored
        _show(table)
        return {**document, "report": name, "done_before": True}
    plan = load_plan(workspace, question, corpus)
    facts, scores = plan.facts(), []
    LOG.info("tests=%d eligible=%d items=%d users=%d", facts.n_tested, facts.n_eligible, facts.n_items, facts.n_users)
    if facts.n_tested:
        ranks = rank_tests(vectors, question, plan)
        methods = contest_methods(question.decays)
        scores = compare_methods(ranks, plan.tests.users, methods, options.metrics, seed=options.seed)
    report = Report(parameters, options.metrics, facts, scores)
    document, table = write_report(workspace, name, report)
    _show(table)
    return {**document, "report": name, "done_before": False}


def _question(workspace: Workspace, options: EvaluateOptions) -> Question:
    """The options with names resolved."""
    kinds = [Decay("static")]
    for half_life in options.half_lives:
        kinds += parse_decays(options.decays, half_life)
    return Question(
        fingerprint=_fingerprint(workspace, options.encoder),
        decays=tuple(dict.fromkeys(kinds)),
        type_weights=dict(sorted(options.type_weights.items())),
        prior_weight=options.prior_weight,
        test_share=options.test_share,
        max_events=options.max_events,
        include_seen=options.include_seen,
        seed=options.seed,
    )


def _fingerprint(workspace: Workspace, encoder: str | None) -> str:
    if encoder is None:
        return latest_fingerprint(workspace)
    found = {f: m for f in workspace.folders(EMBEDDINGS) if (m := workspace.read_manifest(EMBEDDINGS, f))}
    named = [(m["created_at"], f) for f, m in found.items() if encoder in (f, m["encoder"])]
    if not named:
        known = ", ".join(f"{m['encoder']} ({f})" for f, m in found.items()) or "none"
        raise WorkspaceError(
            f"{workspace.path(EMBEDDINGS)}: expected finished embeddings of {encoder!r}, found {known}. "
            f"Run `python -m jobs.encode --encoder {encoder}` first."
        )
    return max(named)[1]


def _report_name(parameters: Mapping[str, Any]) -> str:
    """The same question of the same corpus has the same name."""
    meaning = json.dumps(parameters, sort_keys=True)
    digest = hashlib.blake2b(meaning.encode(), digest_size=4).hexdigest()
    return f"evaluation-{parameters['fingerprint'][:8]}-{digest}"


def _show(table: str) -> None:
    """For people; stdout belongs to the summary."""
    print(table, file=sys.stderr, flush=True)  # noqa: T201


def add_flags(made: argparse.ArgumentParser) -> None:
    """The flags of the test itself; `jobs.pipeline` has them too."""
    made.add_argument(
        "--test-share", type=float, default=0.2, help="the last share of all events is predicted, whatever --as-of says"
    )
    made.add_argument(
        "--max-events",
        type=lambda text: int(text) if text.lstrip("-").isdigit() else text,
        default=AUTO,
        help="largest sample of test events; 0: all; auto: 2000, fewer (at least 500) beyond 2.5 million texts",
    )
    made.add_argument("--include-seen", action="store_true", help="texts that the user had before stay candidates")
    made.add_argument("--metrics", default=",".join(DEFAULT_METRICS), help="hit_rate@K, ndcg@K, mrr")
    made.add_argument("--seed", type=int, default=0, help="of the sample and of the bootstrap")


def options_from(args: argparse.Namespace, *, encoder: str | None = None) -> EvaluateOptions:
    """The flags of `add_flags` and those of the decays, which `jobs.build` has too, as options."""
    metrics = tuple(m.strip() for m in args.metrics.split(","))
    return EvaluateOptions(
        encoder=encoder,
        decays=args.decays,
        half_lives=tuple(h.strip() for h in args.half_life.split(",")),
        type_weights=parse_type_weights(args.weights),
        prior_weight=args.prior_weight,
        test_share=args.test_share,
        max_events=args.max_events,
        include_seen=args.include_seen,
        seed=args.seed,
        metrics=metrics,
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, evaluate, summarise."""
    made = parser("evaluate", "Compare decays by how well they predict the next event.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    made.add_argument("--encoder", help="name or fingerprint of finished embeddings (default: the newest)")
    made.add_argument("--decays", default="all", help="comma-separated kinds, or all")
    made.add_argument("--half-life", "--half-lives", default="30d", help="one or several: 1d,7d,30d")
    made.add_argument("--weights", help="weight by event type: like=0.5,dislike=-1")
    made.add_argument("--prior-weight", type=float, default=DEFAULT_PRIOR_WEIGHT, help="of the bio, in events")
    add_flags(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    options = options_from(args, encoder=args.encoder)
    watch = Stopwatch()
    with watch.stage("evaluate"):
        document = evaluate(Workspace(args.workspace), options)
    return {"job": "evaluate", **summary_of(document), "workspace": args.workspace, "seconds": watch.seconds}


def summary_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a summary that the evaluation answers."""
    facts = document["facts"]
    return {
        "report": document["report"],
        "tested": facts["n_tested"],
        "eligible": facts["n_eligible"],
        "tested_users": facts["n_users"],
        "methods": {m["name"]: {k: round(e["value"], 4) for k, e in m["metrics"].items()} for m in document["methods"]},
        "done_before": document["done_before"],
    }


if __name__ == "__main__":
    run(main)
