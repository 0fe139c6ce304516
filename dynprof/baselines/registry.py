"""The baselines by the name that stands in the table, each with its family and the settings that are worth trying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dynprof.baselines.contract import Factory, Settings
from dynprof.baselines.ease import Ease
from dynprof.baselines.ials import Ials
from dynprof.baselines.item_knn import ItemKnn
from dynprof.baselines.item_knn_live import ItemKnnLive
from dynprof.baselines.max_similarity import MaxSimilarity
from dynprof.baselines.recent_popularity import RecentPopularity
from dynprof.duration import SECONDS_PER_DAY
from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog

__all__ = ["BASELINES", "FAMILIES", "GRIDS", "TUNED_WINDOW"]

TUNED_WINDOW = "popular (tuned window)"

_MINUTE, _HOUR, _DAY = 60.0, 3_600.0, SECONDS_PER_DAY


@dataclass(frozen=True)
class _Popular:
    """Makes a `RecentPopularity` of a name; `window_s` where it is not a setting."""

    name: str
    window_s: float | None = None

    def __call__(self, fit: EventLog, settings: Settings) -> RecentPopularity:
        if self.window_s is None:
            return RecentPopularity(fit, settings, name=self.name)
        if settings:
            raise ConfigError(f"baseline {self.name!r}: expected no settings, found {', '.join(settings)}.")
        return RecentPopularity(fit, {"window_s": self.window_s}, name=self.name)


BASELINES: dict[str, Factory] = {
    "popular 1d": _Popular("popular 1d", _DAY),
    "popular 7d": _Popular("popular 7d", 7 * _DAY),
    TUNED_WINDOW: _Popular(TUNED_WINDOW),
    "item kNN": ItemKnn,
    "item kNN (live)": ItemKnnLive,
    "EASE": Ease,
    "iALS": Ials,
    "max similarity": MaxSimilarity,
}
"""By name, in the order of the table. `random`, `popular` and `newest` are `dynprof.evaluation.baselines`."""

FAMILIES: dict[str, str] = {
    **dict.fromkeys(("popular 1d", "popular 7d", TUNED_WINDOW), "counts"),
    **dict.fromkeys(("item kNN", "item kNN (live)", "EASE", "iALS"), "behaviour"),
    "max similarity": "vectors of a history",
}
"""The column `family` of the results table."""

GRIDS: dict[str, Mapping[str, tuple[float | None, ...]]] = {
    TUNED_WINDOW: {
        "window_s": (
            *(_DAY * n for n in (1, 2, 3, 7, 14, 30, 90)),
            *(_HOUR * n for n in (12, 6, 3, 2, 1)),
            *(_MINUTE * n for n in (30, 15, 5)),
        )
    },
    "item kNN": {
        "neighbours": (200.0, 50.0),
        "shrink": (10.0, 0.0, 100.0),
        "half_life_s": (None, 7 * _DAY, _DAY),
    },
    "item kNN (live)": {"half_life_s": (None, 7 * _DAY, _DAY, _HOUR), "shrink": (10.0, 0.0)},
    "EASE": {"l2": (100.0, 1.0, 10.0, 1_000.0, 10_000.0)},
    "iALS": {"factors": (64.0, 32.0, 128.0), "regularization": (0.1, 1.0, 10.0), "alpha": (10.0, 1.0, 40.0)},
}
"""What `tune` tries, the default first. Baselines that are not here have nothing to tune."""
