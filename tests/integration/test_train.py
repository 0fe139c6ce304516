"""The job writes a model that is whole, goes on where it was killed, and comes to the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ranker_world import make_following_world
from serving_world import DAY_US, START_US, World, event, make_world

from dynprof.errors import ConfigError
from dynprof.ranker.fit import fit
from dynprof.ranker.model import load_model
from dynprof.ranker.training_files import TrainingFiles
from jobs import train as job
from jobs.train import TrainOptions, main, train


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_following_world(tmp_path_factory.mktemp("train"), n_items=200)


class KilledError(Exception):
    """Stands in for the signal that ends a driver."""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As a worker has: how sums are split shows in the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("ray_session", "one_thread")
def test_a_killed_training_goes_on_and_ends_with_the_model_of_one_that_was_not(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ["--workspace", world.workspace.uri, "--name", "m", "--train-events", "300", "--validation-events", "80"]
    flags += ["--epochs", "3", "--hidden", "8", "--batch", "32"]
    whole: dict[str, Any] = {}

    def killed(files: TrainingFiles, options: TrainOptions) -> None:
        """One epoch is done and on disk; beside it, what a fit comes to that is left alone."""
        train, validation = files.read_examples("train"), files.read_examples("validation")
        whole.update(fit(train, validation, options.fit).best_weights())

        def stop(fitting: Any) -> None:
            files.write_state(fitting.state())
            raise KilledError

        fit(train, validation, options.fit, on_epoch=stop)

    with monkeypatch.context() as patched:
        patched.setattr(job, "_fit", killed)
        with pytest.raises(KilledError):
            main(flags)
    assert world.workspace.read_manifest("models", "m") is None, "a half-trained model is absent"
    summary = main(flags)
    assert json.loads(json.dumps(summary))["job"] == "train" and not summary["done_before"]
    assert summary["n_train"] == 300 and summary["ndcg@10"] > 0.2
    manifest = load_model(world.workspace, "m").manifest
    assert [line["epoch"] for line in manifest["curve"]] == [0, 1, 2] and summary["epochs"] == 3
    assert (manifest["snapshot"], manifest["fingerprint"]) == (world.snapshot, world.spec.fingerprint)
    found = np.load(world.workspace.path("models", "m", "weights.npz"))
    assert sorted(found.files) == sorted(whole) and all(np.array_equal(found[key], whole[key]) for key in whole)
    assert world.workspace.folders("models", "m") == [], "nothing of the training is left"
    assert main(flags)["done_before"]


def test_flags_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ConfigError, match="holdout"):
        TrainOptions(holdout_share=1.0)
    with pytest.raises(ConfigError, match="workers"):
        TrainOptions(workers=0)


def test_where_nobody_meets_what_others_met_there_is_nothing_to_learn(tmp_path: Path) -> None:
    own = [event(f"user-{i % 3}", f"e{i}", f"goal number {i}", START_US + i * DAY_US) for i in range(30)]
    with pytest.raises(ConfigError, match=r"found 0 and 0.*too small for a ranker"):
        train(make_world(tmp_path, own).workspace, TrainOptions())
