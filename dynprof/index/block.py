"""A run of rows of the index: their vectors, times and codes, and how they are compared with queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from dynprof.index.codes import CodedQueries, Codes, Float32Array

__all__ = ["BLOCK_ROWS", "Block", "Queries", "blocks_of", "exact_cosines"]

BLOCK_ROWS = 16_384
"""Small enough that a block's products stay in the cache and old blocks are left out, large enough for one product."""

_ROUNDING = np.float32(1e-4)
"""Of a float32 product of up to thousands of coordinates, rounded towards the safe side."""
_ROWS_AT_ONCE = 2048


class Queries:
    """What some profiles ask for, in the forms that products need.

    Args:
        profiles: (m, dim) any norm.
    """

    def __init__(self, profiles: npt.NDArray[np.floating]) -> None:
        given = np.asarray(profiles, np.float64)
        self.norms: npt.NDArray[np.float64] = np.linalg.norm(given, axis=1)
        self.units = given / np.where(self.norms > 0, self.norms, 1.0)[:, None]

    def __len__(self) -> int:
        return len(self.units)

    @cached_property
    def coded(self) -> CodedQueries:
        """For rows with codes."""
        return CodedQueries(self.units)

    @cached_property
    def single(self) -> torch.Tensor:
        """(dim, m) float32, for rows without."""
        return torch.from_numpy(np.ascontiguousarray(self.units.T.astype(np.float32)))


@dataclass(frozen=True)
class Block:
    """Rows `first` to `first` + n - 1.

    Attributes:
        first: Number of the first row.
        vectors: (n, dim) any norm.
        created_us: (n,) microseconds since 1970, in any order.
        newest_us: The latest of them; of an empty block the least number there is.
        codes: Of all rows, or None: then vectors are converted for every question, ten times slower.
    """

    first: int
    vectors: npt.NDArray[np.float16]
    created_us: npt.NDArray[np.int64]
    newest_us: int
    codes: Codes | None

    def __len__(self) -> int:
        return len(self.created_us)

    def bounds(self, queries: Queries) -> tuple[Float32Array, Float32Array]:
        """(m, n) cosines and (m, n) how far each is from the truth at most."""
        if self.codes is not None:
            return queries.coded.bounds(self.codes)
        parts = [self._products(queries, first) for first in range(0, len(self), _ROWS_AT_ONCE)]
        cosines = np.concatenate(parts, axis=1)
        return cosines, np.where(queries.norms > 0, _ROUNDING, np.float32(0))[:, None].repeat(len(self), 1)

    def _products(self, queries: Queries, first: int) -> Float32Array:
        rows = torch.from_numpy(np.require(self.vectors[first : first + _ROWS_AT_ONCE], requirements="W")).float()
        norms = rows.norm(dim=1, keepdim=True)
        return ((rows @ queries.single) / torch.where(norms > 0, norms, 1.0)).T.numpy()

    def exact(self, local: npt.NDArray[np.int64], unit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Cosines of some rows with one query of norm 1 (or 0).

        Args:
            local: (j,) positions in the block.
            unit: (dim,).
        """
        parts = [
            exact_cosines(self.vectors[local[i : i + _ROWS_AT_ONCE]], unit) for i in range(0, len(local), _ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty(0)


def exact_cosines(vectors: npt.NDArray[np.float16], unit: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The cosines that rankings are made of: in float64, each row by itself, so never dependent on the others.

    Args:
        vectors: (n, dim) any norm; a row of zeros has cosine 0.
        unit: (dim,) norm 1 (or 0).
    """
    rows = torch.from_numpy(np.require(vectors, requirements="W")).double().numpy()
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    products = np.einsum("ij,j->i", rows, unit)
    return np.asarray(np.clip(products / np.where(norms > 0, norms, 1.0), -1.0, 1.0), np.float64)


def blocks_of(
    vectors: npt.NDArray[np.float16], created_us: npt.NDArray[np.int64], codes: Codes | None
) -> Sequence[Block]:
    """A table of rows as blocks, in order, without a copy.

    Args:
        vectors: (n, dim).
        created_us: (n,) rising.
        codes: Of the last rows, as many as there are; earlier blocks have none.
    """
    n, coded_from = len(created_us), len(created_us) - (0 if codes is None else len(codes))
    edges = sorted({*range(0, n, BLOCK_ROWS), coded_from, n})
    blocks = []
    for first, stop in pairwise(edges):
        mine = codes.part(first - coded_from, stop - coded_from) if codes and first >= coded_from else None
        at = created_us[first:stop]
        blocks.append(Block(first, vectors[first:stop], at, int(at[-1]), mine))
    return blocks
