"""The section on what was chosen, with the learned decay's curve beside the six."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dynprof.bank import Bank
from dynprof.decay import PROFILE_KINDS, Decay
from dynprof.duration import SECONDS_PER_DAY, format_duration
from dynprof.reporting.asked import flat_pairs
from dynprof.reporting.blocks import Block, Facts, Prose, Section
from dynprof.reporting.chart import Axis, Curve, Curves

__all__ = ["choice_section", "learned_plot"]

_AGES_S = np.geomspace(900, 4 * 365 * SECONDS_PER_DAY, 80)
_TICKS = (
    ("1h", 3_600.0),
    ("1d", SECONDS_PER_DAY),
    ("7d", 7 * SECONDS_PER_DAY),
    ("30d", 30 * SECONDS_PER_DAY),
    ("1y", 365.25 * SECONDS_PER_DAY),
)
_LEARNED_COLOUR = 6


def choice_section(choice: Mapping[str, Any] | None) -> Section:
    """What tuning chose and by which scores; `choice` is `choice.json`, or None where nothing was tuned."""
    if not choice:
        return Section("choice", "The choice", [Prose("Nothing was tuned: the parameters are those that were given.")])
    told = {k: v for k, v in choice.items() if k not in ("learned", "evidence", "format_version")}
    blocks: list[Block] = [Facts(flat_pairs(told))]
    learned = choice.get("learned")
    if learned:
        blocks.append(learned_plot(learned, _half_life(choice, learned)))
    else:
        blocks.append(Prose("No learned decay was fitted that can be served."))
    return Section("choice", "The choice", blocks)


def _half_life(choice: Mapping[str, Any], learned: Mapping[str, Any]) -> str:
    """At which the six are drawn: the chosen decay's, else the learned one's, else a month."""
    own = _crossing(learned)
    return str(choice.get("decay", {}).get("half_life") or (format_duration(own) if own else "30d"))


def _curve(learned: Mapping[str, Any], ages_s: Sequence[float] | Any) -> Any:
    """f(a) = sum_j c_j 2^(-a/h_j)."""
    return Bank(tuple(learned["half_lives_s"])).factors(ages_s) @ np.asarray(learned["coefficients"], np.float64)


def _crossing(learned: Mapping[str, Any]) -> float | None:
    """Seconds after which an event counts half of a new one; None where it never does at the ages drawn."""
    below = np.flatnonzero(_curve(learned, _AGES_S) <= 0.5 * float(_curve(learned, [0.0])[0]))
    return float(_AGES_S[below[0]]) if len(below) else None


def learned_plot(learned: Mapping[str, Any], half_life: str) -> Curves:
    """The learned weight by age beside the six decays at one half-life.

    Args:
        learned: `half_lives_s` (K - 1,) and `coefficients` (K,) over them and the constant.
        half_life: Of the six.
    """
    ages = _AGES_S.tolist()
    six = [
        Curve(
            kind.replace("_", " "), ages, Decay(kind, half_life).weights(_AGES_S).tolist(), colour=number, marked=False
        )
        for number, kind in enumerate(k for k in PROFILE_KINDS if k != "static")
    ]
    mine = Curve("learned", ages, _curve(learned, _AGES_S).tolist(), colour=_LEARNED_COLOUR, marked=False)
    crossing = _crossing(learned)
    after = (
        f"counts half after about {format_duration(round(crossing / 3600) * 3600.0 or crossing)}"
        if crossing
        else "never falls to a half"
    )
    year = float(_curve(learned, [365.25 * SECONDS_PER_DAY])[0])
    summary = (
        f"The learned decay {after} and keeps {year:.3f} after a year; the six are drawn at a half-life of {half_life}."
    )
    x = Axis("age of an event", log=True, ticks=[(seconds, text) for text, seconds in _TICKS])
    return Curves(
        "learned-decay", "The learned decay beside the six", summary, x, Axis("weight", form=".3f"), [*six, mine]
    )
