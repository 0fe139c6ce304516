"""Fitting: the same from the seed, the same when taken up again, and better than counts where somebody follows."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.errors import ConfigError, FingerprintError, WorkspaceError
from dynprof.evaluation import EventLog
from dynprof.evaluation.baselines import COUNTS
from dynprof.evaluation.contestant import place
from dynprof.evaluation.metrics import ndcg
from dynprof.ranker import model as model_files
from dynprof.ranker.contestant import Ranker, ranker_factory
from dynprof.ranker.examples import Examples, make_examples
from dynprof.ranker.fit import FitOptions, Fitting, Share, fit
from dynprof.ranker.model import RankerMeaning, latest_model, load_model, model_name, save_model, unfit
from dynprof.ranker.network import make_network, scorer_of
from dynprof.ranker.plan import TrainingSize, plan_training
from dynprof.ranker.scorer import Scorer
from dynprof.ranker.training_files import TrainingFiles
from dynprof.workspace import Workspace
from unit.ranker_data import BANK, asked_of, following_log, make_log, questions_of, random_log, tags_for, vectors_for

OPTIONS = FitOptions(epochs=4, patience=4, batch=16, hidden=8)
MEANING = RankerMeaning("f0", BANK, {"post": 1.0})


def random_examples(seed: int, n: int = 40, n_features: int = 6) -> Examples:
    """The first feature says it, up to noise."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 9, n)
    features = rng.standard_normal((counts.sum(), n_features)).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(counts)])
    targets = np.array([features[a:b, 0].argmax() for a, b in pairwise(starts)])
    targets[rng.random(n) < 0.1] = -1
    return Examples(features, counts, targets, np.full(n, 50))


@cache
def fitted() -> Fitting:
    return fit(random_examples(0, 150), random_examples(1, 60), OPTIONS)


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def test_equal_seeds_give_equal_weights_and_others_do_not() -> None:
    again = fit(random_examples(0, 150), random_examples(1, 60), OPTIONS)
    assert again.curve == fitted().curve and same(again.best_weights(), fitted().best_weights())
    other = fit(random_examples(0, 150), random_examples(1, 60), FitOptions(epochs=4, batch=16, hidden=8, seed=1))
    assert not same(other.best_weights(), fitted().best_weights())


def test_a_fit_that_is_taken_up_again_ends_where_it_would_have(tmp_path: Path) -> None:
    class KilledError(Exception):
        pass

    files = TrainingFiles(Workspace(tmp_path), "m", "0")

    def die(fitting: Fitting) -> None:
        files.write_state(fitting.state())
        if len(fitting.curve) == 2:
            raise KilledError

    with pytest.raises(KilledError):
        fit(random_examples(0, 150), random_examples(1, 60), OPTIONS, on_epoch=die)
    torch.manual_seed(99)  # another process has another generator
    resumed = fit(random_examples(0, 150), random_examples(1, 60), OPTIONS, state=files.read_state())
    assert len(files.read_curve()) == 2 and resumed.curve == fitted().curve
    assert same(resumed.best_weights(), fitted().best_weights())


def test_it_learns_what_there_is_to_learn_and_keeps_the_best_epoch() -> None:
    curve = [line["ndcg@10"] for line in fitted().curve]
    assert max(curve) == curve[fitted().best_epoch] > 0.55
    scores = fitted().best_network().score(random_examples(1, 60).features)
    above, tied = random_examples(1, 60).ranks(scores)
    assert ndcg(above, tied, 10).mean() == pytest.approx(max(curve))


def test_it_stops_when_validation_gets_no_better() -> None:
    pure_noise = Examples(np.zeros((80, 3), np.float32), np.full(20, 4), np.arange(20) % 4, np.zeros(20, np.int64))
    done = fit(pure_noise, pure_noise, FitOptions(epochs=50, patience=2, hidden=4))
    assert len(done.curve) == 3 and done.best_epoch == 0


def test_ranks_of_examples_are_those_of_counting() -> None:
    examples = random_examples(3, n=12)
    scores = np.random.default_rng(0).integers(0, 3, len(examples.features)).astype(np.float32)
    above, tied = examples.ranks(scores)
    for row, (start, target) in enumerate(zip(examples.starts[:-1], examples.targets, strict=True)):
        own = scores[start : start + examples.counts[row]]
        if target < 0:
            assert (above[row], tied[row]) == (len(own), 49)
        else:
            assert above[row] == (own > own[target]).sum() and tied[row] == (own == own[target]).sum() - 1


def test_two_processes_together_take_the_steps_of_one() -> None:
    """Without dropout, which is each process' own: the gradients of the shares add up to those of the whole."""
    train = random_examples(0)
    whole, parts = [], []
    for share in (Share(), Share(0, 2), Share(1, 2)):
        fitting = Fitting(train, random_examples(1), OPTIONS, share)
        fitting._module.eval()
        batch = np.flatnonzero(train.targets >= 0)[:15]
        fitting._optimizer.zero_grad()
        (fitting._loss(batch[share.rank :: share.world]) / len(batch) * share.world).backward()
        (whole if share.world == 1 else parts).append([p.grad.clone() for p in fitting._network.parameters()])
    for alone, one, other in zip(whole[0], *parts, strict=True):
        torch.testing.assert_close((one + other) / 2, alone)
    empty = Fitting(train, random_examples(1), OPTIONS)._loss(np.empty(0, np.int64))
    assert float(empty.detach()) == 0


@settings(max_examples=6)
@given(seed=st.integers(0, 1 << 30))
def test_how_many_are_scored_at_once_and_in_which_order_shows_in_no_score(seed: int) -> None:
    rng, scorer = np.random.default_rng(seed), scorer_of(make_network(7, seed=seed % 97))
    features = rng.standard_normal((60, 7)).astype(np.float32) * 3
    together, order = scorer.score(features), rng.permutation(60)
    np.testing.assert_array_equal(scorer.score(features[order]), together[order])
    alone = np.concatenate([scorer.score(row[None]) for row in features])
    np.testing.assert_array_equal(alone, together)


def test_a_scorer_scores_as_the_network_does() -> None:
    network = make_network(7, seed=4).double().eval()
    features = np.random.default_rng(0).standard_normal((50, 7)).astype(np.float32) * 4
    network[0].learn(features)
    with torch.inference_mode():
        theirs = network(torch.from_numpy(features.astype(np.float64)))[:, 0].numpy()
    np.testing.assert_allclose(scorer_of(network).score(features), theirs, atol=1e-6)
    assert scorer_of(network).score(features[:0]).shape == (0,) and scorer_of(network).n_features == 7


def test_nothing_to_learn_from_is_said() -> None:
    missed = Examples(np.zeros((4, 3), np.float32), np.array([4]), np.array([-1]), np.array([1]))
    with pytest.raises(ConfigError, match="found 0 and 40"):
        fit(missed, random_examples(1, n_features=3), OPTIONS)
    with pytest.raises(ConfigError, match="epochs=0"):
        FitOptions(epochs=0)
    with pytest.raises(ConfigError, match="validation share"):
        TrainingSize(validation_share=1.0)


@pytest.fixture(scope="module")
def world() -> tuple[EventLog, int]:
    log = following_log()
    return log, int(np.quantile(log.event_us, 0.8))


def test_who_follows_whom_is_learned_and_beats_the_counts(world: tuple[EventLog, int]) -> None:
    log, start_us = world
    made = ranker_factory(vectors_for(log), tags_for(log), BANK)
    ranker = made(
        log.before(start_us), {"train_events": 300, "validation_events": 60, "epochs": 4, "hidden": 16, "batch": 8}
    )
    tests = asked_of(log, start_us).take(slice(0, 120))
    shown = {"ranker": ranker.watch(log, vectors_for(log)), "newest": COUNTS["newest"](log, {}).watch(log)}
    found = {name: place(contestant, log, tests).ranks for name, contestant in shown.items()}
    gains = {name: float(ndcg(ranks.above[:, 0], ranks.tied[:, 0], 10).mean()) for name, ranks in found.items()}
    assert gains["ranker"] > 1.3 * gains["newest"]


def test_what_is_no_candidate_ties_below_all_candidates() -> None:
    log = random_log(5, n=400, n_items=120)
    questions = questions_of(log)
    tests = asked_of(log)
    n_features = make_examples(questions, tests.take(slice(0, 1))).features.shape[1]
    ranker = Ranker(scorer_of(make_network(n_features)), tags_for(log), BANK).watch(log, questions.vectors)
    for scores, (items, _) in zip(ranker.scores(tests), questions.ask(tests), strict=True):
        others = np.setdiff1d(np.arange(len(scores)), items)
        assert np.isfinite(scores[items]).all() and (scores[others] == -np.inf).all()
    with pytest.raises(ConfigError, match="watch"):
        next(Ranker(scorer_of(make_network(3))).scores(tests))
    with pytest.raises(ConfigError, match="vectors"):
        Ranker(scorer_of(make_network(3))).watch(log)


def test_training_sees_nothing_of_the_validation_window_and_validation_nothing_else(
    world: tuple[EventLog, int],
) -> None:
    log, _ = world
    plan = plan_training(log, TrainingSize(train_events=200, validation_events=50))
    assert (len(plan.train), len(plan.validation)) == (200, 50)
    assert plan.train.event_us.max() < plan.window.start_us <= plan.validation.event_us.min()
    again = plan_training(log, TrainingSize(train_events=200, validation_events=50))
    np.testing.assert_array_equal(again.train.positions, plan.train.positions)
    recent = plan_training(log, TrainingSize(train_events=200, validation_events=50, recent=1.0))
    assert recent.train.event_us.min() > np.sort(log.event_us[log.event_us < plan.window.start_us])[-400]


def test_one_time_for_all_gives_no_training() -> None:
    log = make_log(np.arange(20), np.zeros(20, np.int64), np.arange(20) % 3)
    plan = plan_training(log)
    assert len(plan.train) == len(plan.validation) == 0


def saved(workspace: Workspace, name: str, meaning: RankerMeaning = MEANING) -> Scorer:
    network = make_network(len(model_files.feature_names(meaning.bank)), hidden=8, seed=3)
    weights = {k: v.numpy() for k, v in network.state_dict().items()}
    save_model(workspace, name, meaning, weights, {"curve": [], "snapshot": "s"})
    return scorer_of(network)


def test_a_model_that_is_saved_and_loaded_scores_the_same(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    scorer = saved(workspace, "m")
    loaded = load_model(workspace, "m")
    features = np.random.default_rng(0).standard_normal((9, len(loaded.manifest["features"]))).astype(np.float32)
    np.testing.assert_array_equal(loaded.scorer.score(features), scorer.score(features))
    assert loaded.meaning == MEANING and loaded.manifest["versions"].keys() == {"dynprof", "numpy", "torch"}
    assert latest_model(workspace, MEANING).name == "m"


def test_a_model_without_manifest_is_absent(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    saved(workspace, "m")
    Path(workspace.path("models", "m", "manifest.json")).unlink()
    with pytest.raises(WorkspaceError, match=r"jobs\.train"):
        load_model(workspace, "m")
    with pytest.raises(WorkspaceError, match="found none"):
        latest_model(workspace, MEANING)


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (RankerMeaning("f1", BANK, {"post": 1.0}), "another encoder"),
        (RankerMeaning("f0", DEFAULT_BANK, {"post": 1.0}), "another bank"),
        (RankerMeaning("f0", BANK, {"post": 2.0}), "other weights"),
        (RankerMeaning("f0", BANK, {"post": 1.0}, "dynprof-ranker/0"), "another version"),
    ],
)
def test_a_model_for_something_else_is_refused_by_reason(tmp_path: Path, other: RankerMeaning, why: str) -> None:
    workspace = Workspace(tmp_path)
    saved(workspace, "m", other)
    assert why in unfit(load_model_manifest(workspace), MEANING)
    with pytest.raises(FingerprintError, match=why):
        latest_model(workspace, MEANING)


def load_model_manifest(workspace: Workspace) -> dict:
    return workspace.require_manifest("models", "m", made_by="train")


def test_features_of_another_version_are_not_scored(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    saved(workspace, "m", RankerMeaning("f0", BANK, {}, "dynprof-ranker/0"))
    with pytest.raises(FingerprintError, match="dynprof-ranker/0"):
        load_model(workspace, "m")


def test_a_models_name_says_all_that_changes_it() -> None:
    names = {
        model_name(meaning, corpus, training)
        for meaning in (MEANING, RankerMeaning("f0", Bank((1.0,)), {}))
        for corpus in ("a", "b")
        for training in ({"seed": 0}, {"seed": 1})
    }
    assert len(names) == 8
