"""SASRec and HSTU of RecTools, in an environment of their own: from `sequences.parquet` to vectors of items and tests.

RecTools needs numpy 1 and pandas 2, so nothing of dynprof is imported here; Parquet files lie between (columns in
`dynprof/baselines/outside.py`). `make rectools` makes the environment:

    .venv-rectools/bin/python extras/rectools_models.py --exchange DIR --model SASRec

Writes DIR/<model>/items.parquet, answers.parquet and, last, model.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import HSTUModel, SASRecModel

MODELS = {"SASRec": SASRecModel, "HSTU": HSTUModel}
PACKAGES = ("rectools", "torch", "pytorch-lightning", "numpy", "pandas")


class BestWeights(Callback):  # type: ignore[misc]
    """Keeps the weights of the epoch with the least loss on the held-out events, and stops when it no longer falls."""

    def __init__(self, patience: int) -> None:
        self.patience, self.best = patience, float("inf")
        self.losses: list[float] = []
        self.weights: dict[str, torch.Tensor] = {}

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: Any) -> None:
        """After each epoch."""
        if trainer.sanity_checking:
            return
        loss = float(trainer.callback_metrics["val_loss"])
        self.losses.append(round(loss, 5))
        print(f"epoch={len(self.losses)} val_loss={loss:.5f}", file=sys.stderr, flush=True)
        if loss < self.best:
            self.best, self.weights = loss, copy.deepcopy(pl_module.torch_model.state_dict())
        if len(self.losses) - 1 - int(np.argmin(self.losses)) >= self.patience:
            trainer.should_stop = True


def pieces(sequences: pd.DataFrame, longest: int) -> pd.DataFrame:
    """Interactions with each user's sequence cut into pieces of `longest` + 1 events, neighbours sharing one.

    RecTools trains on the end of every sequence only; cut this way it sees every event follow the one before it. The
    newest piece of a user is full, and named `newest`; a piece has at least two events.
    """
    size = sequences.groupby("user")["item"].transform("size").to_numpy()
    from_end = size - 1 - sequences.groupby("user").cumcount().to_numpy()
    piece = np.maximum(from_end - 1, 0) // longest  # from_end = longest begins piece 0 and ends piece 1
    frame = pd.DataFrame(
        {
            "owner": sequences["user"].to_numpy(),
            "piece": piece,
            Columns.Item: sequences["item"].to_numpy(),
            Columns.Datetime: pd.to_datetime(sequences["event_us"].to_numpy(), unit="us").astype("datetime64[ns]"),
            Columns.Weight: 1.0,
        }
    )
    shared = frame[(from_end > 0) & (from_end % longest == 0) & (from_end < size - 1)].copy()
    shared["piece"] += 1
    both = pd.concat([frame, shared]).sort_values(["owner", "piece", Columns.Datetime], kind="stable")
    both["newest"] = both["piece"] == 0
    both[Columns.User] = both.groupby(["owner", "piece"], sort=False).ngroup()
    cut: pd.DataFrame = both.reset_index(drop=True)
    return cut


def held_out(newest: set[int], interactions: pd.DataFrame) -> np.ndarray:
    """Mask of the last event of each user's newest piece: the loss on them says when to stop."""
    last = ~interactions.duplicated(Columns.User, keep="last")
    return np.asarray(last & interactions[Columns.User].isin(newest))


def train(sequences: pd.DataFrame, args: argparse.Namespace) -> tuple[Any, dict[str, Any]]:
    """The fitted model and what is to be said of its training."""
    cut = pieces(sequences, args.longest)
    dataset = Dataset.construct(cut[[Columns.User, Columns.Item, Columns.Weight, Columns.Datetime]])
    newest = set(cut.loc[cut["newest"], Columns.User].tolist())
    best = BestWeights(args.patience)
    start = time.perf_counter()

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=args.epochs,
            max_time={"seconds": args.most_seconds},
            num_sanity_val_steps=0,
            enable_progress_bar=False,
            enable_model_summary=False,
            enable_checkpointing=False,
            logger=False,
            accelerator="auto",
            devices=1,
            callbacks=[best],
        )

    model = MODELS[args.model](
        n_factors=args.factors,
        n_blocks=2,
        n_heads=4,
        session_max_len=args.longest,
        loss="sampled_softmax",
        n_negatives=args.negatives,
        lr=args.learning_rate,
        batch_size=args.batch,
        epochs=args.epochs,
        get_val_mask_func=lambda interactions: held_out(newest, interactions),
        get_trainer_func=trainer,
    )
    model.fit(dataset)
    # deepcopy: RecTools trains with a copy of the trainer, and with it a copy of the callback
    best = next(c for c in model.fit_trainer.callbacks if isinstance(c, BestWeights))
    if best.weights:
        model.lightning_model.torch_model.load_state_dict(best.weights)
    seconds = time.perf_counter() - start
    facts = {"epochs": len(best.losses), "val_loss": best.losses, "train_s": round(seconds, 1)}
    return model, {
        **facts,
        "stopped_by_time": seconds >= args.most_seconds,
        "n_pieces": int(cut[Columns.User].nunique()),
    }


def answer(model: Any, questions: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Vectors of the items that the model knows, and of the questions that have one of them."""
    lengths = np.diff(questions["items"].combine_chunks().offsets.to_numpy())
    asked = pd.DataFrame(
        {
            Columns.User: np.repeat(questions["question"].to_numpy(), lengths),
            Columns.Item: questions["items"].combine_chunks().flatten().to_numpy(),
            Columns.Weight: 1.0,
            Columns.Datetime: as_times(questions["times_us"].combine_chunks().flatten().to_numpy()),
        }
    )
    users = asked[Columns.User].unique()
    now = dict(zip(questions["question"].to_pylist(), questions["event_us"].to_pylist(), strict=True))
    times = as_times(np.array([now[u] for u in users], np.int64))
    context = pd.DataFrame({Columns.User: users, Columns.Weight: 1.0, Columns.Datetime: times})
    prepared = model.data_preparator
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*considered cold.*")  # they get no answer
        seen = prepared.transform_dataset_u2i(
            Dataset.construct(asked), users, context if model.require_recommend_context else None
        )
    loader = prepared.get_dataloader_recommend(seen, 256)
    tests, items = model.lightning_model._get_user_item_embeddings(loader, None)
    skipped = prepared.n_item_extra_tokens
    return (
        vectors("item", prepared.item_id_map.get_external_sorted_by_internal()[skipped:], items[skipped:]),
        vectors("question", seen.user_id_map.external_ids, tests),
    )


def as_times(microseconds: np.ndarray) -> Any:
    """Nanoseconds: RecTools divides their integers by a billion, whatever their unit."""
    return pd.to_datetime(microseconds, unit="us").astype("datetime64[ns]")


def vectors(name: str, ids: np.ndarray, matrix: torch.Tensor) -> pa.Table:
    """A table of ids and float32 vectors."""
    flat = pa.array(matrix.detach().cpu().numpy().astype(np.float32).reshape(-1))
    lists = pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])
    return pa.table({name: np.asarray(ids, np.int64), "vector": lists})


def main() -> None:
    """Parse flags, train, answer."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--exchange", type=Path, required=True)
    made.add_argument("--model", choices=list(MODELS), required=True)
    made.add_argument("--longest", type=int, default=100, help="events that the model looks at")
    made.add_argument("--factors", type=int, default=128)
    made.add_argument("--negatives", type=int, default=64)
    made.add_argument("--batch", type=int, default=64)
    made.add_argument("--learning-rate", type=float, default=1e-3)
    made.add_argument("--epochs", type=int, default=30, help="at most")
    made.add_argument("--patience", type=int, default=3, help="epochs without a better loss on the held-out events")
    made.add_argument("--most-seconds", type=int, default=3_600, help="training stops then, and keeps the best so far")
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    seed_everything(args.seed)
    sequences = pq.read_table(args.exchange / "sequences.parquet").to_pandas()
    model, facts = train(sequences.sort_values(["user", "event_us"], kind="stable"), args)
    items, answers = answer(model, pq.read_table(args.exchange / "questions.parquet"))
    folder = args.exchange / args.model
    folder.mkdir(exist_ok=True)
    pq.write_table(items, folder / "items.parquet")
    pq.write_table(answers, folder / "answers.parquet")
    parameters = {k: v for k, v in vars(args).items() if k not in ("exchange", "model")}
    document = {"model": args.model, "parameters": parameters, **facts, "versions": {p: version(p) for p in PACKAGES}}
    (folder / "model.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(document))


if __name__ == "__main__":
    main()
