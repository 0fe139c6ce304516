"""Groups of test events: by what was known of the user and of the target when the event came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.languages import UNKNOWN, Languages
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.profile import age_seconds

__all__ = ["ACTIVITY", "SLICES", "Traits", "cut_slices", "drift_thirds", "traits_of"]

SLICES = ("activity", "drift", "language", "item age")
"""Values of the column `slice`, beside `all`."""

ACTIVITY = ((1, "0"), (10, "1-9"), (100, "10-99"), (np.inf, "100+"))
"""Number of events below which a user is of each group, and not of one before."""
_DAY = 86_400.0
_AGES = (
    (3_600.0, "under an hour"),
    (_DAY, "under a day"),
    (7 * _DAY, "under a week"),
    (30 * _DAY, "under 30 days"),
    (np.inf, "older"),
)
_DRIFT = ("low", "middle", "high")
_MOST_LANGUAGES = 8


@dataclass(frozen=True)
class Traits:
    """What the slices of n test events are cut by.

    Attributes:
        n_history: (n,) events of the user before the test event.
        drift: (n,) 1 - cosine between the user's 7-day and 365-day profile; NaN without history.
        language: (n,) name of the target's language, or "unknown".
        age_s: (n,) seconds since the target's first event.
    """

    n_history: npt.NDArray[np.int64]
    drift: npt.NDArray[np.float64]
    language: npt.NDArray[np.str_]
    age_s: npt.NDArray[np.float64]

    @classmethod
    def joined(cls, parts: list[Traits]) -> Traits:
        """Of all the parts' test events."""
        names = ("n_history", "drift", "language", "age_s")
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def traits_of(log: EventLog, tests: TestEvents, drift: npt.NDArray[np.float64], languages: Languages) -> Traits:
    """The traits of (n,) test events."""
    spoken = languages.of_item[tests.targets]
    named = np.array([*languages.names, "unknown"])[np.where(spoken == UNKNOWN, len(languages.names), spoken)]
    age_s = age_seconds(tests.event_us, log.first_us[tests.targets])
    return Traits(tests.n_history, drift, named, age_s)


def cut_slices(traits: Traits) -> Iterator[tuple[str, str, npt.NDArray[np.intp]]]:
    """Slice, value and rows of every group that has a test event."""
    for name, value, member in _groups(traits):
        rows = np.flatnonzero(member)
        if len(rows):
            yield name, value, rows


def _groups(traits: Traits) -> Iterator[tuple[str, str, npt.NDArray[np.bool_]]]:
    for name, values, steps in (("activity", traits.n_history, ACTIVITY), ("item age", traits.age_s, _AGES)):
        bounds = np.array([step for step, _ in steps])
        group = np.searchsorted(bounds, values, side="right")
        yield from ((name, label, group == number) for number, (_, label) in enumerate(steps))
    third = drift_thirds(traits.drift)
    yield from (("drift", label, third == number) for number, label in enumerate(_DRIFT))
    spoken, counts = np.unique(traits.language, return_counts=True)
    kept = spoken[np.argsort(-counts, kind="stable")][:_MOST_LANGUAGES]
    yield from (("language", str(language), traits.language == language) for language in kept)
    yield "language", "other", ~np.isin(traits.language, kept)


def drift_thirds(drift: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """(n,) third of the values: 0 low, 1 middle, 2 high, -1 of NaN; equal ones stay together, in the lower third."""
    known = ~np.isnan(drift)
    bounds = np.quantile(drift[known], [1 / 3, 2 / 3]) if known.any() else np.zeros(2)
    return np.asarray(np.where(known, np.searchsorted(bounds, drift, side="left"), -1), np.int64)
