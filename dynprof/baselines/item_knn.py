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

__all__ = ["DEFAULTS", "ItemKnn", "checked", "first_few", "nearest_items"]

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
        neighbours, shrink, self.half_life_s = checked(self.name, settled(self.name, settings, DEFAULTS))
        self._neighbours = nearest_items(fit_matrix(fit).sign(), neighbours, shrink)

    def _answers(self, past: sparse.csr_matrix) -> Iterator[npt.NDArray[np.floating] | None]:
        found = past @ self._neighbours
        for row in range(past.shape[0]):
            entries = slice(found.indptr[row], found.indptr[row + 1])
            scores = np.zeros(self.n_items)
            scores[found.indices[entries]] = found.data[entries]
            yield scores


def checked(name: str, chosen: Settings) -> tuple[int, float, float | None]:
    """Neighbours, shrink and half-life.

    Raises:
        ConfigError: One of them means nothing.
    """
    neighbours, shrink, half_life_s = chosen["neighbours"], chosen["shrink"], chosen["half_life_s"]
    if neighbours is None or neighbours < 1 or neighbours != int(neighbours):
        raise ConfigError(f"baseline {name!r}: expected neighbours, a whole number >= 1, found {neighbours!r}.")
    if shrink is None or not 0 <= shrink < np.inf:
        raise ConfigError(f"baseline {name!r}: expected shrink, a number >= 0, found {shrink!r}.")
    if half_life_s is not None and not half_life_s > 0:
        raise ConfigError(f"baseline {name!r}: expected half_life_s > 0 or none, found {half_life_s!r}.")
    return int(neighbours), shrink, half_life_s


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
    indices, data, lengths = [], [], [0]
    for rows in _blocks_of_work(n_products):
        common = by_item[rows] @ had
        n_first = np.repeat(n_users[rows], np.diff(common.indptr))
        similarity = common.data / (np.sqrt(n_first * n_users[common.indices]) + shrink)
        for row, item in enumerate(range(rows.start, rows.stop)):
            mine = slice(common.indptr[row], common.indptr[row + 1])
            items, values = first_few(common.indices[mine], similarity[mine], item, neighbours)
            indices.append(items)
            data.append(values)
            lengths.append(len(items))
    shape = (had.shape[1], had.shape[1])
    if not data:
        return sparse.csr_matrix(shape)
    return sparse.csr_matrix((np.concatenate(data), np.concatenate(indices), np.cumsum(lengths)), shape)


def first_few(
    items: npt.NDArray[np.int32], values: npt.NDArray[np.float64], item: int, most: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """The `most` items of greatest value but the item itself, ties to the lower number, in no order."""
    other = items != item
    items, values = items[other], values[other]
    if len(items) > most:
        worst = np.partition(values, len(values) - most)[len(values) - most]
        better, beside = np.flatnonzero(values > worst), np.flatnonzero(values == worst)
        beside = beside[np.argsort(items[beside])[: most - len(better)]]
        kept = np.concatenate([better, beside])
        items, values = items[kept], values[kept]
    return items, values


def _blocks_of_work(work: npt.NDArray[np.float64]) -> Iterator[slice]:
    """Consecutive rows of together about `_PRODUCTS_AT_ONCE` products, at least one row each."""
    if not len(work):
        return
    bounds = np.flatnonzero(np.diff((np.cumsum(work) - work) // _PRODUCTS_AT_ONCE)) + 1
    for start, stop in zip([0, *bounds], [*bounds, len(work)], strict=True):
        yield slice(int(start), int(stop))
