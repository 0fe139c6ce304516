"""The network as it is trained: one candidate's features in, one score out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from dynprof.ranker.scorer import MOST_DEVIATIONS, Scorer

__all__ = ["HIDDEN", "Scaling", "make_network", "scorer_of", "weights_of"]

HIDDEN = 64
_DROPOUT = 0.1


class Scaling(nn.Module):
    """Features less their mean, over their deviation, cut off; learned from the training examples, not trained.

    Args:
        n_features: Number of columns.
    """

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features))
        self.register_buffer("deviation", torch.ones(n_features))

    def learn(self, features: npt.NDArray[np.float32]) -> None:
        """From (m, features); a column that never changes is told nothing by its deviation and gets 1."""
        mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
        self.mean.copy_(torch.from_numpy(mean))
        self.deviation.copy_(torch.from_numpy(np.where(deviation > 1e-6, deviation, 1.0)))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(m, features)."""
        return torch.clamp((features - self.mean) / self.deviation, -MOST_DEVIATIONS, MOST_DEVIATIONS)


def make_network(n_features: int, *, hidden: int = HIDDEN, seed: int = 0) -> nn.Sequential:
    """A network of two hidden layers with LayerNorm; equal seeds give equal weights. `Scorer` knows its layers."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            Scaling(n_features),
            nn.Linear(n_features, hidden),
            nn.LayerNorm(hidden),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(hidden, hidden),
            nn.LayerNorm(hidden),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(hidden, 1),
        )


def weights_of(network: nn.Module) -> dict[str, npt.NDArray[np.float32]]:
    """All arrays of a network, by name."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def scorer_of(network: nn.Module) -> Scorer:
    """What scores as the network does now, without dropout."""
    return Scorer(weights_of(network))
