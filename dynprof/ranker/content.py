"""What a profile says of items: one vector for every half-life of the bank, and the last text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.bank import Bank
from dynprof.decay import Decay
from dynprof.duration import format_duration

__all__ = ["Content", "bank_decays", "nearest_columns"]


def bank_decays(bank: Bank) -> tuple[Decay, ...]:
    """The decays whose profiles the ranker looks at: one an entry of the bank, `static` last."""
    return (*(Decay("exponential", format_duration(h)) for h in bank.half_lives_s), Decay("static"))


def nearest_columns(bank: Bank, half_lives_d: tuple[float, ...]) -> list[int]:
    """The entries of a bank that are nearest, as a ratio, to some half-lives in days."""
    own = np.log(np.asarray(bank.half_lives_s) / 86_400)
    return [int(np.abs(own - np.log(h)).argmin()) for h in half_lives_d]


@dataclass(frozen=True)
class Content:
    """The vectors of one user as of a time.

    Attributes:
        vectors: (K + 1, dim) float32 norm 1 (or 0): the direction of the profile at each half-life of the bank, without
            a prior; last, the vector of the last item of the user's past.
        masses: (K,) sum |w| f.
    """

    vectors: npt.NDArray[np.float32]
    masses: npt.NDArray[np.float64]

    @classmethod
    def of(
        cls, profiles: npt.NDArray[np.floating], masses: npt.NDArray[np.float64], last: npt.NDArray[np.floating] | None
    ) -> Content:
        """From (K, dim) profiles of any length, their (K,) masses and the vector of the last item, if there is one."""
        dim = profiles.shape[1]
        stacked = np.vstack([profiles, np.zeros(dim) if last is None else last]).astype(np.float64)
        norms = np.linalg.norm(stacked, axis=1, keepdims=True)
        return cls(np.divide(stacked, norms, out=np.zeros_like(stacked), where=norms > 1e-9).astype(np.float32), masses)

    def with_last(self, last: npt.NDArray[np.floating]) -> Content:
        """The same with another last item: (1, dim) its vector, or (0, dim) for none."""
        return Content.of(self.vectors[:-1], self.masses, last[0] if len(last) else None)

    def cosines(self, vectors: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        """(n, K + 1) with (n, dim) vectors of items, norm 1 (or 0) up to rounding of fp16.

        In float64, so that what else is asked for does not show in a number.
        """
        wide = vectors.astype(np.float64)
        norms = np.linalg.norm(wide, axis=1, keepdims=True)
        return np.asarray((wide @ self.vectors.T.astype(np.float64)) / np.where(norms > 0, norms, 1), np.float64)
