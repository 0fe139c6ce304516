"""Age bands: how much of a profile's weight each part of the history holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynprof.decay import Decay
from dynprof.duration import parse_duration
from dynprof.profile import age_seconds

__all__ = ["BANDS", "AgeBand", "age_bands"]

BANDS = ("1h", "1d", "7d", "30d", "90d", "1y")
"""Upper ends of the bands; what is older is the last one. A band has ages from the end before it up to its own."""

_ENDS_S = np.array([parse_duration(end) for end in BANDS])


class AgeBand(NamedTuple):
    """One band.

    Attributes:
        up_to: Its upper end, exclusive, such as "7d"; None for the oldest.
        n_events: Events in it.
        mass: sum |w| f(age) over them.
        share: Of all mass, in [0, 1]; 0 everywhere where there is no mass.
    """

    up_to: str | None
    n_events: int
    mass: float
    share: float


def age_bands(
    at_us: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], decay: Decay, as_of_us: int
) -> list[AgeBand]:
    """Bands from the youngest to the oldest, exact.

    A band has sharp ends, which sums of exponentials cannot tell apart: it takes the events themselves.

    Args:
        at_us: (n,) microseconds since 1970; events at or after `as_of_us` do not count.
        weights: (n,) before decay, may be negative.
        decay: f.
        as_of_us: Microseconds since 1970.
    """
    early = at_us < as_of_us
    ages_s = age_seconds(as_of_us, at_us[early])
    band = np.searchsorted(_ENDS_S, ages_s, "right")
    n = len(BANDS) + 1
    mass = np.bincount(band, np.abs(weights[early]) * decay.weights(ages_s), n).astype(np.float64)
    counts, total = np.bincount(band, minlength=n), mass.sum()
    shares = mass / total if total > 0 else np.zeros(n)
    ends = [*BANDS, None]
    return [
        AgeBand(end, *row)
        for end, row in zip(ends, zip(counts.tolist(), mass.tolist(), shares.tolist(), strict=True), strict=True)
    ]
