"""The one thread that lets an overlay catch up with its log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from dynprof.live.overlay import Overlay

__all__ = ["Follower"]

LOG = logging.getLogger("dynprof.live")

_INTERVAL_S = 0.05


class Follower:
    """Reads the log at once when woken, and every 50 ms otherwise. Use it as a context.

    An error (a store that does not answer) is logged once and the next round tries again: readers go on with what they
    have.

    Args:
        overlay: To keep up to date.
        after: Called in the follower's thread when there are changes, whoever read them.
        interval_s: Between two rounds, > 0.
    """

    def __init__(
        self, overlay: Overlay, *, after: Callable[[], object] = lambda: None, interval_s: float = _INTERVAL_S
    ) -> None:
        self.overlay, self._after = overlay, after
        self._interval_s = interval_s
        self._woken = Condition()
        self._is_awake = self._is_over = False
        self._error: str | None = None
        self._told = 0
        self._thread = Thread(target=self._follow, name="dynprof-follower", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def wake(self) -> None:
        """There is something new: read now."""
        with self._woken:
            self._is_awake = True
            self._woken.notify_all()

    def stop(self) -> None:
        """End the thread; what it reads right now is finished."""
        with self._woken:
            self._is_over = True
            self._woken.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _follow(self) -> None:
        while not self._is_over:
            try:
                self.overlay.catch_up()
                number = self.overlay.number  # read first: more may come while others are told
                if number != self._told:  # whoever read it: a request may have caught up meanwhile
                    self._after()
                    self._told = number
                self._error = None
            except Exception as error:  # whatever the store raises
                if repr(error) != self._error:
                    LOG.exception("log=unread number=%d", self.overlay.number)
                self._error = repr(error)
            with self._woken:
                self._woken.wait_for(lambda: self._is_awake or self._is_over, self._interval_s)
                self._is_awake = False
