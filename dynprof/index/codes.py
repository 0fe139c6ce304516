"""Vectors as int8, and how far their products with a query can be from the truth."""

from __future__ import annotations

from dataclasses import dataclass

import numkong
import numpy as np
import numpy.typing as npt
import torch

__all__ = ["CodedQueries", "Codes", "encode"]

Float32Array = npt.NDArray[np.float32]

_TOP = 127
_FINER = 254
"""A second code of a query holds what the first one lost: half a step of it is the whole range of the second."""
_ROUNDING = np.float32(1e-5)
"""Of float32 over the few operations between an integer product and a bound; the true one is below 1e-6."""
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Codes:
    """Rows as multiples of 1/127 of their own largest coordinate.

    Attributes:
        values: (n, dim) int8.
        scales: (n,) such that scale x value is the row at norm 1, nearly.
        radii: (n,) norm of what is missing: of the row at norm 1 minus scale x value.
    """

    values: npt.NDArray[np.int8]
    scales: Float32Array
    radii: Float32Array

    def __len__(self) -> int:
        return len(self.values)

    def part(self, first: int, stop: int) -> Codes:
        """Rows `first` to `stop` - 1, without a copy."""
        return Codes(self.values[first:stop], self.scales[first:stop], self.radii[first:stop])


def encode(vectors: npt.NDArray[np.float16]) -> Codes:
    """Code rows of any norm; a row of zeros has scale and radius 0.

    Args:
        vectors: (n, dim).
    """
    codes = Codes(np.empty(vectors.shape, np.int8), np.empty(len(vectors), np.float32), np.empty(len(vectors), "f4"))
    for first in range(0, len(vectors), _ROWS_AT_ONCE):
        _encode_into(vectors[first : first + _ROWS_AT_ONCE], codes.part(first, first + _ROWS_AT_ONCE))
    return codes


def _encode_into(vectors: npt.NDArray[np.float16], codes: Codes) -> None:
    rows = torch.from_numpy(np.require(vectors, requirements="W")).float()  # numpy's conversion is 10 times slower
    norms, steps = rows.norm(dim=1, keepdim=True), rows.abs().amax(1, keepdim=True) / _TOP
    rounded = torch.round(rows / torch.where(steps > 0, steps, 1.0))
    missing = (rows - rounded * steps).norm(dim=1, keepdim=True)
    norms = torch.where(norms > 0, norms, 1.0)
    codes.values[:] = rounded.to(torch.int8).numpy()
    codes.scales[:] = (steps / norms)[:, 0].numpy()
    codes.radii[:] = (missing / norms)[:, 0].numpy()


class CodedQueries:
    """Some queries, ready for products with coded rows: all of them share one pass over the rows.

    Args:
        queries: (m, dim) norm 1 (or 0).
    """

    def __init__(self, queries: npt.NDArray[np.float64]) -> None:
        steps = np.abs(queries).max(1, keepdims=True) / _TOP
        steps[steps == 0] = 1.0
        coarse = np.rint(queries / steps)
        fine = np.rint((queries / steps - coarse) * _FINER)
        self._steps = steps[:, 0].astype(np.float32)
        missing = queries - steps * (coarse + fine / _FINER)
        self._radii = np.linalg.norm(missing, axis=1).astype(np.float32)
        self._is_zero = ~queries.any(1)
        self._n = len(queries)
        self._packed = numkong.dots_pack(np.concatenate([coarse, fine]).astype(np.int8))

    def bounds(self, codes: Codes) -> tuple[Float32Array, Float32Array]:
        """Cosines of every query with every row, and how far each is from the truth at most.

        With r = s c + e for a row and q = q' + f for a query, r.q = s c.q' + e.q' + r.f, so the error is at most
        |e| |q'| + |r| |f| <= |e| (1 + |f|) + |f|. Integer products are exact.

        Returns:
            Two (m, n) arrays; the second is 0 for a query of zeros.
        """
        products = np.asarray(numkong.dots_packed(codes.values, self._packed)).astype(np.float32).T
        cosines = products[: self._n] + products[self._n :] * np.float32(1 / _FINER)
        cosines *= self._steps[:, None]
        cosines *= codes.scales
        slack = codes.radii * (1 + self._radii[:, None]) + (self._radii[:, None] + _ROUNDING)
        slack[self._is_zero] = 0
        return cosines, slack
