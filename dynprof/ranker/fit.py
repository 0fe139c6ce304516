"""Fitting: softmax over the candidates of one event, epoch by epoch, until validation no longer gets better.

A fit can be stopped after any epoch and taken up from its `state`: what comes out is the same to the last bit.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dynprof.errors import ConfigError
from dynprof.evaluation.metrics import hit_rate, ndcg
from dynprof.ranker.examples import Examples
from dynprof.ranker.network import HIDDEN, make_network, scorer_of
from dynprof.ranker.scorer import Scorer

__all__ = ["FitOptions", "Fitting", "Share", "fit"]

_WARM_UP = 0.1  # share of all steps
_AT = 10


@dataclass(frozen=True)
class FitOptions:
    """How to fit.

    Attributes:
        epochs: Most passes over the examples, >= 1.
        patience: Epochs without a better NDCG@10 on validation after which to stop, >= 1.
        batch: Events a step, >= 1.
        learning_rate: Largest, > 0; warms up over a tenth of the steps and falls to 0 as half a cosine.
        weight_decay: Of AdamW, >= 0.
        hidden: Width of the network.
        seed: Of the weights, the order and the dropout.
    """

    epochs: int = 12
    patience: int = 4
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    hidden: int = HIDDEN
    seed: int = 0

    def __post_init__(self) -> None:
        counts = (self.epochs, self.patience, self.batch, self.hidden)
        if min(counts) < 1 or self.learning_rate <= 0 or self.weight_decay < 0:
            raise ConfigError(f"fit: expected counts >= 1, a learning rate > 0 and a weight decay >= 0, found {self}.")


@dataclass(frozen=True)
class Share:
    """Which part of the work this process does, of a group that steps together.

    Attributes:
        rank: Number of this process.
        world: Number of processes.
        device: Where the network is.
        wrap: Makes the gradients of all processes one mean, such as `DistributedDataParallel`.
    """

    rank: int = 0
    world: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - immutable
    wrap: Callable[[nn.Module], nn.Module] = lambda module: module


class Fitting:
    """A fit under way.

    Args:
        train: Events before the validation window; at least one whose target is a candidate.
        validation: Events of the window; at least one.
        options: How.
        share: Whose part.

    Raises:
        ConfigError: There is nothing to learn from.
    """

    def __init__(self, train: Examples, validation: Examples, options: FitOptions, share: Share | None = None) -> None:
        self._train, self._validation, self._options, self._share = train, validation, options, share or Share()
        self._known = np.flatnonzero(train.targets >= 0)
        if not len(self._known) or not len(validation):
            raise ConfigError(
                f"train: expected events whose target is a candidate and events to validate with, found "
                f"{len(self._known)} and {len(validation)}. The corpus is too small for a ranker."
            )
        self._network = make_network(train.features.shape[1], hidden=options.hidden, seed=options.seed)
        self._network[0].learn(train.features)  # type: ignore[operator]
        self._network.to(self._share.device)
        self._module = self._share.wrap(self._network)
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self._best: dict[str, torch.Tensor] = {}
        self.curve: list[dict[str, float]] = []

    @property
    def best_epoch(self) -> int:
        """Number in `curve` of the epoch with the best validation, the earliest of equal ones; -1 before the first."""
        return int(np.argmax([e["ndcg@10"] for e in self.curve])) if self.curve else -1

    @property
    def is_done(self) -> bool:
        """Whether another epoch is neither wanted nor allowed."""
        n = len(self.curve)
        return n >= self._options.epochs or (n > 0 and n - 1 - self.best_epoch >= self._options.patience)

    def run_epoch(self) -> dict[str, float]:
        """One pass over the examples, and what validation says after it: a line of `curve`."""
        loss = self._pass_over(len(self.curve))
        scores = scorer_of(self._network).score(self._validation.features)
        above, tied = self._validation.ranks(scores)
        line = {
            "epoch": float(len(self.curve)),
            "loss": loss,
            "ndcg@10": float(ndcg(above, tied, _AT).mean()),
            "hit_rate@10": float(hit_rate(above, tied, _AT).mean()),
        }
        self.curve.append(line)
        if self.best_epoch == len(self.curve) - 1:
            self._best = {k: v.detach().cpu().clone() for k, v in self._network.state_dict().items()}
        return line

    def best_network(self) -> Scorer:
        """The network of the best epoch."""
        return Scorer(self.best_weights())

    def best_weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Of the best epoch, by name."""
        return {name: tensor.numpy() for name, tensor in self._best.items()}

    def state(self) -> dict[str, Any]:
        """All that `restore` needs; for `torch.save`."""
        return copy.deepcopy(
            {
                "network": self._network.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "best": self._best,
                "curve": self.curve,
            }
        )

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` gave for the same examples and options."""
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._best, self.curve = dict(state["best"]), list(state["curve"])

    def _pass_over(self, epoch: int) -> float:
        """Steps over all events in an order of the epoch's own; the mean loss."""
        options, share = self._options, self._share
        order = np.random.default_rng([options.seed, epoch]).permutation(self._known)
        batches = [order[i : i + options.batch] for i in range(0, len(order), options.batch)]
        self._module.train()
        total = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(hash((options.seed, epoch, share.rank)) % (1 << 31))
            for number, batch in enumerate(batches):
                rate = self._rate(epoch * len(batches) + number, options.epochs * len(batches))
                for group in self._optimizer.param_groups:
                    group["lr"] = rate
                self._optimizer.zero_grad()
                loss = self._loss(batch[share.rank :: share.world]) / len(batch)
                (loss * share.world).backward()  # type: ignore[no-untyped-call]  # gradients of the group are averaged
                self._optimizer.step()
                total += float(loss.detach()) * len(batch)
        return total / len(order) * share.world  # of this process' part, which is one in `world`

    def _rate(self, step: int, n_steps: int) -> float:
        warm = max(1, int(_WARM_UP * n_steps))
        return (
            self._options.learning_rate * min(1.0, (step + 1) / warm) * 0.5 * (1 + math.cos(math.pi * step / n_steps))
        )

    def _loss(self, events: npt.NDArray[np.int64]) -> torch.Tensor:
        """Sum over events of minus the log of the target's share in the softmax over the event's candidates."""
        starts, counts = self._train.starts, self._train.counts[events]
        owner = np.repeat(np.arange(len(events)), counts)
        column = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = starts[events][owner] + column if len(events) else np.empty(0, np.int64)
        device = self._share.device
        scores: torch.Tensor = self._module(torch.from_numpy(self._train.features[rows]).to(device))[:, 0]
        if not len(events):
            return scores.sum()  # nothing to add, but the others wait for the gradients
        padded = torch.full((len(events), int(counts.max())), -torch.inf, device=device)
        padded[torch.from_numpy(owner).to(device), torch.from_numpy(column).to(device)] = scores
        targets = torch.from_numpy(self._train.targets[events]).to(device)
        return nn.functional.cross_entropy(padded, targets, reduction="sum")


def fit(
    train: Examples,
    validation: Examples,
    options: FitOptions | None = None,
    *,
    share: Share | None = None,
    state: Mapping[str, Any] | None = None,
    on_epoch: Callable[[Fitting], None] = lambda _: None,
) -> Fitting:
    """Fit to the end.

    Args:
        train: See `Fitting`.
        validation: See `Fitting`.
        options: How.
        share: Of a group of processes.
        state: Of a fit that was stopped, to go on from.
        on_epoch: Told after every epoch; what it raises ends the fit.

    Raises:
        ConfigError: There is nothing to learn from.
    """
    fitting = Fitting(train, validation, options or FitOptions(), share)
    if state is not None:
        fitting.restore(state)
    while not fitting.is_done:
        fitting.run_epoch()
        on_epoch(fitting)
    return fitting
