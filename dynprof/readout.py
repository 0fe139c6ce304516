"""How any decay is read out of a bank: signed coefficients with a known error.

For a decay f and a bank B_j(a) = 2^(-a/h_j), `solve_readout` finds c such that f(a) ~ sum_j c_j B_j(a), and how far off
that is at worst. A sum over events of total weight A is then off by at most A times that, whatever their ages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from dynprof.bank import Bank
from dynprof.decay import Decay
from dynprof.learned_decay import LearnedDecay

__all__ = ["HORIZON_S", "Readout", "UserReadouts", "solve_readout"]

FloatArray = npt.NDArray[np.float64]

HORIZON_S = 10 * 365.25 * 86_400.0
"""Ages up to here are fitted; `Readout.sup_error` holds on them."""

STORAGE_EPS = 2.0**-22
"""Relative rounding of a sum stored as float32, with room for a few merges. It prices large coefficients in the fit."""

_FIRST_STEP_S = 1.0
_N_FIT = 300
_N_CHECK = 20_000


@dataclass(frozen=True)
class Readout:
    """Coefficients of one decay over one bank.

    Attributes:
        coefficients: (K,) signed; f(a) ~ sum_j coefficients_j 2^(-a/h_j).
        sup_error: Largest error of a weight at any age up to the horizon.
    """

    coefficients: FloatArray
    sup_error: float

    @property
    def l1(self) -> float:
        """The sum of |c_j|: how much the rounding of the sums is amplified."""
        return float(np.abs(self.coefficients).sum())


@dataclass(frozen=True)
class UserReadouts:
    """Readouts of n users, each fitted to the ages that the user's events can have.

    A user idle for long has no young events, so f need not be fitted there: the error falls with f itself. A memoryless
    decay goes further: it is read as of the last event and scaled by the exact decay since.

    Attributes:
        coefficients: (n, K) for weights.
        squared: (n, K) for squared weights.
        sup_error: (n,) largest error of a weight.
        idle_s: (n,) seconds after the last event at which to read the sums.
        scale: (n,) factor of what is read there.
    """

    coefficients: FloatArray
    squared: FloatArray
    sup_error: FloatArray
    idle_s: FloatArray
    scale: FloatArray

    @classmethod
    def solve(cls, bank: Bank, decay: Decay, *, idle_s: FloatArray, oldest_s: FloatArray) -> UserReadouts:
        """Readouts for users whose events have ages from `idle_s` to `oldest_s`, both (n,) seconds."""
        scale = np.ones_like(idle_s)
        if decay.is_memoryless:
            idle_s, oldest_s, scale = np.zeros_like(idle_s), oldest_s - idle_s, decay.weights(idle_s)
        youngest = _octave_below(idle_s, least=(decay.half_life_s or np.inf) / 4)
        horizon = np.maximum(HORIZON_S, HORIZON_S * np.exp2(np.ceil(np.log2(np.maximum(oldest_s / HORIZON_S, 1.0)))))
        ranges, which = np.unique(np.stack([youngest, horizon], 1), axis=0, return_inverse=True)
        first = [solve_readout(bank, decay, youngest_s=y, horizon_s=o) for y, o in ranges.tolist()]
        second = [solve_readout(bank, decay, power=2, youngest_s=y, horizon_s=o) for y, o in ranges.tolist()]
        which = which.reshape(-1)
        coefficients = np.stack([r.coefficients for r in first])[which]
        squared = np.stack([r.coefficients for r in second])[which]
        return cls(coefficients, squared, np.array([r.sup_error for r in first])[which], idle_s, scale)

    def error_bound(self, masses: FloatArray) -> FloatArray:
        """Bound on the error of each user's weighted sum: of its mass and of its vector's length.

        Args:
            masses: (n, K) sum |w| 2^(-age/h_j), as of `idle_s` after the last event.

        Returns:
            (n,) float64: the fit's error times the undecayed mass, plus the rounding of the stored sums.
        """
        rounding = STORAGE_EPS * (masses * np.abs(self.coefficients)).sum(1)
        return np.asarray((self.sup_error * masses[:, -1] + rounding) * self.scale)


def _octave_below(idle_s: FloatArray, *, least: float) -> FloatArray:
    """Power of two at or below each idle time, 0 below `least`: few distinct fits for any number of users."""
    return np.where(idle_s < least, 0.0, np.exp2(np.floor(np.log2(np.maximum(idle_s, 1.0)))))


@lru_cache(maxsize=4096)
def solve_readout(
    bank: Bank, decay: Decay, *, power: int = 1, youngest_s: float = 0.0, horizon_s: float = HORIZON_S
) -> Readout:
    """Fit f(a)^power on ages youngest..horizon by linear programming.

    Minimises sup error + STORAGE_EPS x sum |c_j|: a coefficient may be large only where it earns more than its
    rounding costs.

    Args:
        bank: Whose exponentials to combine.
        decay: f.
        power: 1 for weights, 2 for squared weights (needed by n_effective).
        youngest_s: Youngest age, seconds.
        horizon_s: Oldest age, seconds.
    """
    if power == 1 and isinstance(decay, LearnedDecay) and (exact := decay.over(bank)) is not None:
        return Readout(exact, 0.0)
    ages = _grid(decay, youngest_s, horizon_s, _N_FIT)
    coefficients = _minimax(bank.factors(ages), decay.weights(ages) ** power)
    dense = _grid(decay, youngest_s, horizon_s, _N_CHECK)
    residual = np.abs(bank.factors(dense) @ coefficients - decay.weights(dense) ** power)
    # Between two grid points the residual bends by less than its bends at the grid suggest, doubled.
    bend = np.abs(np.diff(residual, 2)).max(initial=0.0) / 4
    return Readout(coefficients, float(residual.max() + bend))


def _grid(decay: Decay, youngest_s: float, horizon_s: float, n: int) -> FloatArray:
    """Ages youngest..horizon, dense near 0, near the half-life and just behind every kink."""
    half_life_s, offset_s = decay.half_life_s or 1.0, decay.offset_s
    ladder = np.geomspace(max(_FIRST_STEP_S, youngest_s), horizon_s, n)
    parts = [np.array([youngest_s, horizon_s]), ladder, half_life_s * np.linspace(0, 4, n // 2)]
    if offset_s:
        parts += [np.full(1, offset_s), offset_s + ladder, offset_s + half_life_s * np.linspace(0, 4, n // 2)]
    ages = np.unique(np.concatenate(parts))
    return ages[(ages >= youngest_s) & (ages <= horizon_s)]


def _minimax(factors: FloatArray, target: FloatArray) -> FloatArray:
    """argmin_c max |factors c - target| + STORAGE_EPS sum |c|, with c split into positive and negative parts."""
    n, k = factors.shape
    ones = np.ones((n, 1))
    constraints = np.block([[factors, -factors, -ones], [-factors, factors, -ones]])
    cost = np.append(np.full(2 * k, STORAGE_EPS), 1.0)
    solved = linprog(cost, A_ub=constraints, b_ub=np.concatenate([target, -target]), bounds=(0, None), method="highs")
    if not solved.success:  # c = 0 is always feasible, so this is a defect of the solver, not of the input
        raise ArithmeticError(f"the readout has no solution: {solved.message}")
    return np.asarray(solved.x[:k] - solved.x[k : 2 * k])
