"""The snapshot's encoder, loaded when the first text comes that nobody has encoded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from dynprof.encoders import Encoder, load_encoder
from dynprof.errors import DynprofError

__all__ = ["EncoderUnavailableError", "TextEncoder"]

LOG = logging.getLogger("dynprof.serve")


class EncoderUnavailableError(Exception):
    """Vectors that are comparable with the snapshot's cannot be made on this machine."""


class TextEncoder:
    """Encodes texts as the snapshot's were. Safe to use from several threads: one encodes at a time.

    Args:
        manifest: Of the embeddings.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._manifest = manifest
        self._lock = Lock()
        self._encoder: Encoder | None = None

    def encode(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, dim) vectors, norm 1, or 0 for a text of which preparation leaves nothing.

        Raises:
            EncoderUnavailableError: The model is not on this machine, or another version of it is.
        """
        with self._lock:
            self._encoder = self._encoder or self._load()
            return self._encoder.encode(texts)

    def _load(self) -> Encoder:
        name, identity = str(self._manifest["encoder"]), self._manifest.get("identity", {})
        wanted = str(self._manifest["fingerprint"])
        try:
            loaded = load_encoder(name, revision=identity.get("revision"), precision=identity.get("precision", "auto"))
        except DynprofError as error:
            LOG.exception("encoder=%s not loaded", name)
            raise EncoderUnavailableError(
                f"history: expected item_ids or texts that the snapshot has, found a new text, and encoder {name} "
                "cannot be loaded here. The log of the replica says why."
            ) from error
        if loaded.fingerprint != wanted:
            raise EncoderUnavailableError(
                f"history: expected encoder {name} {wanted}, found {loaded.fingerprint} on this machine. Its "
                "vectors and the snapshot's cannot be compared."
            )
        LOG.info("encoder=%s fingerprint=%s loaded", name, wanted)
        return loaded
