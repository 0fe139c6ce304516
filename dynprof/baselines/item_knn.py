"""Item kNN: an item is as good as the cosines, over users, of those that the user had and that count it a neighbour."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import sparse

from dynprof.baselines.contract import Settings, settled
from dynprof.baselines.from_past import FromPast
from dynprof.baselines.interactions import fit_matrix
from dynprof.errors import ConfigError
from dynprof.evaluation.log import EventLog

__all__ = ["DEFAULTS", "ItemKnn", "nearest_items"]

DEFAULTS: Settings = {"neighbours": 200, "shrink": 10.0, "half_life_s": None}

_PRODUCTS_AT_ONCE = 1 << 24


class ItemKnn(FromPast):
    """Score of j: sum over the items i that the user had of decay(i) * s(i, j), for the j among the neighbours of i.

    s(i, j) = users with both / (sqrt(users with i * users with j) + shrink); the neighbours of i are the `neighbours`
    items of greatest s(i, .) > 0, ties to the lower number, i itself not among them.

    Source: Deshpande, Karypis, "Item-Based Top-N Recommendation Algorithms", TOIS 2004; the shrinkage is that of
    Bell, Koren, "Scalable Collaborative Filtering with Jointly Derived Neighborhood Interpolation Weights", ICDM 2007.
    """

    name = "item kNN"

    def __init__(self, fit: EventLog, settings: Settings) -> None:
        super().__init__(fit.n_items)
        chosen = settled(self.name, settings, DEFAULTS)
        neighbours, shrink, self.half_life_s = chosen["neighbours"], chosen["shrink"], chosen["half_life_s"]
        if neighbours is None or neighbours < 1 or neighbours != int(neighbours):
            raise ConfigError(f"baseline 'item kNN': expected neighbours, a whole number >= 1, found {neighbours!r}.")
        if shrink is None or not 0 <= shrink < np.inf:
            raise ConfigError(f"baseline 'item kNN': expected shrink, a number >= 0, found {shrink!r}.")
        if self.half_life_s is not None and not self.half_life_s > 0:
            raise ConfigError(f"baseline 'item kNN': expected half_life_s > 0 or none, found {self.half_life_s!r}.")
        self._neighbours = nearest_items(fit_matrix(fit).sign(), int(neighbours), shrink)

    def _answers(self, past: sparse.csr_matrix) -> Iterator[npt.NDArray[np.floating] | None]:
        found = past @ self._neighbours
        for row in range(past.shape[0]):
            entries = slice(found.indptr[row], found.indptr[row + 1])
            scores = np.zeros(self.n_items)
            scores[found.indices[entries]] = found.data[entries]
            yield scores


def nearest_items(had: sparse.csr_matrix, neighbours: int, shrink: float) -> sparse.csr_matrix:
    """(n_items, n_items) float64: in row i the similarities of its neighbours.

    Time grows with the sum over users of the square of the number of their items. Memory: the result, at most
    12 bytes * `neighbours` * n_items, and some hundred megabytes.

    Args:
        had: (n_users, n_items) of ones.
        neighbours: Most entries of a row.
        shrink: Added to the denominator, >= 0.
    """
    by_item = had.T.tocsr()
    n_users = np.diff(by_item.indptr).astype(np.float64)
    n_products = by_item @ np.diff(had.indptr).astype(np.float64)
    indices, data, lengths = [], [], [np.zeros(1, np.int64)]
    for rows in _blocks_of_work(n_products):
        common = (by_item[rows] @ had).tocoo()
        first, second = common.row + rows.start, common.col
        other = first != second
        first, second, both = first[other], second[other], common.data[other]
        similarity = both / (np.sqrt(n_users[first] * n_users[second]) + shrink)
        order = np.lexsort((second, -similarity, first))
        starts = np.searchsorted(first[order], np.arange(rows.start, rows.stop))
        place = np.arange(len(order)) - starts[first[order] - rows.start]
        kept = order[place < neighbours]
        indices.append(second[kept])
        data.append(similarity[kept])
        lengths.append(np.bincount(first[kept] - rows.start, minlength=rows.stop - rows.start))
    shape = (had.shape[1], had.shape[1])
    if not data:
        return sparse.csr_matrix(shape)
    return sparse.csr_matrix((np.concatenate(data), np.concatenate(indices), np.cumsum(np.concatenate(lengths))), shape)


def _blocks_of_work(work: npt.NDArray[np.float64]) -> Iterator[slice]:
    """Consecutive rows of together about `_PRODUCTS_AT_ONCE` products, at least one row each."""
    if not len(work):
        return
    bounds = np.flatnonzero(np.diff((np.cumsum(work) - work) // _PRODUCTS_AT_ONCE)) + 1
    for start, stop in zip([0, *bounds], [*bounds, len(work)], strict=True):
        yield slice(int(start), int(stop))
