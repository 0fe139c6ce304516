"""The approximate index by cells: rows lie beside those they are like, and only the nearest cells are read.

The cells are those of spherical k-means. One more cell read is so many bytes more in a row of memory, so time is known
beforehand and does not depend on how the data lies; recall does, and grows with the share that is read.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numkong
import numpy as np
import numpy.typing as npt
import torch

from dynprof.index.codes import Codes, Float32Array

__all__ = ["Cells"]

SHARE_READ = 0.1
"""Of all rows, for one profile: `bench_retrieval --share` has recall against time."""
LEAST_READ = 40_000
"""Rows, where there are so many: below some hundred thousand a tenth would find too few."""
_CELLS_OF_ROOT = 2
"""Times the square root of the rows: smaller cells find more in as many rows, and each is a call of its own."""
_ROUNDS, _ROWS_TO_LEARN_FROM = 8, 40
_ROWS_AT_ONCE = 4096
_TOP = 127


@dataclass(frozen=True)
class Cells:
    """Nearest rows by cosine, most of them. Safe to search from several threads.

    Attributes:
        centres: (c, dim) float32 norm 1, or 0 of a cell that has no direction.
        starts: (c + 1,) int64: the rows of a cell lie at starts[i] to starts[i + 1] - 1 of the next three.
        rows: (n,) uint32 which row it is.
        values: (n, dim) int8 and
        scales: (n,) float32: its code (`dynprof.index.codes`).
    """

    centres: Float32Array
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.uint32]
    values: npt.NDArray[np.int8]
    scales: Float32Array

    least_asked = 512
    """Rows to compare again exactly: what a code loses moves none of the best ten out of so many."""

    @classmethod
    def build(cls, codes: Codes, *, n_cells: int | None = None, seed: int = 0) -> Cells:
        """Cells of all coded rows; row numbers are positions.

        Args:
            codes: Of n rows.
            n_cells: Twice the square root of n by default.
            seed: Of the rows that are learned from.
        """
        n = len(codes)
        n_cells = n_cells or max(1, min(n, int(_CELLS_OF_ROOT * np.sqrt(n))))
        centres = _learn(codes, n_cells, np.random.default_rng(seed))
        cells = _nearest_centres(codes.values, centres).numpy()
        order = np.argsort(cells, kind="stable")
        starts = np.searchsorted(cells[order], np.arange(n_cells + 1))
        return cls(centres.float().numpy(), starts, order.astype(np.uint32), codes.values[order], codes.scales[order])

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def size_bytes(self) -> int:
        """Memory, codes included."""
        return sum(getattr(self, f.name).nbytes for f in fields(self))

    def nearest(self, unit: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.int64]:
        """Rows with about the largest cosines, in no order that means anything.

        Args:
            unit: (dim,) norm 1.
            count: How many, where there are so many.
        """
        to_read = max(LEAST_READ, count, int(SHARE_READ * len(self)))
        order = np.argsort(-(self.centres @ unit.astype(np.float32)), kind="stable")
        n_read = np.cumsum(np.diff(self.starts)[order])
        chosen = np.sort(order[: int(np.searchsorted(n_read, to_read)) + 1])
        firsts, stops = self.starts[chosen], self.starts[chosen + 1]
        firsts, stops = firsts[stops > firsts], stops[stops > firsts]
        if not len(firsts):
            return np.empty(0, np.int64)
        query = numkong.dots_pack(np.rint(unit / (np.abs(unit).max() / _TOP)).astype(np.int8)[None])
        runs = [slice(*run) for run in zip(firsts.tolist(), stops.tolist(), strict=True)]
        cosines = np.concatenate([np.asarray(numkong.dots_packed(self.values[run], query)) for run in runs])[:, 0]
        cosines = cosines * np.concatenate([self.scales[run] for run in runs])
        best = np.argpartition(cosines, -count)[-count:] if count < len(cosines) else np.arange(len(cosines))
        ends = np.cumsum(stops - firsts)
        run_of = np.searchsorted(ends, best, side="right")
        return np.asarray(self.rows[best + (stops - ends)[run_of]], np.int64)


def _learn(codes: Codes, n_cells: int, rng: np.random.Generator) -> torch.Tensor:
    """(n_cells, dim) centres of some of the rows, bfloat16: half the time, and cells need no more."""
    chosen = np.sort(rng.choice(len(codes), min(len(codes), n_cells * _ROWS_TO_LEARN_FROM), replace=False))
    sample = codes.values[chosen]
    rows = torch.from_numpy(sample).float() * torch.from_numpy(codes.scales[chosen])[:, None]
    centres = rows[torch.from_numpy(rng.choice(len(rows), n_cells, replace=False))].bfloat16()
    for _ in range(_ROUNDS):
        cells = _nearest_centres(sample, centres)
        sums = torch.zeros(n_cells, rows.shape[1]).index_add_(0, cells, rows)
        empty = torch.bincount(cells, minlength=n_cells) == 0
        sums[empty] = rows[torch.from_numpy(rng.choice(len(rows), int(empty.sum())))]
        norms = sums.norm(dim=1, keepdim=True)
        centres = (sums / torch.where(norms > 0, norms, 1.0)).bfloat16()
    return centres


def _nearest_centres(values: npt.NDArray[np.int8], centres: torch.Tensor) -> torch.Tensor:
    """(n,) cell of each row; its scale does not change which centre is nearest."""
    rows = torch.from_numpy(np.require(values, requirements="W"))
    parts = (rows[first : first + _ROWS_AT_ONCE] for first in range(0, len(rows), _ROWS_AT_ONCE))
    return torch.cat([(part.bfloat16() @ centres.T).float().argmax(1) for part in parts])
