"""What every baseline is: fitted on a log that ends before the window, then shown the whole log, then asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["Baseline", "Factory", "Settings", "settled"]

Settings = Mapping[str, float | None]
"""Parameters by name, as JSON knows them; those left out have the baseline's default."""


class Baseline:
    """A contestant in two steps: the constructor fits, `watch` hands over what is counted or summed.

    Can be pickled between the two; what was fitted and the settings are all it then holds.
    """

    name: str
    needs_vectors = False

    def __init__(self) -> None:
        self._log: EventLog | None = None
        self._vectors: ItemVectors | None = None

    def watch(self, log: EventLog, vectors: ItemVectors | None = None) -> Self:
        """Take the log that the tests are of; of it `scores` uses what is strictly before each test. Returns itself.

        Args:
            log: Its numbers of users and items are those of the fit.
            vectors: Of the log's items, where `needs_vectors`.

        Raises:
            ConfigError: Vectors are needed and there are none.
        """
        if self.needs_vectors and vectors is None:
            raise ConfigError(
                f"baseline {self.name!r}: expected vectors of the items, found none. "
                "Hand them to `watch`, or leave this baseline out."
            )
        self._log, self._vectors = log, vectors
        return self

    @property
    def log(self) -> EventLog:
        """What was handed to `watch`.

        Raises:
            ConfigError: Nothing was.
        """
        if self._log is None:
            raise ConfigError(f"baseline {self.name!r}: expected `watch(log)` before `scores`, found no log.")
        return self._log

    @property
    def vectors(self) -> ItemVectors:
        """What was handed to `watch`.

        Raises:
            ConfigError: Nothing was.
        """
        if self._vectors is None:
            raise ConfigError(f"baseline {self.name!r}: expected `watch(log, vectors)` before `scores`, found none.")
        return self._vectors

    def scores(self, tests: TestEvents) -> Iterator[npt.NDArray[np.floating]]:
        """As `dynprof.evaluation.contestant.Contestant.scores`; items that the fit does not know score 0."""
        raise NotImplementedError


Factory = Callable[[EventLog, Settings], Baseline]
"""From the log that ends before the window, and settings, to what was fitted."""


def settled(name: str, settings: Settings, defaults: Settings) -> dict[str, float | None]:
    """The settings with the defaults of what they leave out.

    Raises:
        ConfigError: A setting that the baseline does not have.
    """
    unknown = sorted(set(settings) - set(defaults))
    if unknown:
        known = ", ".join(defaults) or "none"
        raise ConfigError(f"baseline {name!r}: expected settings among {known}, found {', '.join(unknown)}.")
    return {**defaults, **settings}
