"""The contestants that are no profiles, by name: what `--baselines` chooses from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dynprof.baselines import BASELINES, FAMILIES, TUNED_WINDOW
from dynprof.errors import ConfigError
from dynprof.evaluation import COUNTS
from dynprof.evaluation.contestant import Factory
from dynprof.evaluation.tabulate import RANKER
from dynprof.ranker.contestant import TrainedRanker
from dynprof.ranker.model import MODELS
from dynprof.workspace import Workspace

__all__ = ["CONTESTANTS", "Entrant", "choose_contestants", "enter_ranker"]


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
    """Those of `all`, `none` or a comma-separated list of names. `all` is without what only tuning makes.

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


def enter_ranker(
    workspace: Workspace, model: str, fingerprint: str, type_weights: Mapping[str, float]
) -> dict[str, Entrant]:
    """A trained model as a contestant; its settings tell it from one of the same name that was trained again.

    Args:
        workspace: Of the model.
        model: Its name.
        fingerprint: Of the vectors that it will be shown.
        type_weights: Of the log that it will be shown.

    Raises:
        WorkspaceError: There is no such model.
    """
    manifest = workspace.require_manifest(MODELS, model, made_by="train")
    settings = {"model": model, "created_at": manifest["created_at"]}
    return {RANKER: Entrant(TrainedRanker(workspace, model, fingerprint, type_weights), RANKER, settings)}
