"""What both stores say and refuse in the same words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dynprof.errors import ConfigError
from dynprof.live.log import Outcome
from dynprof.live.record import KEY_BYTES

__all__ = ["check_vectors", "refuse_erased"]


def refuse_erased(event_id: str) -> Outcome:
    """What becomes of an event of an erased user."""
    reason = "user_id: expected a user who was not erased, found one who was; this user's events are never kept again"
    return Outcome(event_id, "rejected", reason, "user_erased")


def check_vectors(hashes: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float16]:
    """Vectors as they are stored, little-endian float16.

    Raises:
        ConfigError: There are not as many vectors as hashes, a hash is no text hash, or a number is not finite.
    """
    if vectors.ndim != 2 or len(vectors) != len(hashes):
        raise ConfigError(f"vectors: expected ({len(hashes)}, dim), found {vectors.shape}. Give one row a hash.")
    if any(len(text_hash) != KEY_BYTES for text_hash in hashes):
        raise ConfigError(f"hashes: expected {KEY_BYTES} bytes each (dynprof.keys.text_hashes), found other lengths.")
    half = vectors.astype("<f2")
    if not np.isfinite(half).all():
        raise ConfigError("vectors: expected numbers that float16 holds, found NaN or infinity. Encode again.")
    return half
