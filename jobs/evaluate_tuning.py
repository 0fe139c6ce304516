"""`jobs.evaluate --tune`: the choice of a workspace, settings of baselines, and what the evaluation then tests."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

import ray

from dynprof.baselines import GRIDS, tune
from dynprof.decay import Decay
from dynprof.embedded import CorpusVectors, covers, open_vectors
from dynprof.embeddings import EMBEDDINGS
from dynprof.errors import ConfigError, WorkspaceError
from dynprof.evaluation.loading import read_bucket
from dynprof.evaluation.log import index_events
from dynprof.evaluation.protocol import sample_size
from dynprof.evaluation.weighing import Weighing
from dynprof.evaluation.windows import cut_periods
from dynprof.lineage import CorpusView, present_corpus
from dynprof.snapshot import parse_decays
from dynprof.tuning.choice import Choice, write_choice
from dynprof.tuning.sealed import SealedLog, sample_tests, seal
from dynprof.workspace import Workspace
from jobs.command import deliberate, ray_session
from jobs.contestants import CONTESTANTS, Entrant, choose_contestants
from jobs.evaluate_options import EvaluateOptions
from jobs.tune import TuningOptions, tune_profiles

__all__ = ["tune_baselines", "tune_workspace", "with_choice"]

LOG = logging.getLogger("dynprof.evaluate")

_MOST_TESTS = 1_000
"""Validation events that the settings of a baseline are chosen on; each setting scores all items for each of them."""
_TUNE = ray.remote(num_cpus=1)(tune)


def tune_workspace(
    workspace: Workspace, options: EvaluateOptions, tuning: TuningOptions | None = None
) -> Choice | None:
    """Choose on the validation window, and write `choice.json`; None where it has no event that can be predicted.

    Args:
        workspace: Where.
        options: Of the evaluation: its windows, weights, sample, seed and, where one is named, its encoder.
        tuning: What is tried; None for everything, under those options.

    Raises:
        ConfigError: Leave-one-out has no validation window.
        WorkspaceError: No finished corpus or embeddings.
    """
    if options.leave_one_out:
        raise ConfigError("--tune: expected windows in time, found --leave-one-out, which has no validation window.")
    corpus = present_corpus(workspace)
    encoders = _encoders(workspace, corpus, options.encoder)
    asked = tuning or TuningOptions(
        type_weights=dict(sorted(options.type_weights.items())),
        prior_weight=options.prior_weight,
        max_events=options.max_events,
        include_seen=options.include_seen,
        seed=options.seed,
    )
    choice = tune_profiles(_sealed(workspace, corpus, options, asked.type_weights), encoders, asked)
    if choice is not None:
        write_choice(workspace, choice)
        LOG.info("choice=%s metric=%s written", choice.decay.kind, choice.metric)
    return choice


def tune_baselines(workspace: Workspace, options: EvaluateOptions) -> dict[str, Entrant]:
    """The baselines that take part and have a grid, with their best settings on the validation window.

    A task a baseline; a fit a setting, and at most 1,000 test events. One that cannot be had is left as it is: where
    it is to be tested the report says why.

    Args:
        workspace: Where.
        options: Of the evaluation, with the weights of the choice. `all` has here what only tuning makes, too.

    Raises:
        WorkspaceError: No finished corpus.
    """
    names = [n for n in GRIDS if options.baselines == "all" or n in choose_contestants(options.baselines)]
    if not names:
        return {}
    sealed = _sealed(workspace, present_corpus(workspace), options, options.type_weights)
    size = min(sample_size(options.max_events, sealed.log.n_items) or _MOST_TESTS, _MOST_TESTS)
    window = sealed.validation
    tests = sample_tests(sealed, window, max_events=size, seed=options.seed, include_seen=options.include_seen)
    found: dict[str, Entrant] = {}
    with ray_session():
        log = ray.put(sealed.log)
        asked = {name: _TUNE.remote(name, log, tests, start_us=window.start_us) for name in names}
        for name, answer in asked.items():
            try:
                settings = ray.get(answer)
            except Exception as error:
                if (reason := deliberate(error, ConfigError)) is None:
                    raise
                LOG.warning("baseline=%s not tuned: %s", name, str(reason).partition("\n")[0])
                continue
            LOG.info("baseline=%s tests=%d settings=%s", name, len(tests), settings)
            found[name] = replace(CONTESTANTS[name], settings=settings)
    return found


def with_choice(options: EvaluateOptions, choice: Choice) -> tuple[EvaluateOptions, tuple[Weighing, ...]]:
    """The options under which a choice is tested, and the profiles that it adds to those of the options."""
    similarities, item_half_lives = options.similarities, options.item_half_lives
    if choice.metric not in similarities:
        similarities = (*similarities, choice.metric)
    if choice.item_half_life is not None and choice.item_half_life not in item_half_lives:
        item_half_lives = (*item_half_lives, choice.item_half_life)
    there = {Decay("static"), *(d for h in options.half_lives for d in parse_decays(options.decays, h))}
    named: dict[tuple[str, float | None], Decay] = {}
    for decay in (choice.decay, choice.learned):
        if decay is not None and decay not in there:
            named.setdefault((decay.kind, decay.half_life_s), decay)
    asked = replace(
        options,
        encoder=choice.fingerprint,
        prior_weight=choice.prior_weight,
        type_weights=dict(choice.type_weights),
        similarities=similarities,
        item_half_lives=item_half_lives,
    )
    return asked, tuple(named.values())


def _sealed(
    workspace: Workspace, corpus: CorpusView, options: EvaluateOptions, type_weights: Mapping[str, float]
) -> SealedLog:
    """All that tuning may know: the log up to the end of the validation window."""
    tables = (read_bucket(workspace, b, corpus.segments) for b in range(corpus.n_buckets))
    log, names = index_events(tables, type_weights)
    return seal(log, names, cut_periods(log, options.test_share, options.n_windows).validation)


def _encoders(workspace: Workspace, corpus: CorpusView, encoder: str | None) -> list[CorpusVectors]:
    """Finished embeddings of the corpus, the newest first: those of one encoder or fingerprint, or all."""
    found = {f: m for f in workspace.folders(EMBEDDINGS) if (m := workspace.read_manifest(EMBEDDINGS, f))}
    known = [(m["created_at"], f) for f, m in found.items() if encoder in (None, f, m["encoder"])]
    usable = [f for _, f in sorted(known, reverse=True) if covers(workspace, f, corpus)]
    if not usable:
        raise WorkspaceError(
            f"{workspace.path(EMBEDDINGS)}: expected finished embeddings{f' of {encoder!r}' if encoder else ''} of the "
            f"present corpus, found {', '.join(m['encoder'] for m in found.values()) or 'none'}. Run "
            "`python -m jobs.encode` first."
        )
    usable = usable if encoder is None else usable[:1]
    return [open_vectors(workspace, f, corpus) for f in usable]
