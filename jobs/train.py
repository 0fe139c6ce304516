"""Train the ranker of a snapshot: `python -m jobs.train`. A killed training goes on where it was.

Examples are made by Ray Data, a task a part; the network is fitted by Ray Train, on one process or several, CPU or GPU.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from dynprof.errors import ConfigError
from dynprof.evaluation.protocol import last_window
from dynprof.ranker.fit import FitOptions
from dynprof.ranker.model import MODELS, RankerMeaning, model_name, save_model
from dynprof.ranker.plan import TrainingPlan, TrainingSize, plan_training
from dynprof.ranker.reading import read_item_vectors, read_log, read_tags
from dynprof.ranker.trace_files import ensure_traces
from dynprof.ranker.training_files import TrainingFiles
from dynprof.snapshot import format_time_us
from dynprof.store import LATEST, SnapshotStore
from dynprof.workspace import Workspace
from jobs.command import Stopwatch, parser, ray_session, run, start_logging
from jobs.stages import collect, parts_of
from jobs.train_tasks import Material, describe_part, training_loop

__all__ = ["TrainOptions", "train"]

LOG = logging.getLogger("dynprof.train")

_EVENTS_A_PART = 1_000
_POLL_S = 1.0
_RESTARTS = 3  # of workers that died


@dataclass(frozen=True)
class TrainOptions:
    """What to train on and how.

    Attributes:
        snapshot: Whose corpus, encoder and bank.
        name: Of the model; None: of all that changes it.
        holdout_share: The last such share of the events is not looked at; 0 trains for serving.
        size: How much of the rest.
        fit: How.
        workers: Processes that fit together.
        cpus: Of each.
        gpu: Whether each has one.
        force: Train again what is there.
    """

    snapshot: str = LATEST
    name: str | None = None
    holdout_share: float = 0.0
    size: TrainingSize = field(default_factory=TrainingSize)
    fit: FitOptions = field(default_factory=FitOptions)
    workers: int = 1
    cpus: int = 1
    gpu: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.holdout_share < 1:
            raise ConfigError(f"--holdout-share: expected a share in [0, 1), found {self.holdout_share}.")
        if min(self.workers, self.cpus) < 1:
            raise ConfigError(f"--workers, --cpus: expected numbers >= 1, found {self.workers} and {self.cpus}.")


def train(workspace: Workspace, options: TrainOptions) -> dict[str, Any]:
    """Write `models/<name>/`; a model that stands there already is only returned.

    Returns:
        Its manifest with `model` (the name) and `done_before`.

    Raises:
        ConfigError: A flag that means nothing, or there is nothing to learn from.
        SnapshotNotFoundError: No finished snapshot of that name.
        WorkspaceError: The corpus or the embeddings are not those of the snapshot, or incomplete.
    """
    store = SnapshotStore(workspace, options.snapshot)
    meaning = RankerMeaning(store.spec.fingerprint, store.spec.bank, store.spec.type_weights)
    training = {
        "as_of_us": store.spec.as_of_us,
        "holdout_share": options.holdout_share,
        "workers": options.workers,
        **asdict(options.size),
        **asdict(options.fit),
    }
    said = model_name(meaning, store.corpus.corpus_id, training)
    name = options.name or said
    before = workspace.read_manifest(MODELS, name)
    if before is not None and not options.force:
        LOG.info("model=%s finished before, nothing to do", name)
        return {**before, "model": name, "done_before": True}
    if before is not None:
        workspace.remove(MODELS, name)
    files = TrainingFiles(workspace, name, said.rpartition("-")[2])
    watch = Stopwatch()
    with watch.stage("read"):
        material = _material(store, options)
    with ray_session():
        with watch.stage("examples"):
            _make_examples(files, material)
        with watch.stage("fit"):
            _fit(files, options)
    best = (files.read_state() or {})["best"]
    about = {"snapshot": store.name, "corpus_id": store.corpus.corpus_id, "training": training}
    about |= _learned(files, material.plan)
    with watch.stage("traces"):
        ensure_traces(store)
    manifest = save_model(workspace, name, meaning, {k: v.numpy() for k, v in best.items()}, about)
    files.remove()
    return {**manifest, "model": name, "done_before": False, "seconds": watch.seconds}


def _material(store: SnapshotStore, options: TrainOptions) -> Material:
    """All that examples are made of; nothing at or after the snapshot's time or the beginning of what is held out."""
    log, names = read_log(store.workspace, store.corpus, store.spec.type_weights)
    tags = read_tags(store.workspace, store.corpus, names)
    vectors = read_item_vectors(store.workspace, store.spec.fingerprint, store.corpus, names)
    log = log.before(store.spec.as_of_us)
    if options.holdout_share > 0:
        log = log.before(last_window(log, options.holdout_share).start_us)
    plan = plan_training(log, options.size)
    LOG.info("events=%d items=%d train=%d validation=%d", len(log), log.n_items, len(plan.train), len(plan.validation))
    if not len(plan.train) or not len(plan.validation):
        raise ConfigError(
            "train: expected events to learn from before the validation window and events in it, found "
            f"{len(plan.train)} and {len(plan.validation)}: events whose item appeared strictly before them. The "
            "corpus is too small for a ranker, nobody meets what others met, or all events have one time."
        )
    return Material(log, tags, vectors, store.spec.bank, plan)


def _make_examples(files: TrainingFiles, material: Material) -> None:
    parts = [*_parts("train", len(material.plan.train)), *_parts("validation", len(material.plan.validation))]
    missing = [part for part in parts if not files.has_examples(part["name"])]
    if missing:
        make = partial(describe_part, material=[ray.put(material)], files=files)
        collect(parts_of(missing).map_batches(make, batch_size=None, batch_format="numpy"))
    LOG.info("parts=%d made=%d", len(parts), len(missing))


def _parts(role: str, n_events: int) -> list[dict[str, Any]]:
    starts = range(0, n_events, _EVENTS_A_PART)
    return [{"name": f"{role}-{i:05d}", "role": role, "rows": (s, s + _EVENTS_A_PART)} for i, s in enumerate(starts)]


def _fit(files: TrainingFiles, options: TrainOptions) -> None:
    """One `training_loop` a worker. A worker that dies is started again and takes up the last epoch's state."""
    workspace, folder = files.workspace, files.folder
    config = {
        "workspace": workspace.uri,
        "name": folder[1],
        "digest": folder[2].partition("-")[2],
        "threads": options.cpus,
        "fit": asdict(options.fit),
    }
    workspace.filesystem.create_dir(workspace.path(*folder, "ray"))
    trainer = TorchTrainer(
        training_loop,
        train_loop_config=config,
        scaling_config=ScalingConfig(
            num_workers=options.workers, use_gpu=options.gpu, resources_per_worker=_resources(options)
        ),
        run_config=RunConfig(
            name=f"run-{uuid.uuid4().hex}",  # Ray Train would take up one of the same name: ours is the state on disk
            storage_path=workspace.path(*folder, "ray"),
            storage_filesystem=workspace.filesystem,
            failure_config=FailureConfig(max_failures=_RESTARTS),
        ),
    )
    with _progress(files):
        trainer.fit()


def _resources(options: TrainOptions) -> dict[str, float]:
    return {"CPU": options.cpus, "GPU": 1} if options.gpu else {"CPU": options.cpus}


@contextmanager
def _progress(files: TrainingFiles) -> Iterator[None]:
    """Log a line of the learning curve when it is written; the workers' own logs stay on their machines."""
    ended = threading.Event()

    def follow() -> None:
        shown = len(files.read_curve())
        while True:
            last = ended.wait(_POLL_S)
            for line in files.read_curve()[shown:]:
                LOG.info("epoch=%d loss=%.4f ndcg@10=%.4f hit_rate@10=%.4f", *line.values())
                shown += 1
            if last:
                return

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _learned(files: TrainingFiles, plan: TrainingPlan) -> dict[str, Any]:
    """What the manifest says of the training."""
    curve, found = files.read_curve(), {}
    for role, n_events in (("train", len(plan.train)), ("validation", len(plan.validation))):
        n_hit, n_candidates = 0, 0
        for part in files.iter_examples(role):
            n_hit += int((part.targets >= 0).sum())
            n_candidates += len(part.features)
        found[role] = {"recall": round(n_hit / n_events, 4), "candidates": round(n_candidates / n_events, 1)}
    return {
        "until_us": plan.window.stop_us,
        "window": [format_time_us(plan.window.start_us), format_time_us(plan.window.stop_us)],
        "n_train": len(plan.train),
        "n_validation": len(plan.validation),
        "recall": {role: of["recall"] for role, of in found.items()},
        "candidates": {role: of["candidates"] for role, of in found.items()},
        "curve": curve,
        "best_epoch": max(range(len(curve)), key=lambda i: (curve[i]["ndcg@10"], -i)),
    }


def add_flags(made: argparse.ArgumentParser) -> None:
    """The flags of the training itself."""
    size, fit = TrainingSize(), FitOptions()
    made.add_argument("--snapshot", default=LATEST, metavar="NAME", help="whose corpus, encoder and bank")
    made.add_argument("--name", help="of the model (default: made of all that changes it)")
    made.add_argument("--holdout-share", type=float, default=0.0, help="last share of the events not to look at")
    made.add_argument("--validation-share", type=float, default=size.validation_share, help="last share of the rest")
    made.add_argument("--train-events", type=int, default=size.train_events, help="most events to learn from")
    made.add_argument("--recent", type=float, default=size.recent, help="drawn from the latest so many times as many")
    made.add_argument("--validation-events", type=int, default=size.validation_events, help="most to stop by")
    made.add_argument("--epochs", type=int, default=fit.epochs, help="most passes over the events")
    made.add_argument("--patience", type=int, default=fit.patience, help="epochs without a better validation")
    made.add_argument("--batch", type=int, default=fit.batch, help="events a step")
    made.add_argument("--learning-rate", type=float, default=fit.learning_rate, help="largest")
    made.add_argument("--weight-decay", type=float, default=fit.weight_decay, help="of AdamW")
    made.add_argument("--hidden", type=int, default=fit.hidden, help="width of the network")
    made.add_argument("--seed", type=int, default=fit.seed, help="of samples, weights, order and dropout")
    made.add_argument("--workers", type=int, default=1, help="processes that fit together")
    made.add_argument("--cpus", type=int, default=1, help="of each, also its threads")
    made.add_argument("--gpu", action="store_true", help="one for each process")
    made.add_argument("--force", action="store_true", help="train again what is there")


def options_from(args: argparse.Namespace) -> TrainOptions:
    """The flags of `add_flags` as options."""
    size = TrainingSize(args.train_events, args.recent, args.validation_events, args.validation_share, args.seed)
    fit = FitOptions(
        args.epochs, args.patience, args.batch, args.learning_rate, args.weight_decay, args.hidden, args.seed
    )
    return TrainOptions(
        args.snapshot, args.name, args.holdout_share, size, fit, args.workers, args.cpus, args.gpu, args.force
    )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Parse flags, train, summarise."""
    made = parser("train", "Train the ranker of a snapshot on what users met next.")
    made.add_argument("--workspace", required=True, help="folder or URI of the workspace")
    add_flags(made)
    args = made.parse_args(argv)
    start_logging(args.log_level)
    found = train(Workspace(args.workspace), options_from(args))
    best = found["curve"][found["best_epoch"]]
    return {
        "job": "train",
        "workspace": args.workspace,
        **{name: found[name] for name in ("model", "snapshot", "n_train", "n_validation", "recall", "best_epoch")},
        "epochs": len(found["curve"]),
        "ndcg@10": round(best["ndcg@10"], 4),
        "hit_rate@10": round(best["hit_rate@10"], 4),
        "done_before": found["done_before"],
        "seconds": found.get("seconds", {}),
    }


if __name__ == "__main__":
    run(main, sys.argv[1:])
