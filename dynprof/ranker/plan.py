"""Which events a ranker learns from, and which say when to stop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents, Window, choose_tests, eligible_events, last_window

__all__ = ["TrainingPlan", "TrainingSize", "plan_training"]


@dataclass(frozen=True)
class TrainingSize:
    """How much of a log is used.

    Attributes:
        train_events: Most events to learn from, >= 1: a sample of the latest ones before the validation window.
        recent: The sample is drawn from the latest `recent` times as many, >= 1: what is long past was another habit.
        validation_events: Most events that say when to stop, >= 1: a sample of the window.
        validation_share: The window is the last such share of the events, in (0, 1).
        sample_seed: Of both samples.
    """

    train_events: int = 12_000
    recent: float = 5.0
    validation_events: int = 2_000
    validation_share: float = 0.1
    sample_seed: int = 0

    def __post_init__(self) -> None:
        if min(self.train_events, self.validation_events) < 1 or not self.recent >= 1:
            raise ConfigError(f"train: expected numbers of events >= 1 and recent >= 1, found {self}.")
        if not 0 < self.validation_share < 1:
            raise ConfigError(f"train: expected a validation share in (0, 1), found {self.validation_share}.")


@dataclass(frozen=True)
class TrainingPlan:
    """What is learned from.

    Attributes:
        window: The validation window; all of `train` lies before it.
        train: Events to learn from.
        validation: Events that say when to stop.
    """

    window: Window
    train: TestEvents
    validation: TestEvents


def plan_training(log: EventLog, size: TrainingSize | None = None, window: Window | None = None) -> TrainingPlan:
    """Choose the events. Which are chosen depends on the log and the seed, not on the order of its buckets.

    Args:
        log: All that the ranker may know; nothing of a test window.
        size: How many.
        window: For validation; None: the last `validation_share`.

    Raises:
        ConfigError: A number out of range.
    """
    size = size or TrainingSize()
    window = window or last_window(log, size.validation_share)
    early = int(log.event_us.min(initial=window.start_us))
    train = _in_time(log, eligible_events(log, Window(early, window.start_us)))
    latest = train[-int(size.recent * size.train_events) :]
    chosen = _draw(latest, size.train_events, size.sample_seed)
    judged = _draw(_in_time(log, eligible_events(log, window)), size.validation_events, size.sample_seed + 1)
    return TrainingPlan(window, choose_tests(log, np.sort(chosen)), choose_tests(log, np.sort(judged)))


def _in_time(log: EventLog, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """By time, then user, then item."""
    return positions[np.lexsort((log.items[positions], log.users[positions], log.event_us[positions]))]


def _draw(positions: npt.NDArray[np.int64], n: int, seed: int) -> npt.NDArray[np.int64]:
    if len(positions) <= n:
        return positions
    return positions[np.random.default_rng(seed).choice(len(positions), n, replace=False)]
