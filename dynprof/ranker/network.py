"""The network: one candidate's features in, one score out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

__all__ = ["HIDDEN", "Scaling", "Scorer", "make_network"]

HIDDEN = 64
_DROPOUT = 0.1
_MOST = 6.0  # standard deviations: what lies beyond says "very", and how far is an accident


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
        return torch.clamp((features - self.mean) / self.deviation, -_MOST, _MOST)


def make_network(n_features: int, *, hidden: int = HIDDEN, seed: int = 0) -> nn.Sequential:
    """A network of two hidden layers with LayerNorm; equal seeds give equal weights."""
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


class Scorer:
    """Scores out of a trained network.

    Args:
        network: As of `make_network`; it is copied.
    """

    def __init__(self, network: nn.Sequential) -> None:
        n_features, hidden = network[1].in_features, network[1].out_features
        self._network = make_network(int(n_features), hidden=int(hidden)).double().eval()  # type: ignore[arg-type]
        self._network.load_state_dict(network.state_dict())

    def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(m,) score of each of (m, features).

        Computed in float64 and rounded: how many rows are asked for at once shows in no score.
        """
        with torch.inference_mode():
            found = self._network(torch.from_numpy(features.astype(np.float64)))
        return found[:, 0].numpy().astype(np.float32)
