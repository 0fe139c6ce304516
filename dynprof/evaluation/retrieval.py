"""What is asked of the candidates: profiles, how items age, and the exact score of the target.

Scores come from a float32 product; wherever rounding could decide, the score is computed again in float64, where a
cosine has no rounding at all: vectors are fp16, so multiples of 2^-24, profiles are rounded to multiples of 2^-24, and
a sum of such products of two unit vectors fits in 53 bits. So a rank or a list does not depend on blocks, shards,
threads or machine, and equal vectors tie.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dynprof.profile import MICROSECONDS

__all__ = ["Queries", "Ranks", "ask", "time_score"]

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

_GRID = 2.0**24


@dataclass(frozen=True)
class Ranks:
    """Place of the target for n test events and m methods: in random order of ties, uniform on above + 1 to
    above + tied + 1.

    Attributes:
        above: (n, m) int64 number of candidates with a greater score.
        tied: (n, m) int64 number of other candidates with an equal score.
    """

    above: IntArray
    tied: IntArray

    def __add__(self, other: Ranks) -> Ranks:
        return Ranks(self.above + other.above, self.tied + other.tied)

    def __sub__(self, other: Ranks) -> Ranks:
        return Ranks(self.above - other.above, self.tied - other.tied)

    @classmethod
    def zeros(cls, shape: tuple[int, int]) -> Ranks:
        """No candidates."""
        return cls(np.zeros(shape, np.int64), np.zeros(shape, np.int64))


@dataclass(frozen=True)
class Queries:
    """n test events under m profiles, each judged by c clocks: the columns of ranks are profile x c + clock.

    Attributes:
        profiles: (n, m, dim) float32, unit vectors of multiples of 2^-24, or zeros.
        cosines: (n, m) float64 exact cosine of the target.
        event_us: (n,) time of the test event, from which the age of items counts.
        target_us: (n,) time of the target's first event.
        clocks: Half-life of items in seconds; None: a plain cosine.
    """

    profiles: npt.NDArray[np.float32]
    cosines: FloatArray
    event_us: IntArray
    target_us: IntArray
    clocks: tuple[float | None, ...] = (None,)

    def __len__(self) -> int:
        return len(self.profiles)

    @property
    def n_columns(self) -> int:
        """Number of columns of ranks."""
        return self.profiles.shape[1] * len(self.clocks)

    @property
    def silent(self) -> npt.NDArray[np.bool_]:
        """(n, m) True for profiles of zeros: their cosines tie all candidates."""
        return np.asarray(~self.profiles.any(axis=2))

    @property
    def slack(self) -> float:
        """How far a float32 cosine, or a threshold for one, can be from the exact one."""
        # Product and sum of `dim` terms round by at most dim * 2^-24 of |p| |x| <= 1.001. A threshold is below 2.1 and
        # rounds with its exponent, of at most 64: 2.1 * ln 2 * 64 * 2^-24. The rest is for the bounds themselves.
        return float((self.profiles.shape[2] + 256) * 2.0**-24)

    def take(self, rows: npt.NDArray[np.integer] | slice) -> Queries:
        """Some of the test events."""
        arrays = {name: getattr(self, name)[rows] for name in ("profiles", "cosines", "event_us", "target_us")}
        return replace(self, **arrays)


def ask(
    profiles: npt.NDArray[np.float32],
    targets: npt.NDArray[np.float16],
    *,
    event_us: IntArray | None = None,
    target_us: IntArray | None = None,
    clocks: tuple[float | None, ...] = (None,),
) -> Queries:
    """Score (n, dim) targets by their cosine with (n, m, dim) profiles of any length.

    Times are needed where a clock is not None.
    """
    norms = np.linalg.norm(profiles.astype(np.float64), axis=-1, keepdims=True)
    unit = np.divide(profiles, norms, out=np.zeros(profiles.shape), where=norms > 0)
    grid = np.asarray(np.rint(unit * _GRID) / _GRID, np.float32)
    cosines = np.einsum("nmd,nd->nm", grid.astype(np.float64), targets.astype(np.float64))
    never = np.zeros(len(profiles), np.int64)
    known = (never if event_us is None else event_us), (never if target_us is None else target_us)
    return Queries(grid, cosines, *known, clocks)


def time_score(cosines: FloatArray, age_us: IntArray, half_life_s: float) -> FloatArray:
    """log2 of `cosine_time`, (1 + cosine) x 2^(-age / half-life), which neither overflows nor underflows.

    Args:
        cosines: Any shape, exact.
        age_us: The same shape, of the items at the test event.
        half_life_s: Of items.
    """
    with np.errstate(divide="ignore"):
        return np.log2(np.maximum(1 + cosines, 0.0)) - age_us / (half_life_s * MICROSECONDS)
