"""The bank of half-lives that a state keeps its sums for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.duration import SECONDS_PER_DAY
from dynprof.errors import ConfigError

__all__ = ["DEFAULT_BANK", "Bank"]


@dataclass(frozen=True)
class Bank:
    """Half-lives h_1 < ... < h_J of the exponentials 2^(-a/h_j), followed by one that never decays.

    Args:
        half_lives_s: Seconds, rising, each > 0 and finite. The constant is implied and always last.

    Raises:
        ConfigError: Empty, not rising, or not > 0.
    """

    half_lives_s: tuple[float, ...]

    def __post_init__(self) -> None:
        h = np.asarray(self.half_lives_s, np.float64)
        if not (h.ndim == 1 and h.size and np.isfinite(h).all() and h[0] > 0 and (np.diff(h) > 0).all()):
            raise ConfigError(f"half_lives_s: expected rising finite seconds > 0, found {self.half_lives_s!r}.")

    @property
    def size(self) -> int:
        """K: the number of sums per user, the constant included."""
        return len(self.half_lives_s) + 1

    def factors(self, age_s: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """2^(-age/h_j) for each age and half-life; 1 in the last column.

        Args:
            age_s: (n,) seconds.

        Returns:
            (n, K) float64.
        """
        rates = np.append(1 / np.asarray(self.half_lives_s), 0.0)
        exponents: npt.NDArray[np.float64] = np.multiply.outer(np.asarray(age_s, np.float64), -rates)
        return np.exp2(exponents)


DEFAULT_BANK = Bank(tuple(float(h) for h in np.geomspace(0.05, 2_000, 16) * SECONDS_PER_DAY))
"""16 half-lives, about an octave apart, from 72 minutes to 2,000 days, and the constant: K = 17."""
