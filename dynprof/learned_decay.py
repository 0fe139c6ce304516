"""A decay given by its coefficients over half-lives: f(a) = sum_j c_j 2^(-a/h_j), none of them negative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.bank import Bank
from dynprof.decay import Decay, DecayKind
from dynprof.duration import format_duration
from dynprof.errors import ConfigError

__all__ = ["LEARNED", "LearnedDecay"]

LEARNED: DecayKind = "learned"

_OLDEST_S = 100 * 365.25 * 86_400.0
_HALVINGS = 200


@dataclass(frozen=True)
class LearnedDecay(Decay):
    """A mixture of exponentials and a constant: what is fitted on a corpus, and what a bank reads without error.

    It is made by `LearnedDecay.of`; `kind` is `learned`, and `half_life` follows from the coefficients.

    Attributes:
        half_lives_s: Seconds, rising, as of a `Bank`; the constant is implied and last.
        coefficients: One more than half-lives, >= 0; their sum, the weight of an event of age 0, is 1.
    """

    kind: DecayKind = LEARNED
    half_lives_s: tuple[float, ...] = field(kw_only=True, default=())
    coefficients: tuple[float, ...] = field(kw_only=True, default=())

    def __post_init__(self) -> None:
        bank = Bank(self.half_lives_s)
        c = np.asarray(self.coefficients, np.float64)
        if self.kind != LEARNED or len(c) != bank.size or not (np.isfinite(c).all() and (c >= 0).all()):
            raise ConfigError(
                f"learned decay: expected {bank.size} finite coefficients >= 0, one a half-life and one of the "
                f"constant, found {len(c)} from {c.min(initial=0):g} to {c.max(initial=0):g}."
            )
        if self.offset != "0s" or self.floor != 0:
            raise ConfigError("learned decay: expected no offset and no floor, since the curve says both, found some.")
        if abs(c.sum() - 1) > 1e-9:
            raise ConfigError(f"learned decay: expected coefficients that sum to 1, found {c.sum():g}.")
        half_life_s = _half_life_s(bank, c)
        object.__setattr__(self, "half_life", None if half_life_s is None else format_duration(half_life_s))

    @classmethod
    def of(cls, half_lives_s: Sequence[float], coefficients: npt.ArrayLike) -> LearnedDecay:
        """The decay of some coefficients, scaled so that an event of age 0 counts 1; terms without weight are dropped.

        Args:
            half_lives_s: (K - 1,) seconds, rising.
            coefficients: (K,) >= 0, not all 0; the constant's last.

        Raises:
            ConfigError: A coefficient is negative or not finite, all are 0, or their number is another.
        """
        h, c = tuple(map(float, half_lives_s)), np.asarray(coefficients, np.float64)
        total = float(c.sum())
        if len(c) != len(h) + 1 or not 0 < total < np.inf or (c < 0).any():
            raise ConfigError(
                f"learned decay: expected {len(h) + 1} coefficients >= 0 that are not all 0, found {c.tolist()}."
            )
        c = c / total
        kept = np.flatnonzero(c[:-1] > 0)
        kept = kept if len(kept) else np.array([0])  # a bank has a half-life
        shares = [*c[kept].tolist(), float(c[-1])]
        return cls(half_lives_s=tuple(h[k] for k in kept), coefficients=tuple(shares))

    @property
    def is_memoryless(self) -> bool:
        """False: read as it stands, its coefficients are exact at every age."""
        return False

    def weights(self, age_s: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Weight of events by age; see `Decay.weights`."""
        age = np.maximum(np.asarray(age_s, np.float64), 0.0)
        return np.asarray(Bank(self.half_lives_s).factors(age) @ np.asarray(self.coefficients), np.float64)

    def over(self, bank: Bank) -> npt.NDArray[np.float64] | None:
        """(K,) the same coefficients over a bank; None where the bank lacks one of the half-lives."""
        found = np.zeros(bank.size)
        found[-1] = self.coefficients[-1]
        for half_life_s, share in zip(self.half_lives_s, self.coefficients, strict=False):
            where = np.flatnonzero(np.isclose(bank.half_lives_s, half_life_s, rtol=1e-12, atol=0))
            if share and not len(where):
                return None
            if share:
                found[where[0]] += share
        return found

    def terms(self) -> dict[str, float]:
        """Share of each half-life in the weight of a fresh event, and of no decay: `{"2d": 0.8, "static": 0.2}`."""
        named = [*(format_duration(h) for h in self.half_lives_s), "static"]
        return {name: share for name, share in zip(named, self.coefficients, strict=True) if share}

    def to_json(self) -> dict[str, Any]:
        """JSON-able; `from_json` inverts it."""
        return {"half_lives_s": list(self.half_lives_s), "coefficients": list(self.coefficients)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> LearnedDecay:
        """What `to_json` gave.

        Raises:
            ConfigError: Not what it gives.
        """
        try:
            h, c = (tuple(float(x) for x in stored[name]) for name in ("half_lives_s", "coefficients"))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"learned decay: expected half_lives_s and coefficients, found {stored!r}.") from error
        return cls(half_lives_s=h, coefficients=c)


def _half_life_s(bank: Bank, coefficients: npt.NDArray[np.float64]) -> float | None:
    """The age at which f is 1/2, in whole seconds; None where the constant alone keeps it above."""
    if coefficients[-1] >= 0.5:
        return None
    low, high = 0.0, _OLDEST_S
    if float(bank.factors(high) @ coefficients) > 0.5:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if float(bank.factors(middle) @ coefficients) > 0.5 else (low, middle)
    return max(1.0, float(round(high)))
