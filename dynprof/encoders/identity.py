"""What an encoder is: everything that changes a vector, and the short fingerprint of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Any

__all__ = ["EncoderIdentity", "file_sha256", "fingerprint_of"]


@dataclass(frozen=True)
class EncoderIdentity:
    """An encoder without its weights in memory: cheap, picklable, enough to name an embeddings folder.

    Attributes:
        name: What the caller asked for. Not part of the fingerprint: the same files under another name, in another
            folder or from another source give the same vectors.
        dim: Length of a vector.
        identity: JSON-able. Everything that changes a vector and nothing else: no library version, device, number of
            threads or batch size.
    """

    name: str
    dim: int
    identity: dict[str, Any]

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits. Vectors of two fingerprints are never compared."""
        return fingerprint_of(self.identity)


def fingerprint_of(identity: dict[str, Any]) -> str:
    """BLAKE2b-64 of the canonical JSON (sorted keys, no spaces, ASCII) as 16 hex digits."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return blake2b(canonical.encode("ascii"), digest_size=8).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits; read in blocks."""
    with path.open("rb") as source:
        return file_digest(source, "sha256").hexdigest()
