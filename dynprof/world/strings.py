"""Many short strings at once: numbered names and short links, without a Python object a string."""

from __future__ import annotations

import string

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["LINK_LENGTH", "numbered", "short_links"]

_LINK = " https://t.co/"
_CODE_LENGTH = 10
LINK_LENGTH = len(_LINK) + _CODE_LENGTH
"""Characters of a short link with the space before it."""

_ALPHABET = np.frombuffer((string.ascii_letters + string.digits).encode(), np.uint8)


def numbered(prefix: str, numbers: npt.NDArray[np.int64], width: int) -> pa.StringArray:
    """`prefix` and the number with leading zeros, e.g. ("u", 7, 3) -> "u007". (n,) numbers below 10**width."""
    head = np.broadcast_to(np.frombuffer(prefix.encode(), np.uint8), (len(numbers), len(prefix.encode())))
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    digits = (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)
    return _rows_as_strings(np.hstack([head, digits]))


def short_links(keep: npt.NDArray[np.bool_], rng: np.random.Generator) -> pa.StringArray:
    """A space and a link, `https://t.co/` and ten letters, where `keep`; "" elsewhere. (n,)"""
    n = int(keep.sum())
    codes = _ALPHABET[rng.integers(0, len(_ALPHABET), (n, _CODE_LENGTH), dtype=np.uint8)]
    head = np.broadcast_to(np.frombuffer(_LINK.encode(), np.uint8), (n, len(_LINK)))
    data = np.hstack([head, codes])
    return _strings(np.where(keep, LINK_LENGTH, 0), data)


def _rows_as_strings(rows: npt.NDArray[np.uint8]) -> pa.StringArray:
    return _strings(np.full(len(rows), rows.shape[1]), rows)


def _strings(lengths: npt.NDArray[np.int64], data: npt.NDArray[np.uint8]) -> pa.StringArray:
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data)))
