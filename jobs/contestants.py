"""The contestants that are no profiles, by name: what `--baselines` chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynprof.baselines import BASELINES, FAMILIES, TUNED_WINDOW
from dynprof.errors import ConfigError
from dynprof.evaluation import COUNTS
from dynprof.evaluation.contestant import Factory

__all__ = ["CONTESTANTS", "Entrant", "choose_contestants"]


@dataclass(frozen=True)
class Entrant:
    """A contestant that is to be made for every window.

    Attributes:
        factory: What makes it.
        family: Of the results table.
        settings: Of the factory; none for its defaults.
    """

    factory: Factory
    family: str
    settings: Mapping[str, Any] = field(default_factory=dict)


CONTESTANTS: dict[str, Entrant] = {
    **{name: Entrant(factory, "counts") for name, factory in COUNTS.items()},
    **{name: Entrant(factory, FAMILIES[name]) for name, factory in BASELINES.items()},
}
"""In the order of the table."""


def choose_contestants(text: str) -> dict[str, Entrant]:
    """Those of `all`, `none` or a comma-separated list of names. `all` are those that are what they are untuned.

    Raises:
        ConfigError: An unknown name.
    """
    if text == "none":
        return {}
    untuned = [name for name in CONTESTANTS if name != TUNED_WINDOW]
    names = untuned if text == "all" else [n.strip() for n in text.split(",")]
    if unknown := [n for n in names if n not in CONTESTANTS]:
        known = ", ".join(CONTESTANTS)
        raise ConfigError(f"--baselines: expected all, none or some of {known}, found {', '.join(unknown)}.")
    return {name: CONTESTANTS[name] for name in names}
