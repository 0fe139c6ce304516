"""Which profile is better on this corpus: `python -m jobs.evaluate`.

The driver holds the log as numbers and never a vector of a text; the vectors stream by, shard after shard.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dynprof.baselines import TUNED_WINDOW
from dynprof.decay import Decay
from dynprof.duration import parse_duration
from dynprof.embedded import CorpusVectors, latest_fingerprint, open_vectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.evaluation import Facts, Outcome, Report, tabulate
from dynprof.evaluation.loading import Material, Plan, Question, load_material, plan_window
from dynprof.evaluation.metrics import parse_metric
from dynprof.evaluation.results import RESULTS
from dynprof.evaluation.storage import read_report, write_report
from dynprof.evaluation.weighing import RECENT, Weighing
from dynprof.evaluation.windows import VALIDATION, WHOLE_TEST, window_name
from dynprof.lineage import present_corpus
from dynprof.reporting.evaluation_page import write_evaluation
from dynprof.snapshot import parse_decays
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, hold_ray, parser, ray_session, run, start_logging
from jobs.contestants import Entrant, choose_contestants, enter_ranker
from jobs.evaluate_options import EvaluateOptions, add_flags, add_own_flags, options_from
from jobs.evaluate_ranking import Arena
from jobs.evaluate_tuning import tune_baselines, tune_workspace, with_choice
from jobs.evaluate_windows import Contest
from jobs.outside_models import OutsideModels

__all__ = ["EvaluateOptions", "add_flags", "evaluate", "options_from", "summary_of"]

LOG = logging.getLogger("dynprof.evaluate")


def evaluate(
    workspace: Workspace,
    options: EvaluateOptions,
    *,
    entrants: Mapping[str, Entrant] | None = None,
    weighings: Sequence[Weighing] = (),
    choice: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `reports/<name>/` and show its main tables on stderr; a report that answers the same is only shown.

    Args:
        workspace: Where.
        options: What to compare and on what.
        entrants: Contestants beside those that `options.baselines` names.
        weighings: Profiles beside those of the options.
        choice: What was tuned on the validation window, finished; the test windows are opened for it.

    Returns:
        The report as JSON types, with `report` (its name) and `done_before`.

    Raises:
        ConfigError: A flag that means nothing, or a baseline that only tuning makes and that was not tuned.
        WorkspaceError: No finished corpus or embeddings.
        FingerprintError: The embeddings are of another corpus.
    """
    corpus = present_corpus(workspace)
    question = _question(workspace, options, weighings)
    vectors = open_vectors(workspace, question.fingerprint, corpus)
    rivals = _rivals(options, entrants or {})
    parameters = _parameters(question, options, rivals, corpus.corpus_id, choice)
    name = _report_name(parameters, options.report)
    stored = read_report(workspace, name)
    if stored is not None and stored[0]["parameters"] == parameters:
        LOG.info("report=%s finished before, nothing to do", name)
        _show(stored[1])
        return {**stored[0], "report": name, "done_before": True}
    material = load_material(workspace, question, corpus)
    report = _judge(vectors, question, material, options, rivals, parameters, choice)
    document, text = write_report(workspace, name, report)
    _show(text)
    return {**document, "report": name, "done_before": False}


def _judge(
    vectors: CorpusVectors,
    question: Question,
    material: Material,
    options: EvaluateOptions,
    rivals: Mapping[str, Entrant],
    parameters: Mapping[str, Any],
    choice: Mapping[str, Any] | None,
) -> Report:
    plans = _plans(question, material, options, choice)
    for plan in plans:
        LOG.info(
            "window=%s tests=%d eligible=%d items=%d", plan.name, len(plan.tests), plan.n_eligible, plan.log.n_items
        )
    outcomes: list[Outcome] = []
    remarks: list[str] = []
    tested = [p for p in plans if len(p.tests)]
    if tested:
        with ray_session():
            metrics, encoder = [parse_metric(m) for m in options.metrics], str(vectors.manifest["encoder"])
            arena = Arena(vectors, question, material)
            outside = OutsideModels(Path(options.outside)) if options.outside else None
            contest = Contest(arena, question, material, metrics, rivals, encoder, outside, remarks)
            outcomes = [contest.judge(plan) for plan in tested]
    results = RESULTS.empty_table()
    if ours := [o for o in outcomes if o.name != VALIDATION]:
        whole = ours[0] if len(ours) == 1 and ours[0].name == WHOLE_TEST else Outcome.joined(WHOLE_TEST, ours)
        results = tabulate(outcomes, whole, options.metrics, n_draws=options.n_draws, seed=options.seed)
    return Report(parameters, options.metrics, _facts(plans), results, remarks, choice)


def _plans(
    question: Question, material: Material, options: EvaluateOptions, choice: Mapping[str, Any] | None
) -> list[Plan]:
    """The windows with their tests, in order of time."""
    windows = [(VALIDATION, material.periods.validation)] if options.validation and not options.leave_one_out else []
    opened = material.periods.tests.open(choice)
    windows += [(window_name(i, len(opened)), window) for i, window in enumerate(opened)]
    return [plan_window(material, question, window, name) for name, window in windows]


def _facts(plans: Sequence[Plan]) -> dict[str, Facts]:
    found = {p.name: p.facts() for p in plans}
    if WHOLE_TEST not in found:
        tests = [p for p in plans if p.name != VALIDATION]
        users = np.concatenate([p.tests.users for p in tests])
        found[WHOLE_TEST] = Facts.joined([found[p.name] for p in tests], users)
    return found


def _question(workspace: Workspace, options: EvaluateOptions, weighings: Sequence[Weighing]) -> Question:
    """The options with names resolved."""
    kinds = [Decay("static")]
    for half_life in options.half_lives:
        kinds += parse_decays(options.decays, half_life)
    recent = RECENT if options.recent else ()
    return Question(
        fingerprint=_fingerprint(workspace, options.encoder),
        decays=(*dict.fromkeys(kinds), *recent, *weighings),
        type_weights=dict(sorted(options.type_weights.items())),
        prior_weight=options.prior_weight,
        test_share=options.test_share,
        max_events=options.max_events,
        include_seen=options.include_seen,
        seed=options.seed,
        n_windows=options.n_windows,
        similarities=options.similarities,
        item_half_lives_s=tuple(parse_duration(h, name="item_half_life") for h in options.item_half_lives),
        leave_one_out=options.leave_one_out,
        with_drift=options.slices,
    )


def _rivals(options: EvaluateOptions, entrants: Mapping[str, Entrant]) -> dict[str, Entrant]:
    """All contestants that are no profiles, in the order of the table; a caller's in place of those of their names."""
    named = {**choose_contestants(options.baselines), **entrants}
    if TUNED_WINDOW in named and not named[TUNED_WINDOW].settings:
        raise ConfigError(
            f"--baselines: expected {TUNED_WINDOW!r} with --tune, found it without: its window is what is tuned."
        )
    return named


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


def _parameters(
    question: Question,
    options: EvaluateOptions,
    rivals: Mapping[str, Entrant],
    corpus_id: str,
    choice: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """All that the numbers depend on, as JSON types."""
    parameters = {
        **asdict(question),
        "metrics": options.metrics,
        "validation": options.validation,
        "n_draws": options.n_draws,
        "contestants": {name: dict(rival.settings) for name, rival in rivals.items()},
        "outside": OutsideModels(Path(options.outside)).answers() if options.outside else None,
        "corpus_id": corpus_id,
        "choice": choice,
    }
    return dict(json.loads(json.dumps(parameters)))


def _report_name(parameters: Mapping[str, Any], asked: str | None) -> str:
    """The name asked for; else the same question of the same corpus has the same name.

    Raises:
        ConfigError: A name that is no single folder.
    """
    if asked is None:
        meaning = json.dumps(parameters, sort_keys=True)
        digest = hashlib.blake2b(meaning.encode(), digest_size=4).hexdigest()
        return f"evaluation-{parameters['fingerprint'][:8]}-{digest}"
    if not re.fullmatch(r"\w[\w.-]*", asked):
        raise ConfigError(f"--report: expected a name of letters, digits, '-', '_' and '.', found {asked!r}.")
    return asked


def _show(text: str) -> None:
    """For people; stdout belongs to the summary."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, evaluate, summarise."""
    made = parser("evaluate", "Which profile predicts the next event best, among baselines, with intervals.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    made.add_argument("--ranker", metavar="NAME", help="a model of jobs.train --holdout-share that enters too")
    add_own_flags(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    options = options_from(args, encoder=args.encoder)
    watch = Stopwatch()
    workspace, chosen = Workspace(args.workspace), None
    weighings: tuple[Weighing, ...] = ()
    entrants: dict[str, Entrant] = {}
    if args.ranker and options.leave_one_out:
        raise ConfigError(
            "--ranker: expected windows in time, found --leave-one-out: any model has seen what is left out."
        )
    if args.tune:
        with watch.stage("tune"), hold_ray():
            chosen = tune_workspace(workspace, options)
            if chosen is not None:
                options, weighings = with_choice(options, chosen)
            entrants |= tune_baselines(workspace, options)
    if args.ranker:
        fingerprint = _fingerprint(workspace, options.encoder)
        entrants |= enter_ranker(workspace, args.ranker, fingerprint, options.type_weights)
    with watch.stage("evaluate"):
        choice = None if chosen is None else chosen.to_json()
        document = evaluate(workspace, options, entrants=entrants, weighings=weighings, choice=choice)
    told = {"job": "evaluate", **summary_of(document), "workspace": args.workspace}
    if args.report:
        with watch.stage("page"):
            told["page"] = write_evaluation(workspace, args.report)[0]
    return {**told, "seconds": watch.seconds}


def summary_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a summary that the evaluation answers."""
    facts = document["facts"]
    return {
        "report": document["report"],
        "tested": facts["n_tested"],
        "eligible": facts["n_eligible"],
        "tested_users": facts["n_users"],
        "methods": {m["name"]: {k: _rounded(e["value"]) for k, e in m["metrics"].items()} for m in document["methods"]},
        "done_before": document["done_before"],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


if __name__ == "__main__":
    run(main)
