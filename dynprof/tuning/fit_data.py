"""What the learned decay is fitted on: events of the fitting stretch, each with its target and sampled candidates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.profile import age_seconds
from dynprof.tuning.bank_sums import BankSums
from dynprof.tuning.learned import Fit

__all__ = ["N_RECENT", "N_UNIFORM", "fit_data", "sample_candidates"]

N_RECENT = 64
"""Newest candidates of an event that are always among the sampled ones: the hard ones where items age."""
N_UNIFORM = 64
"""Candidates drawn from the whole catalogue."""

Items = npt.NDArray[np.int64]


def sample_candidates(
    log: EventLog,
    tests: TestEvents,
    *,
    seed: int,
    first_candidate: Items | None = None,
    also_left_out: Sequence[npt.NDArray[np.integer]] | None = None,
) -> tuple[Items, npt.NDArray[np.bool_]]:
    """The target and sampled candidates of each event. For fitting alone: ranks are always among all candidates.

    Args:
        log: That the events are of.
        tests: (n,) events.
        seed: Of the drawn ones.
        first_candidate: (n,) first item of each catalogue; None for 0.
        also_left_out: n arrays of further items that are no candidates, as of `Asked.of`; the target may be among them.

    Returns:
        (n, 1 + N_RECENT + N_UNIFORM) items, the target first, and True for what is no candidate: items that the user
        had, what else is left out, the target again, and fillers where the catalogue is small.
    """
    n = len(tests)
    catalogue = tests.catalogue[:, None]
    first = np.zeros((n, 1), np.int64) if first_candidate is None else first_candidate[:, None]
    recent = catalogue - 1 - np.arange(N_RECENT)[None, :]
    drawn = np.random.default_rng(seed).random((n, N_UNIFORM))
    uniform = first + (drawn * (catalogue - first)).astype(np.int64)
    items = np.concatenate([tests.targets[:, None].astype(np.int64), recent, uniform], axis=1)
    barred = items < first
    barred[:, 1 + N_RECENT :] |= uniform >= catalogue - N_RECENT  # those are there already
    items = np.maximum(items, 0)
    for row in range(n):
        barred[row] |= np.isin(items[row], tests.excluded(log, row))
        if also_left_out is not None:
            barred[row] |= np.isin(items[row], also_left_out[row])
    barred[:, 0] = False
    return items, barred


def fit_data(
    log: EventLog,
    tests: TestEvents,
    sums: BankSums,
    candidates: tuple[Items, npt.NDArray[np.bool_]],
    vectors_of: Callable[[Items], npt.NDArray[np.float16]],
    item_half_life_s: float | None,
) -> Fit:
    """All that fitting needs to know of the events.

    Args:
        log: That the events are of.
        tests: (n,) events.
        sums: Of them.
        candidates: From `sample_candidates`.
        vectors_of: (k, dim) vectors of (k,) distinct items.
        item_half_life_s: Of `cosine_time`; None for `cosine`.
    """
    items, barred = candidates
    distinct, place = np.unique(items, return_inverse=True)
    vectors, place = vectors_of(distinct), place.reshape(items.shape)
    basis = np.concatenate([sums.sums, sums.priors[:, None]], axis=1)
    products = np.empty((*items.shape, basis.shape[1]), np.float32)
    for row in range(len(items)):  # a matrix product each
        products[row] = vectors[place[row]].astype(np.float32) @ basis[row].T
    wide = basis.astype(np.float64)
    log_ages = None
    if item_half_life_s is not None:
        ages_s = age_seconds(tests.event_us[:, None], log.first_us[items])
        log_ages = np.where(barred, 0.0, -np.log(2) * ages_s / item_half_life_s)
    return Fit(products, wide @ wide.swapaxes(1, 2), log_ages, barred)
