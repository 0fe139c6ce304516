"""What a profile has to beat: counted and fitted rankings, each in a file, all answering as a contestant does."""

from dynprof.baselines.contract import Baseline, Factory, Settings
from dynprof.baselines.registry import BASELINES, FAMILIES, GRIDS, TUNED_WINDOW
from dynprof.baselines.tuning import TUNING_METRIC, Trial, tune, tune_trials

__all__ = [
    "BASELINES",
    "FAMILIES",
    "GRIDS",
    "TUNED_WINDOW",
    "TUNING_METRIC",
    "Baseline",
    "Factory",
    "Settings",
    "Trial",
    "tune",
    "tune_trials",
]
