"""What every readout of a test event's history is made of: a bank of decayed sums, from one reading of the vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynprof.bank import DEFAULT_BANK, Bank
from dynprof.embedded import CorpusVectors
from dynprof.evaluation.bucket_tests import read_tests
from dynprof.evaluation.histories import sums_before
from dynprof.evaluation.item_vectors import ItemVectors
from dynprof.evaluation.log import EventLog
from dynprof.evaluation.protocol import TestEvents
from dynprof.profile import age_seconds

__all__ = ["BankSums", "bank_sums", "sum_bucket"]

FloatArray = npt.NDArray[np.float64]

_TESTS_AT_ONCE = 256


@dataclass(frozen=True)
class BankSums:
    """The sums of n test events, strictly before each.

    A profile at any decay, half-life and kappa has the direction of `coefficients @ sums + kappa prior`: the divisor,
    mass + kappa, turns nothing. So a point of the grid costs K vectors to read and none of the history.

    Attributes:
        sums: (n, K, dim) float32 sum w 2^(-age/h_j) e.
        priors: (n, dim) float32.
        targets: (n, dim) float16 vectors of the targets.
    """

    sums: npt.NDArray[np.float32]
    priors: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float16]

    def __len__(self) -> int:
        return len(self.sums)

    def take(self, rows: npt.NDArray[np.integer] | slice) -> BankSums:
        """Some of the test events."""
        return BankSums(self.sums[rows], self.priors[rows], self.targets[rows])

    def directions(self, coefficients: FloatArray, prior_weights: FloatArray) -> npt.NDArray[np.float32]:
        """(n, m, dim) profiles of any length, of (m, K) readouts with (m,) kappas; each by itself."""
        weights = np.column_stack([coefficients, prior_weights])
        made = np.empty((len(self), len(weights), self.sums.shape[2]), np.float32)
        for start in range(0, len(self), _TESTS_AT_ONCE):
            part = slice(start, start + _TESTS_AT_ONCE)
            basis = np.concatenate([self.sums[part], self.priors[part, None]], axis=1).astype(np.float64)
            made[part] = weights @ basis
        return made


def sum_bucket(
    corpus: CorpusVectors,
    type_weights: Mapping[str, float],
    bucket: int,
    tests: TestEvents,
    bucket_start: int,
    mean: npt.NDArray[np.float32],
    *,
    stop_us: int,
    bank: Bank = DEFAULT_BANK,
) -> BankSums:
    """The sums of the tests whose users are in one bucket, from the log that ends at `stop_us`.

    Args:
        corpus: Where its vectors lie.
        type_weights: Weight of an event by its type.
        bucket: User bucket.
        tests: (n,) of the log of all buckets, cut off at `stop_us`.
        bucket_start: Position in that log of the bucket's first event.
        mean: (dim,) prior of users without a bio.
        stop_us: Nothing at or after it is read into the log.
        bank: Half-lives.
    """
    of = read_tests(corpus, type_weights, bucket, tests, bucket_start, mean, stop_us=stop_us)
    return bank_sums(of.log, of.vectors, of.tests, of.prior, bank)


def bank_sums(
    log: EventLog, vectors: ItemVectors, tests: TestEvents, priors: npt.NDArray[np.float32], bank: Bank = DEFAULT_BANK
) -> BankSums:
    """The sums of test events of a log, with (n, dim) priors."""

    def weigh(owners: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]) -> FloatArray:
        ages_s = age_seconds(tests.as_of_us[owners], log.event_us[positions])
        return np.asarray(log.weights[positions, None] * bank.factors(ages_s))

    sums, _ = sums_before(log, vectors, tests, weigh, (bank.size, priors.shape[1]))
    return BankSums(sums.astype(np.float32), priors, vectors.take(tests.targets))
