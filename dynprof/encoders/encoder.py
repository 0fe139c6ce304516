"""The one promise of every encoder: texts in, unit vectors out, in order, each distinct text computed once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dynprof.encoders.identity import EncoderIdentity
from dynprof.errors import ConfigError
from dynprof.text import prepare_texts

__all__ = ["Encoder", "Texts", "Vectors"]

Texts: TypeAlias = "Sequence[str | None] | pa.Array | pa.ChunkedArray"
Vectors = npt.NDArray[np.float32]

# Texts are encoded a window at a time: enough for batches of equal length, little enough that tokens stay small.
WINDOW_TEXTS = 32_768
WINDOW_BYTES = 4 << 20

TEXT_TYPES = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)


class Encoder(ABC):
    """Turns texts into unit vectors. Make one with `load_encoder`.

    Args:
        identity: Name, dimension and fingerprint of this encoder.
    """

    def __init__(self, identity: EncoderIdentity) -> None:
        self._identity = identity

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, dim={self.dim}, fingerprint={self.fingerprint!r})"

    @property
    def name(self) -> str:
        """What the caller asked for."""
        return self._identity.name

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self._identity.dim

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that changes a vector; see `EncoderIdentity`."""
        return self._identity.identity

    @property
    def fingerprint(self) -> str:
        """16 hex digits of `identity`."""
        return self._identity.fingerprint

    def encode(self, texts: Texts) -> Vectors:
        """Vectors of texts, in the order of the texts.

        Texts are prepared first (`dynprof.text.prepare_texts`; prepared ones are left as they are) and each distinct
        one is computed once. A text longer than the model reads is cut at its end by the tokenizer.

        Args:
            texts: (n,) strings; nulls allowed, n = 0 too.

        Returns:
            (n, dim) float32, unit norm; the zero vector for null and for a text of which preparation leaves nothing.

        Raises:
            ConfigError: `texts` is one string, or holds something else than strings.
        """
        distinct = _prepared(texts).dictionary_encode()
        # One row more than there are distinct texts: the zero vector of the nulls.
        vectors = np.zeros((len(distinct.dictionary) + 1, self.dim), np.float32)
        windows = list(_windows(distinct.dictionary))
        texts_of = (distinct.dictionary.take(pa.array(window)).to_pylist() for window in windows)
        for window, found in zip(windows, self.encode_windows(texts_of), strict=True):
            vectors[window] = found
        if len(distinct.dictionary) == len(distinct):  # no repeat, no null: already in order
            return vectors[:-1]
        in_order: Vectors = vectors[distinct.indices.fill_null(len(distinct.dictionary)).to_numpy(zero_copy_only=False)]
        return in_order

    def encode_windows(self, windows: Iterable[list[str]]) -> Iterator[Vectors]:
        """Vectors of window after window. Encoders that can work on two at a time override it."""
        return map(self.encode_distinct, windows)

    @abstractmethod
    def encode_distinct(self, texts: list[str]) -> Vectors:
        """Vectors of prepared, distinct, non-empty texts.

        Args:
            texts: (n,), n > 0; at most one window.

        Returns:
            (n, dim) float32, unit norm.
        """


def _prepared(texts: Texts) -> pa.Array:
    """Prepared texts of whatever the caller brought: (n,) strings with nulls."""
    if isinstance(texts, (str, bytes)):
        raise ConfigError(f"texts: expected a sequence of texts, found one {type(texts).__name__}. Write [text].")
    try:
        array = texts if isinstance(texts, (pa.Array, pa.ChunkedArray)) else pa.array(texts, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError) as error:
        raise ConfigError(f"texts: expected strings or nulls, found: {error}. Convert them to text first.") from error
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if not any(is_text(kind) for is_text in TEXT_TYPES):
        raise ConfigError(f"texts: expected strings or nulls, found a column of {kind}. Convert it to text first.")
    return prepare_texts(array.cast(pa.string()))


def _windows(texts: pa.Array) -> Iterator[npt.NDArray[np.int64]]:
    """Positions of the non-empty texts, at most WINDOW_TEXTS and about WINDOW_BYTES at a time."""
    sizes = pc.binary_length(texts).to_numpy(zero_copy_only=False)
    positions = np.flatnonzero(sizes)
    end_bytes = np.cumsum(sizes[positions], dtype=np.int64)
    start = 0
    while start < len(positions):
        before = end_bytes[start - 1] if start else 0
        fits = int(np.searchsorted(end_bytes, before + WINDOW_BYTES, side="right"))
        stop = max(start + 1, min(fits, start + WINDOW_TEXTS))
        yield positions[start:stop]
        start = stop
