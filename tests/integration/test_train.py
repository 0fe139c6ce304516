"""The job writes a model that is whole, goes on where it was killed, and comes to the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ranker_world import make_following_world
from serving_world import World

from dynprof.errors import ConfigError
from dynprof.ranker.fit import FitOptions, fit
from dynprof.ranker.model import load_model
from dynprof.ranker.plan import TrainingSize
from dynprof.ranker.training_files import TrainingFiles
from jobs import train as job
from jobs.train import TrainOptions, main, train

FIT = FitOptions(epochs=3, hidden=8, batch=32)
SIZE = TrainingSize(train_events=300, validation_events=80)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_following_world(tmp_path_factory.mktemp("train"), n_items=200)


def weights(world: World, name: str) -> dict[str, Any]:
    return dict(np.load(world.workspace.path("models", name, "weights.npz")))


@pytest.mark.usefixtures("ray_session")
def test_a_model_is_trained_once_and_a_killed_training_comes_to_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--workspace", world.workspace.uri, "--train-events", "300", "--validation-events", "80"]
    flags += ["--epochs", "3", "--hidden", "8", "--batch", "32"]
    summary = main(flags)
    assert json.loads(json.dumps(summary))["job"] == "train" and not summary["done_before"]
    assert summary["n_train"] == 300 and summary["ndcg@10"] > 0.2
    whole = weights(world, summary["model"])
    manifest = load_model(world.workspace, summary["model"]).manifest
    assert len(manifest["curve"]) == summary["epochs"] == 3 and manifest["snapshot"] == world.snapshot
    assert manifest["fingerprint"] == world.spec.fingerprint
    assert world.workspace.folders("models", summary["model"]) == [], "nothing of the training is left"
    assert main(flags)["done_before"]

    real = job._fit

    def killed(files: TrainingFiles, options: TrainOptions) -> None:
        """One epoch is done and on disk."""
        torch.set_num_threads(options.cpus)  # as a worker has: how sums are split shows in the last bit

        def stop(fitting: Any) -> None:
            files.write_state(fitting.state())
            raise KeyboardInterrupt

        fit(files.read_examples("train"), files.read_examples("validation"), options.fit, on_epoch=stop)

    options = TrainOptions(name="again", size=SIZE, fit=FIT)
    monkeypatch.setattr(job, "_fit", killed)
    with pytest.raises(KeyboardInterrupt):
        train(world.workspace, options)
    assert world.workspace.read_manifest("models", "again") is None, "a half-trained model is absent"
    monkeypatch.setattr(job, "_fit", real)
    resumed = train(world.workspace, options)
    assert [line["epoch"] for line in resumed["curve"]] == [0, 1, 2]
    again = weights(world, "again")
    assert all(np.array_equal(again[key], whole[key]) for key in whole)
    capsys.readouterr()


def test_flags_that_mean_nothing_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holdout"):
        TrainOptions(holdout_share=1.0)
    with pytest.raises(ConfigError, match="workers"):
        TrainOptions(workers=0)
    few = make_following_world(tmp_path, n_items=1)
    with pytest.raises(ConfigError, match="too small for a ranker"):
        train(few.workspace, TrainOptions())
    del world
