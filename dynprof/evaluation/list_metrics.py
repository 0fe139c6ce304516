"""What a list of recommendations is worth beside the hit: how popular, novel, diverse, even and like its user it is.

Lists are (n, k) item numbers, `NOTHING` where there were fewer candidates. A value is NaN where it does not exist.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.item_counts import ItemCounts
from dynprof.evaluation.languages import UNKNOWN
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents

__all__ = ["calibration", "coverage", "diversity", "gini", "novelty", "past_languages", "popularity"]

FloatArray = npt.NDArray[np.float64]
Lists = npt.NDArray[np.int32]


def popularity(lists: Lists, event_us: npt.NDArray[np.int64], counts: ItemCounts) -> FloatArray:
    """(n,) average recommendation popularity: mean number of events before the test event of the listed items."""
    return _mean_of_listed(lists, counts.before(np.maximum(lists, 0), event_us[:, None]).astype(np.float64))


def novelty(lists: Lists, event_us: npt.NDArray[np.int64], counts: ItemCounts) -> FloatArray:
    """(n,) mean of -log2 of the listed items' share of all events before the test event, bits."""
    mine = np.maximum(counts.before(np.maximum(lists, 0), event_us[:, None]), 1)
    everything = np.maximum(counts.all_before(event_us), 1)[:, None]
    return _mean_of_listed(lists, np.log2(everything) - np.log2(mine))


def diversity(vectors: npt.NDArray[np.float16], listed: npt.NDArray[np.bool_]) -> FloatArray:
    """(n,) mean of 1 - cosine over pairs of listed items; NaN with fewer than two.

    Args:
        vectors: (n, k, dim) norm 1 up to fp16 (or 0).
        listed: (n, k) False where there is no item; there items are `NOTHING`.
    """
    # Over all pairs the products add up to the square of the sum, less the squares.
    own = np.where(listed[:, :, None], vectors.astype(np.float64), 0.0)
    together, alone = own.sum(axis=1), np.square(own).sum(axis=(1, 2))
    pairs = listed.sum(axis=1) * (listed.sum(axis=1) - 1)
    products = np.square(together).sum(axis=1) - alone
    return np.divide(pairs - products, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def past_languages(
    log: EventLog, tests: TestEvents, languages: npt.NDArray[np.int16], n_languages: int
) -> npt.NDArray[np.int64]:
    """(n, n_languages) number of events of each test's history by language of the item."""
    spoken = languages[log.items]
    found = np.empty((len(tests), n_languages), np.int64)
    for language in range(n_languages):
        before = np.cumsum(np.append(0, spoken == language))
        found[:, language] = before[tests.history_stop] - before[tests.history_start]
    return found


def calibration(lists: Lists, past: npt.NDArray[np.int64], languages: npt.NDArray[np.int16]) -> FloatArray:
    """(n,) Jensen-Shannon divergence in bits, 0 to 1, between the languages of the list and of the user's past.

    What has no known language does not count; NaN where a side has nothing left.

    Source: Steck 2018, with a symmetric divergence.
    """
    spoken = np.where(lists >= 0, languages[np.maximum(lists, 0)], UNKNOWN)
    listed = np.stack([(spoken == language).sum(axis=1) for language in range(past.shape[1])], axis=1)
    known = (listed.sum(axis=1) > 0) & (past.sum(axis=1) > 0) if past.shape[1] else np.zeros(len(lists), np.bool_)
    one, other = (counts[known] / counts[known].sum(axis=1, keepdims=True) for counts in (listed, past))
    out = np.full(len(lists), np.nan)
    middle = (one + other) / 2
    out[known] = np.clip((_divergence(one, middle) + _divergence(other, middle)) / 2, 0.0, 1.0)
    return out


def _divergence(p: FloatArray, q: FloatArray) -> FloatArray:
    """(n,) sum p log2(p / q), with 0 log 0 = 0; q > 0 where p > 0."""
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.asarray((p * np.log2(ratio)).sum(axis=1))


def coverage(lists: Lists, n_catalogue: int) -> float:
    """Share of the catalogue that is in any list; NaN without a catalogue."""
    return len(np.unique(lists[lists >= 0])) / n_catalogue if n_catalogue else float("nan")


def gini(lists: Lists, n_catalogue: int) -> float:
    """How unevenly the items of the catalogue are listed: 0 all alike, towards 1 only one. NaN without a list."""
    times = np.sort(np.unique(lists[lists >= 0], return_counts=True)[1])
    if not len(times) or not n_catalogue:
        return float("nan")
    # Items that are never listed come first, and add nothing but their number.
    place = n_catalogue - len(times) + np.arange(1, len(times) + 1)
    return float((2 * place - n_catalogue - 1) @ times / (n_catalogue * times.sum()))


def _mean_of_listed(lists: Lists, values: FloatArray) -> FloatArray:
    listed = lists >= 0
    count = listed.sum(axis=1)
    total = np.where(listed, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(lists), np.nan), where=count > 0)
