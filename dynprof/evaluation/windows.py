"""Where fitting, tuning and testing lie in time, and the seal on the test windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import Window

__all__ = ["VALIDATION", "WHOLE_TEST", "Periods", "TestWindows", "cut_periods", "window_name"]

VALIDATION = "validation"
WHOLE_TEST = "test"
"""All test windows together; their name where there is only one."""


class TestWindows:
    """The test windows of one evaluation, to be seen once, by whoever hands over the choice that is tested."""

    __test__ = False  # for pytest: not a class of tests

    def __init__(self, windows: tuple[Window, ...]) -> None:
        self._windows = windows
        self._choice: tuple[Any] | None = None

    def __len__(self) -> int:
        return len(self._windows)

    @property
    def start_us(self) -> int:
        """First time of the first window: what is tuned may use all before it."""
        return self._windows[0].start_us

    def open(self, choice: Any) -> tuple[Window, ...]:
        """The windows, in order of time.

        Args:
            choice: What was chosen on the validation window, finished; None where nothing was tuned.

        Raises:
            ConfigError: They were opened before: whoever saw them may not choose again.
        """
        if self._choice is not None:
            raise ConfigError(
                f"test windows: expected to be opened once an evaluation, found them opened for {self._choice[0]!r}. "
                "Tune on the validation window, then test the choice."
            )
        self._choice = (choice,)
        return self._windows


@dataclass(frozen=True)
class Periods:
    """A log's time, cut. All before `validation` is for fitting.

    Attributes:
        validation: The stretch before the tests; as large a share of the events as all test windows together.
        tests: Sealed.
    """

    validation: Window
    tests: TestWindows

    def for_tuning(self, log: EventLog) -> EventLog:
        """All that tuning may know: nothing at or after the end of the validation window is in it."""
        return log.before(self.validation.stop_us)


def cut_periods(log: EventLog, test_share: float, n_windows: int) -> Periods:
    """Cut the last `test_share` of the events into windows of equal numbers of events, ties kept together.

    The stretch before them with as many events is for validation, or half of what is left if that is less. Windows may
    be empty where many events share a time; where all do, the last one has them all.

    Raises:
        ConfigError: `test_share` is not in (0, 1), or `n_windows` is not > 0.
    """
    if not 0 < test_share < 1:
        raise ConfigError(f"test share: expected a share of the events in (0, 1), found {test_share!r}.")
    if n_windows < 1:
        raise ConfigError(f"--windows: expected a number > 0, found {n_windows!r}.")
    if not len(log):
        return Periods(Window(0, 0), TestWindows((Window(0, 0),) * n_windows))
    times = np.sort(log.event_us)
    shares = [test_share * (n_windows - k) / n_windows for k in range(n_windows)]
    starts = [_start(times, share) for share in shares]
    stops = [*starts[1:], int(times[-1]) + 1]
    early = times[: np.searchsorted(times, starts[0])]
    n_tested = len(times) - len(early)
    validation = starts[0]
    if len(early):
        validation = _start(early, min(n_tested / len(early), 0.5))
    windows = tuple(Window(a, b) for a, b in zip(starts, stops, strict=True))
    return Periods(Window(validation, starts[0]), TestWindows(windows))


def _start(times: npt.NDArray[np.int64], share: float) -> int:
    """The time from which on at most a share of the (n,) rising times lie, n > 0; else the last one."""
    cut = min(int(np.ceil(len(times) * (1 - share))), len(times) - 1)
    if cut and times[cut - 1] == times[cut]:  # the cut would tear events of one time apart: the window begins after
        cut = min(int(np.searchsorted(times, times[cut], side="right")), len(times) - 1)
    return int(times[cut])


def window_name(number: int, n_windows: int) -> str:
    """Name of a test window in the results, `number` from 0 on."""
    return WHOLE_TEST if n_windows == 1 else f"{WHOLE_TEST} {number + 1}"
