"""What runs on the workers of `jobs.train`: one part of the examples; and the training loop of one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import ray.train
import ray.train.torch
import torch

from dynprof.bank import Bank
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.ranker.examples import make_examples
from dynprof.ranker.fit import FitOptions, Fitting, Share, fit
from dynprof.ranker.plan import TrainingPlan
from dynprof.ranker.questions import Questions
from dynprof.ranker.traces import Tags, Traces
from dynprof.ranker.training_files import TrainingFiles
from dynprof.workspace import Workspace

__all__ = ["Material", "describe_part", "training_loop"]


@dataclass(frozen=True)
class Material:
    """What all parts are made of; put into the object store once, where arrays are shared and not copied."""

    log: EventLog
    tags: Tags
    vectors: ItemVectors
    bank: Bank
    plan: TrainingPlan


def describe_part(batch: dict[str, Any], *, material: Sequence[ray.ObjectRef], files: TrainingFiles) -> dict[str, Any]:
    """Candidates and features of one part, to its file; nothing where the file is there."""
    part: dict[str, Any] = batch["part"][0]
    if not files.has_examples(part["name"]):
        of: Material = ray.get(material[0])
        tests = (of.plan.train if part["role"] == "train" else of.plan.validation).take(slice(*part["rows"]))
        questions = Questions(of.log, Traces.of(of.log, of.tags), of.vectors, of.bank)
        files.write_examples(part["name"], make_examples(questions, tests))
    return {"part": [part["name"]]}


def training_loop(config: Mapping[str, Any]) -> None:
    """Fit in step with the other processes, from the state that is on disk; process 0 writes it after every epoch."""
    files = TrainingFiles(Workspace(config["workspace"]), config["name"], config["digest"])
    context = ray.train.get_context()
    share = Share(
        context.get_world_rank(), context.get_world_size(), ray.train.torch.get_device(), ray.train.torch.prepare_model
    )

    def after_epoch(fitting: Fitting) -> None:
        if share.rank == 0:
            files.write_state(fitting.state())
        ray.train.report(fitting.curve[-1])  # waits for the others: nobody starts an epoch before the state is written

    torch.set_num_threads(config["threads"])
    train, validation = files.read_examples("train"), files.read_examples("validation")
    options = FitOptions(**config["fit"])
    fit(train, validation, options, share=share, state=files.read_state(), on_epoch=after_epoch)
