"""Texts of live events to vectors: one thread that encodes whatever has come in, of all requests together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dynprof.errors import LiveLogError
from dynprof.live.log import EventLog

__all__ = ["BATCH_TEXTS", "LiveEncoder"]

LOG = logging.getLogger("dynprof.live")

POLL_S = 0.05
"""How long an event that another process appended waits at most before this one looks."""

BATCH_TEXTS = 256
"""Encoded at a time: what comes meanwhile is the next batch, so batches grow with the load and nobody waits for one."""

_RETRY_S = 1.0


class Encodes(Protocol):
    """What an encoder is here: an `Encoder`, or what loads one when the first text comes."""

    @property
    def name(self) -> str:
        """For logs."""

    @property
    def fingerprint(self) -> str:
        """Of the vectors."""

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, dim) unit vectors."""


class LiveEncoder:
    """A thread that gives every text of a log a vector. Several, in several processes, do no harm but double work.

    Args:
        log: Whose texts; vectors go there too.
        encoder: With which; its fingerprint is the vectors'.
        on_vectors: Called after vectors were put, in this thread.
        more: Encodes a batch of what waits elsewhere, in this thread; how many texts it was.
        poll_s: Look at least so often, in seconds; appends of this process should `wake` it.
    """

    def __init__(
        self,
        log: EventLog,
        encoder: Encodes,
        *,
        on_vectors: Callable[[], None] = lambda: None,
        more: Callable[[], int] = lambda: 0,
        poll_s: float = POLL_S,
    ) -> None:
        self._log = log
        self._encoder = encoder
        self._on_vectors, self._more = on_vectors, more
        self._poll_s = poll_s
        self._stirred = threading.Event()
        self._ended = threading.Event()
        self._seen = -1
        self._thread = threading.Thread(target=self._run, name="live-encoder", daemon=True)

    def start(self) -> None:
        """Begin; what lies there without a vector comes first."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: something was appended."""
        self._stirred.set()

    def close(self) -> None:
        """End after the batch under way; a text without a vector gets one from whoever comes next."""
        self._ended.set()
        self._stirred.set()
        if self._thread.is_alive():
            self._thread.join()

    def encode_waiting(self) -> int:
        """Encode one batch of what waits.

        Returns:
            How many texts it was; 0 when nothing waits.

        Raises:
            LiveLogError: The log cannot be read or written.
        """
        last = self._log.last_number()
        if last == self._seen:
            return 0
        waiting = self._log.without_vector(self._encoder.fingerprint, BATCH_TEXTS)
        if not waiting:
            self._seen = last
            return 0
        vectors = self._encoder.encode([text for _, text in waiting])
        self._log.put_vectors(self._encoder.fingerprint, [h for h, _ in waiting], vectors.astype(np.float32))
        self._on_vectors()
        return len(waiting)

    def _run(self) -> None:
        self._warm_up()
        while not self._ended.is_set():
            self._stirred.clear()  # before looking: what is appended from here on is another reason to look
            try:
                if self.encode_waiting() + self._more() == 0:
                    self._stirred.wait(self._poll_s)
                continue
            except LiveLogError as error:
                LOG.warning("encoder=%s retry_s=%s %s", self._encoder.name, _RETRY_S, error)
            except Exception:  # a thread that dies in silence would leave every later event without a vector
                LOG.exception("encoder=%s retry_s=%s failed", self._encoder.name, _RETRY_S)
            self._ended.wait(_RETRY_S)  # whatever is appended meanwhile: it would fail likewise

    def _warm_up(self) -> None:
        """Load what is loaded with the first text, so that the first event does not wait for it."""
        try:
            self._encoder.encode(["warm up"])
        except Exception:  # said again, and tried again, when there is a text
            LOG.exception("encoder=%s not loaded", self._encoder.name)
