"""A trained network without PyTorch: what a server and an evaluation need of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.special import erf

__all__ = ["MOST_DEVIATIONS", "Scorer"]

FloatArray = npt.NDArray[np.float64]

MOST_DEVIATIONS = 6.0
"""Features are cut off so many standard deviations from their mean: what lies beyond says "very", and how far is an
accident."""

_EPSILON = 1e-5  # of torch.nn.LayerNorm
_ROWS_AT_ONCE = 16_384


class Scorer:
    """Scores candidates by their features.

    Args:
        weights: Of `network.make_network`, by the names that its `state_dict` gives.
    """

    def __init__(self, weights: Mapping[str, npt.NDArray[np.floating]]) -> None:
        self._weights = {name: np.asarray(array, np.float64) for name, array in weights.items()}

    @property
    def n_features(self) -> int:
        """Number of columns that it takes."""
        return len(self._weights["0.mean"])

    def score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """(m,) score of each of (m, features).

        Computed in float64 and rounded: how many rows are asked for at once shows in no score.
        """
        parts = [self._score(features[i : i + _ROWS_AT_ONCE]) for i in range(0, len(features), _ROWS_AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def _score(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        w = self._weights
        scaled = (features - w["0.mean"]) / w["0.deviation"]
        hidden = np.clip(scaled, -MOST_DEVIATIONS, MOST_DEVIATIONS)
        for linear, norm in (("1", "2"), ("5", "6")):
            hidden = _gelu(self._normed(self._linear(hidden, linear), norm))
        return self._linear(hidden, "9")[:, 0].astype(np.float32)

    def _linear(self, values: FloatArray, layer: str) -> FloatArray:
        return np.asarray(values @ self._weights[f"{layer}.weight"].T + self._weights[f"{layer}.bias"], np.float64)

    def _normed(self, values: FloatArray, layer: str) -> FloatArray:
        centred = values - values.mean(axis=1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=1, keepdims=True) + _EPSILON)
        return np.asarray(centred / spread * self._weights[f"{layer}.weight"] + self._weights[f"{layer}.bias"])


def _gelu(values: FloatArray) -> FloatArray:
    return np.asarray(0.5 * values * (1 + erf(values / np.sqrt(2))))
