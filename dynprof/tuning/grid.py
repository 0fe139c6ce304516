"""What is tried: readouts of the bank, and similarities to read items with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.decay import PROFILE_KINDS, Decay, DecayKind
from dynprof.duration import format_duration, parse_duration
from dynprof.errors import ConfigError
from dynprof.learned_decay import LearnedDecay
from dynprof.readout import solve_readout
from dynprof.scoring import Metric

__all__ = ["Grid", "Similarity", "coefficients_of", "decay_name"]

_HALF_LIVES = ("0.05d", "0.1d", "0.25d", "0.5d", "1d", "2d", "4d", "7d", "14d", "30d", "90d", "365d")
_ITEM_HALF_LIVES = ("1h", "3h", "6h", "1d", "2d", "7d", "30d")
_SHARES = (0.9, 0.7)
_PRIOR_WEIGHTS = (0.0, 0.1, 1.0, 10.0)
_FACTORS = (0.0, 0.25, 0.5, 2.0)


@dataclass(frozen=True)
class Similarity:
    """How items are scored. `basic` ranks the items of one profile exactly as `cosine` does, so it is no third choice.

    Attributes:
        metric: `cosine` or `cosine_time`.
        item_half_life: Of `cosine_time`; None for `cosine`.
    """

    metric: Metric
    item_half_life: str | None = None

    def __post_init__(self) -> None:
        if (self.metric == "cosine_time") != (self.item_half_life is not None) or self.metric == "basic":
            raise ConfigError(
                "similarity: expected cosine, or cosine_time with an item half-life, found "
                f"{self.metric} with {self.item_half_life}."
            )

    @property
    def half_life_s(self) -> float | None:
        """Seconds; None for `cosine`."""
        return None if self.item_half_life is None else parse_duration(self.item_half_life, name="item half-life")

    @property
    def name(self) -> str:
        """`cosine`, or `cosine_time 2d`."""
        return " ".join(filter(None, (self.metric, self.item_half_life)))


@dataclass(frozen=True)
class Grid:
    """What is tried, simplest first: of equal scores the earlier one is taken.

    Attributes:
        kinds: Decays with a formula, each at every half-life; `static` is always tried, and first.
        half_lives: Of those.
        shares: Of a mixture's short half-life, each half-life of the bank up to 90 days; the rest never decays.
        item_half_lives: Of `cosine_time`; `cosine` is always tried.
        prior_weights: kappas, at the best point of the rest.
        factors: Of the weight of each event type in turn, at the best point of the rest.
        bank: That all of it is read from.
    """

    kinds: tuple[DecayKind, ...] = tuple(k for k in PROFILE_KINDS if k != "static")
    half_lives: tuple[str, ...] = _HALF_LIVES
    shares: tuple[float, ...] = _SHARES
    item_half_lives: tuple[str, ...] = _ITEM_HALF_LIVES
    prior_weights: tuple[float, ...] = _PRIOR_WEIGHTS
    factors: tuple[float, ...] = _FACTORS
    bank: Bank = DEFAULT_BANK

    def decays(self) -> Iterator[Decay]:
        """Distinct decays: static, those with a formula by kind and half-life, mixtures of one half-life and static."""
        yield Decay("static")
        for kind in self.kinds:
            yield from (Decay(kind, half_life) for half_life in self.half_lives)
        short = [h for h in self.bank.half_lives_s if h <= parse_duration("90d")]
        for share in self.shares:
            yield from (LearnedDecay.of((h,), (share, 1 - share)) for h in short)

    def similarities(self) -> tuple[Similarity, ...]:
        """`cosine`, then `cosine_time` at every item half-life."""
        return Similarity("cosine"), *(Similarity("cosine_time", h) for h in self.item_half_lives)


def coefficients_of(decay: Decay, bank: Bank) -> npt.NDArray[np.float64]:
    """(K,) how a decay is read out of a bank; what that leaves out is `solve_readout(bank, decay).sup_error`."""
    return solve_readout(bank, decay).coefficients


def decay_name(decay: Decay) -> str:
    """`exponential 7d`, `static`, or the terms of a learned decay: `80% 0.1d + 20% static`."""
    if not isinstance(decay, LearnedDecay):
        return decay.kind if decay.half_life_s is None else f"{decay.kind} {format_duration(decay.half_life_s)}"
    named = [*(f"{h / 86_400:.3g}d" for h in decay.half_lives_s), "static"]
    return " + ".join(f"{c:.2%} {n}" for c, n in zip(decay.coefficients, named, strict=True) if c)
